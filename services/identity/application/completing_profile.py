"""The last step to a credit; afterwards, changes of the profile."""

from __future__ import annotations

from typing import Any

from services.identity.answers import standing
from services.identity.application.unit_of_work import UnitOfWork, caller_account
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call
from shared.kernel.errors import PreconditionFailed


def complete_profile(work: UnitOfWork, call: Call[calls.CompleteProfile]) -> dict[str, Any]:
    """Raises PreconditionFailed, NotEligible, StepNotDue."""
    body = call.body
    account = work.usable_account(caller_account(call))
    if body.if_match not in (None, account.version):
        raise PreconditionFailed("Votre profil a changé depuis que vous l’avez lu : relisez-le avant de le modifier.")
    profile, sealed = work.changed_profile(
        account, address=body.address, city=body.city, postal_code=body.postal_code, activity=body.activity
    )
    kind = account.complete_profile(work.now, profile, sealed=sealed)
    if kind is not None:
        work.notify(work.ports.mails.activated(profile, kind), f"activated/{account.number}/{kind.value}")
    work.tx.save(account)
    return standing(account, profile, work.now)
