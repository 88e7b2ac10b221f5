"""Decisions of staff on structures. The accounts that act for a structure get a mail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.identity.answers import decided_offerer
from services.identity.application.unit_of_work import UnitOfWork
from services.identity.domain.offerers import Offerer
from services.identity.domain.people import Profile
from services.identity.storage import offerers
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call
from shared.notifications import Mail


def validate_offerer(work: UnitOfWork, call: Call[calls.ValidateOfferer]) -> dict[str, Any]:
    """Raises NotFound, AlreadyDecided."""
    offerer, mails = work.offerer(call.body.offerer_id), work.ports.mails
    if offerer.validate(work.now):
        _save_and_mail(work, offerer, lambda profile: mails.structure_validated(profile, offerer.structure))
    return decided_offerer(offerer)


def reject_offerer(work: UnitOfWork, call: Call[calls.RejectOfferer]) -> dict[str, Any]:
    """Raises NotFound, AlreadyDecided."""
    offerer = work.offerer(call.body.offerer_id)
    return _refused(work, offerer, call.body.reason, offerer.reject(work.now, call.body.reason))


def close_offerer(work: UnitOfWork, call: Call[calls.CloseOfferer]) -> dict[str, Any]:
    """Raises NotFound."""
    offerer = work.offerer(call.body.offerer_id)
    return _refused(work, offerer, call.body.reason, offerer.close(work.now, call.body.reason))


def _refused(work: UnitOfWork, offerer: Offerer, reason: str, is_new: bool) -> dict[str, Any]:
    mails = work.ports.mails
    if is_new:
        _save_and_mail(work, offerer, lambda profile: mails.structure_refused(profile, offerer.structure, reason))
    return decided_offerer(offerer)


def _save_and_mail(work: UnitOfWork, offerer: Offerer, mail: Callable[[Profile], Mail]) -> None:
    work.tx.save(offerer)
    for number in offerers.accounts_of(work.connection, offerer.number):
        profile = work.profile(work.account(number))
        work.notify(mail(profile), f"offerer/{offerer.number}/{offerer.status.value}/{number}")
