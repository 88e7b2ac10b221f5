"""Which message, in which version, leads to which change of booking."""

from __future__ import annotations

from services.booking.application import reimbursing, rescheduling, suspending, withdrawing
from services.booking.application import stocks as stock_changes
from services.booking.storage import references, stocks, tables
from shared.eventstore import Message, Transaction
from shared.messaging.reactions import Reactions
from shared.projections.followed import Followed


def venue_described(tx: Transaction, message: Message) -> None:
    """VenueOpened and VenueChanged carry the whole venue."""
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
    references.keep_venue(tx.connection, row)


def offer_described(tx: Transaction, message: Message) -> None:
    """OfferPublished and OfferChanged carry the whole offer."""
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
    references.keep_offer(tx.connection, row)


def offerer_registered(tx: Transaction, message: Message) -> None:
    """Its offers cannot be booked until it is validated (domain.md §2.1)."""
    references.shut_offerer(tx.connection, message.data["offererId"])


def offerer_validated(tx: Transaction, message: Message) -> None:
    references.open_offerer(tx.connection, message.data["offererId"])


def offerer_closed(tx: Transaction, message: Message) -> None:
    """Rejected or closed: its offers cannot be booked any more."""
    offerer_id = message.data["offererId"]
    stocks.lock_of_offerer(tx.connection, offerer_id)
    references.shut_offerer(tx.connection, offerer_id)


def beneficiary_activated(tx: Transaction, message: Message) -> None:
    references.keep_person(tx.connection, message.data["personId"], is_beneficiary=True)


def person_unsuspended(tx: Transaction, message: Message) -> None:
    """Cancelled bookings stay cancelled (domain.md §1.4)."""
    references.keep_person(tx.connection, message.data["personId"], is_suspended=False)


def pro_attached(tx: Transaction, message: Message) -> None:
    references.attach(tx.connection, message.data["accountId"], message.data["offererId"])


def pro_detached(tx: Transaction, message: Message) -> None:
    references.detach(tx.connection, message.data["accountId"], message.data["offererId"])


_REFERENCE_REACTIONS = Reactions(
    {
        ("catalog", "VenueOpened", 1): venue_described,
        ("catalog", "VenueChanged", 1): venue_described,
        ("catalog", "OfferPublished", 1): offer_described,
        ("catalog", "OfferChanged", 1): offer_described,
        ("catalog", "OfferWithdrawn", 1): withdrawing.withdraw_offer,
        ("identity", "OffererRegistered", 1): offerer_registered,
        ("identity", "OffererValidated", 1): offerer_validated,
        ("identity", "OffererRejected", 1): offerer_closed,
        ("identity", "OffererClosed", 1): offerer_closed,
        ("identity", "BeneficiaryActivated", 1): beneficiary_activated,
        ("identity", "BeneficiarySuspended", 1): suspending.suspend,
        ("identity", "BeneficiaryUnsuspended", 1): person_unsuspended,
        ("identity", "PersonErased", 1): suspending.erase,
        ("identity", "ProAttached", 1): pro_attached,
        ("identity", "ProDetached", 1): pro_detached,
    }
)
REACTIONS = Reactions(
    {
        **_REFERENCE_REACTIONS,
        ("catalog", "StockAdded", 1): stock_changes.open_stock,
        ("catalog", "StockChanged", 1): stock_changes.change_stock,
        ("catalog", "EventRescheduled", 1): rescheduling.reschedule,
        ("catalog", "StockWithdrawn", 1): withdrawing.withdraw_stock,
        ("payout", "BookingEnteredBatch", 1): reimbursing.enter_batch,
        ("payout", "BookingReimbursed", 1): reimbursing.reimburse,
    }
)
FOLLOWED = Followed(
    "told",
    1,
    [tables.offers, tables.venues, tables.shut_offerers, tables.persons, tables.attachments],
    _REFERENCE_REACTIONS,
)
"""Offers, venues, structures and people, as catalog and identity publish them."""
