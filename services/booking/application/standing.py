"""What the other services tell: offers and venues, who may book, who works for whom, what was paid."""

from __future__ import annotations

from datetime import datetime

from services.booking.application.cancelling import cancel_all, load, load_to_cancel
from services.booking.domain.booking import Reason
from services.booking.storage import bookings as stored
from services.booking.storage import facts, places
from shared.eventstore import Message, Transaction
from shared.kernel.time import parse_instant

CANCELLED_BY_SUSPENSION = {"FRAUD": Reason.FRAUD, "UPON_USER_REQUEST": Reason.BENEFICIARY}
"""Other reasons cancel nothing (domain.md §1.4)."""
REJECTED = "rejected"


def venue(tx: Transaction, message: Message) -> None:
    data = message.data
    row = {
        "venue_id": data["venueId"],
        "offerer_id": data["offererId"],
        "name": data["name"],
        "establishment": data["establishment"],
        "address": data["address"],
        "postal_code": data["postalCode"],
        "city": data["city"],
        "department_code": data["departmentCode"],
        "timezone": data["timezone"],
        "booking_email": data["bookingEmail"],
    }
    facts.put_venue(tx.connection, row)


def offer(tx: Transaction, message: Message) -> None:
    data = message.data
    row = {
        "offer_id": data["offerId"],
        "venue_id": data["venueId"],
        "name": data["name"],
        "subcategory": data["subcategory"],
        "is_duo": data["isDuo"],
        "is_digital": data["isDigital"],
        "url": data["url"],
        "withdrawal_details": data["withdrawalDetails"],
        "booking_email": data["bookingEmail"],
        "is_published": True,
    }
    facts.put_offer(tx.connection, row)


def offer_withdrawn(tx: Transaction, message: Message) -> None:
    """Not bookable any more; a rejected offer's unused bookings are cancelled (domain.md §3.2)."""
    offer_id = message.data["offerId"]
    places.lock_offer(tx.connection, offer_id)  # whoever confirms a booking of it is awaited, or sees this
    facts.unpublish_offer(tx.connection, offer_id)
    if message.data["reason"] == REJECTED:
        cancel_all(tx, load_to_cancel(tx, stored.unused_of_offer(tx.connection, offer_id)), Reason.FRAUD)


def offerer_registered(tx: Transaction, message: Message) -> None:
    """Not validated yet: its offers are not released (domain.md §2.1)."""
    facts.shut_offerer(tx.connection, message.data["offererId"])


def offerer_shut(tx: Transaction, message: Message) -> None:
    """Rejected, or closed: its offers are not released any more."""
    offerer_id = message.data["offererId"]
    places.lock_offerer(tx.connection, offerer_id)
    facts.shut_offerer(tx.connection, offerer_id)


def offerer_validated(tx: Transaction, message: Message) -> None:
    facts.open_offerer(tx.connection, message.data["offererId"])


def activated(tx: Transaction, message: Message) -> None:
    facts.put_person(tx.connection, message.data["personId"], is_beneficiary=True)


def suspended(tx: Transaction, message: Message) -> None:
    person_id = message.data["personId"]
    facts.put_person(tx.connection, person_id, is_suspended=True)
    reason = CANCELLED_BY_SUSPENSION.get(message.data["reason"])
    if reason == Reason.BENEFICIARY:
        _cancel_in_time(tx, person_id, message.occurred_at)
    if reason == Reason.FRAUD:
        cancel_all(tx, load_to_cancel(tx, stored.unused_of_person(tx.connection, person_id)), reason)
        for offerer_id in facts.left_alone(tx.connection, person_id):
            _cancel_for_fraud(tx, offerer_id)


def _cancel_in_time(tx: Transaction, person_id: int, at: datetime) -> None:
    """Who leaves gives back what could be given back; the rest is bought, and validated by itself or at the desk."""
    cancel_all(tx, load_to_cancel(tx, stored.cancellable_by_person(tx.connection, person_id, at)), Reason.BENEFICIARY)


def _cancel_for_fraud(tx: Transaction, offerer_id: int) -> None:
    """Nobody of a structure is left who is not suspected: what can be cancelled of it is (domain.md §1.4)."""
    places.lock_offerer(tx.connection, offerer_id)  # whoever confirms a booking of it is awaited
    venues = [venue.venue_id for venue in facts.venues_of(tx.connection, [offerer_id])]
    cancel_all(tx, load_to_cancel(tx, stored.unused_of_venues(tx.connection, venues)), Reason.FRAUD)


def unsuspended(tx: Transaction, message: Message) -> None:
    """What was cancelled stays so (domain.md §1.4)."""
    facts.put_person(tx.connection, message.data["personId"], is_suspended=False)


def erased(tx: Transaction, message: Message) -> None:
    """Books nothing any more; what could still be cancelled goes back to the others."""
    person_id = message.data["personId"]
    facts.put_person(tx.connection, person_id, is_suspended=True)
    _cancel_in_time(tx, person_id, message.occurred_at)


def attached(tx: Transaction, message: Message) -> None:
    facts.attach(tx.connection, message.data["accountId"], message.data["offererId"])


def detached(tx: Transaction, message: Message) -> None:
    facts.detach(tx.connection, message.data["accountId"], message.data["offererId"])


def entered_batch(tx: Transaction, message: Message) -> None:
    """From now on the desk and the young person cannot undo it (decision 11)."""
    data = message.data
    for booking in load(tx, [data["bookingId"]]):
        booking.enter_batch(message.occurred_at, data["batchId"], data["lineId"])
        tx.save(booking)


def reimbursed(tx: Transaction, message: Message) -> None:
    data = message.data
    for booking in load(tx, [data["bookingId"]]):
        booking.reimburse(parse_instant(data["at"]), data["batchId"])
        tx.save(booking)
