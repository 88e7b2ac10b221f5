"""Which message, in which version, leads to which use case."""

from __future__ import annotations

from collections.abc import Sequence

from services.wallet.application import following, granting
from services.wallet.application.book import Book
from shared.eventstore import Message, Transaction
from shared.messaging.reactions import Reactions

REACTIONS = Reactions(
    {
        ("identity", "BeneficiaryActivated", 1): granting.grant_at_activation,
        ("identity", "BirthdayReached", 1): granting.recredit_on_birthday,
        ("booking", "CountermarkValidated", 1): following.spend_when_validated,
        ("booking", "CountermarkInvalidated", 1): following.unspend_when_invalidated,
        ("booking", "BookingCancelled", 1): following.release_when_cancelled,
        ("booking", "BookingRestored", 1): following.check_when_restored,
    }
)


def prepare(tx: Transaction, messages: Sequence[Message]) -> None:
    """Locks the wallets and loads the attempts that a batch is about, at once."""
    attempts = {
        (message.data["bookingId"], message.data["attempt"]) for message in messages if message.source == "booking"
    }
    Book.of(tx).need({message.data["personId"] for message in messages}, attempts)
