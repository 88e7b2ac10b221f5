"""Decisions of staff on requests to be attached to a structure. The person gets a mail."""

from __future__ import annotations

from typing import Any

from services.identity.application.unit_of_work import UnitOfWork
from services.identity.domain.offerers import Offerer
from services.identity.refusals import no_attachment
from services.identity.storage import offerers
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call


def approve_attachment(work: UnitOfWork, call: Call[calls.ApproveAttachment]) -> dict[str, Any]:
    """Raises NotFound, AlreadyDecided."""
    number = call.body.attachment_id
    offerer = _offerer(work, number)
    if offerer.approve_attachment(work.now, number):
        _save_and_mail(work, offerer, number, approved=True)
    return {"attachmentId": number, "status": "approved"}


def reject_attachment(work: UnitOfWork, call: Call[calls.RejectAttachment]) -> dict[str, Any]:
    """Raises NotFound, AlreadyDecided."""
    number = call.body.attachment_id
    offerer = _offerer(work, number)
    if offerer.reject_attachment(work.now, number, call.body.reason):
        _save_and_mail(work, offerer, number, approved=False)
    return {"attachmentId": number, "status": "rejected"}


def _offerer(work: UnitOfWork, attachment: int) -> Offerer:
    number = offerers.of_attachment(work.connection, attachment)
    if number is None:
        raise no_attachment()
    return work.offerer(number)


def _save_and_mail(work: UnitOfWork, offerer: Offerer, attachment: int, *, approved: bool) -> None:
    work.tx.save(offerer)
    profile = work.profile(work.account(offerer.accounts[attachment]))
    mail = work.ports.mails.attachment_decided(profile, offerer.structure, approved=approved)
    work.notify(mail, f"attachment/{attachment}")
