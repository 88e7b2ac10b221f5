"""Which message, in which version, leads to which change of wallet."""

from __future__ import annotations

from collections.abc import Sequence

from services.wallet.application import granting, spending
from services.wallet.application.unit_of_work import UnitOfWork
from shared.eventstore import Message, Transaction
from shared.messaging.reactions import Reactions

REACTIONS = Reactions(
    {
        ("identity", "BeneficiaryActivated", 1): granting.grant_at_activation,
        ("identity", "BirthdayReached", 1): granting.recredit_on_birthday,
        ("booking", "CountermarkValidated", 1): spending.spend_when_validated,
        ("booking", "CountermarkInvalidated", 1): spending.unspend_when_invalidated,
        ("booking", "BookingCancelled", 1): spending.release_when_cancelled,
        ("booking", "BookingRestored", 1): spending.check_when_restored,
    }
)


def prepare(tx: Transaction, messages: Sequence[Message]) -> None:
    """Locks and loads the wallets and attempts of a whole batch in one statement."""
    attempts = {
        (message.data["bookingId"], message.data["attempt"]) for message in messages if message.source == "booking"
    }
    UnitOfWork.of(tx).load({message.data["personId"] for message in messages}, attempts)
