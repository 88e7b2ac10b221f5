"""Which message leads to which use case."""

from __future__ import annotations

from services.wallet.application import following, granting
from shared.messaging.reactions import Reaction


def reactions() -> dict[tuple[str, str], Reaction]:
    return {
        ("identity", "BeneficiaryActivated"): granting.grant_at_activation,
        ("identity", "BirthdayReached"): granting.recredit_on_birthday,
        ("booking", "CountermarkValidated"): following.spend_when_validated,
        ("booking", "CountermarkInvalidated"): following.unspend_when_invalidated,
        ("booking", "BookingCancelled"): following.release_when_cancelled,
        ("booking", "BookingRestored"): following.check_when_restored,
    }
