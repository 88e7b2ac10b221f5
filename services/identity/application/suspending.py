"""Suspending an account, by staff or by the person, and lifting the suspension."""

from __future__ import annotations

from typing import Any

from services.identity.application.unit_of_work import UnitOfWork, caller_account
from services.identity.domain.accounts import Suspension
from services.identity.storage import credentials
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call
from shared.kernel.errors import Invalid


def suspend_account(work: UnitOfWork, call: Call[calls.SuspendAccount]) -> dict[str, Any]:
    """Raises NotFound, Invalid."""
    return _suspend(work, call.body.account_id, _reason(call.body.reason))


def suspend_me(work: UnitOfWork, call: Call[calls.SuspendMe]) -> dict[str, Any]:
    """Staff can lift it. Raises NotFound."""
    return _suspend(work, caller_account(call), Suspension.UPON_USER_REQUEST)


def unsuspend_account(work: UnitOfWork, call: Call[calls.UnsuspendAccount]) -> dict[str, Any]:
    """Raises NotFound."""
    account = work.account(call.body.account_id)
    account.unsuspend(work.now, call.body.reason)
    work.tx.save(account)
    return {"accountId": account.number, "status": account.status}


def _suspend(work: UnitOfWork, number: int, reason: Suspension) -> dict[str, Any]:
    account = work.account(number)
    account.suspend(work.now, reason)
    credentials.revoke_sessions(work.connection, number)
    work.tx.save(account)
    return {"accountId": account.number, "status": account.status}


def _reason(text: str) -> Suspension:
    """One of domain.md §1.4, in any case, with hyphens or underscores."""
    try:
        return Suspension(text.strip().upper().replace("-", "_"))
    except ValueError:
        message = f"Indiquez l’un de ces motifs : {', '.join(reason.value for reason in Suspension)}."
        raise Invalid.of_field("reason", message) from None
