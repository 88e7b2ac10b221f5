"""Which message leads to which use case."""

from __future__ import annotations

from collections.abc import Sequence

from services.wallet.application import following, granting
from services.wallet.application.book import Book
from shared.eventstore import Message, Transaction
from shared.messaging.reactions import Reaction

_OF_PEOPLE: dict[str, Reaction] = {
    "BeneficiaryActivated": granting.grant_at_activation,
    "BirthdayReached": granting.recredit_on_birthday,
}
_OF_BOOKINGS: dict[str, Reaction] = {
    "CountermarkValidated": following.spend_when_validated,
    "CountermarkInvalidated": following.unspend_when_invalidated,
    "BookingCancelled": following.release_when_cancelled,
    "BookingRestored": following.check_when_restored,
}


def reactions() -> dict[tuple[str, str], Reaction]:
    return {
        **{("identity", name): reaction for name, reaction in _OF_PEOPLE.items()},
        **{("booking", name): reaction for name, reaction in _OF_BOOKINGS.items()},
    }


def prepare(tx: Transaction, messages: Sequence[Message]) -> None:
    """Locks the wallets and loads the attempts that a batch is about, in one go."""
    of_bookings = [message.data for message in messages if message.name in _OF_BOOKINGS]
    of_people = [message.data for message in messages if message.name in _OF_PEOPLE]
    people = {data["personId"] for data in (*of_people, *of_bookings)}
    Book.of(tx).need(people, {(data["bookingId"], data["attempt"]) for data in of_bookings})
