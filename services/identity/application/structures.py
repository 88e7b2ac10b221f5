"""Structures: staff's word on them, those who act for them, their API keys (domain.md §2.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.identity import storage
from services.identity.application.ports import Ports, Work, caller_account, secret_digest
from services.identity.domain.offerers import Offerer
from services.identity.domain.people import Profile
from services.identity.mails import Letters
from shared.contracts.calls import identity as calls
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.errors import NotFound
from shared.notifications import Mail


class Structures:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def validate_offerer(self, tx: Transaction, call: Call[calls.ValidateOfferer]) -> dict[str, Any]:
        body = call.body
        work = Work(self._ports, tx)
        offerer = work.offerer(body.offerer_id)
        if offerer.validate(work.now):
            tx.save(offerer)
            _tell_all(work, offerer, lambda letters, who: letters.structure_validated(who, offerer.structure))
        return _shown(offerer)

    def reject_offerer(self, tx: Transaction, call: Call[calls.RejectOfferer]) -> dict[str, Any]:
        return self._refuse(tx, call, Offerer.reject)

    def close_offerer(self, tx: Transaction, call: Call[calls.CloseOfferer]) -> dict[str, Any]:
        return self._refuse(tx, call, Offerer.close)

    def approve_attachment(self, tx: Transaction, call: Call[calls.ApproveAttachment]) -> dict[str, Any]:
        body = call.body
        work, offerer = self._attachment(tx, body.attachment_id)
        if offerer.approve_attachment(work.now, body.attachment_id):
            self._attachment_decided(work, offerer, body.attachment_id, approved=True)
        return {"attachmentId": body.attachment_id, "status": "approved"}

    def reject_attachment(self, tx: Transaction, call: Call[calls.RejectAttachment]) -> dict[str, Any]:
        body = call.body
        work, offerer = self._attachment(tx, body.attachment_id)
        if offerer.reject_attachment(work.now, body.attachment_id, body.reason):
            self._attachment_decided(work, offerer, body.attachment_id, approved=False)
        return {"attachmentId": body.attachment_id, "status": "rejected"}

    def create_api_key(self, call: Call[calls.CreateApiKey]) -> Outcome:
        """``<env>_<12 hex>_<64 hex>``: told once. A repetition makes another one, as nothing keeps the first."""
        body = call.body
        number = caller_account(call)

        def work(work: Work) -> dict[str, Any]:
            work.usable_account(number)
            offerer = work.offerer(body.offerer_id)
            chance = self._ports.randomness.draw("api-key", work.tx.next_number("api-key"))
            prefix = f"{self._ports.key_environment}_{chance.randbytes(6).hex()}"
            key = f"{prefix}_{chance.randbytes(32).hex()}"
            offerer.create_api_key(work.now, account=number, prefix=prefix, digest=secret_digest(key))
            work.tx.save(offerer)
            return {"key": key, "prefix": prefix}

        return self._ports.run(work)

    def delete_api_key(self, tx: Transaction, call: Call[calls.DeleteApiKey]) -> dict[str, Any]:
        body = call.body
        work = Work(self._ports, tx)
        offerer = work.offerer(body.offerer_id)
        offerer.delete_api_key(work.now, account=caller_account(call), prefix=body.prefix)
        tx.save(offerer)
        return {}

    def _refuse(
        self,
        tx: Transaction,
        call: Call[calls.RejectOfferer] | Call[calls.CloseOfferer],
        decide: Callable[[Offerer, Any, str], bool],
    ) -> dict[str, Any]:
        body = call.body
        work = Work(self._ports, tx)
        offerer = work.offerer(body.offerer_id)
        reason = body.reason
        if decide(offerer, work.now, reason):
            tx.save(offerer)
            _tell_all(work, offerer, lambda letters, who: letters.structure_refused(who, offerer.structure, reason))
        return _shown(offerer)

    def _attachment(self, tx: Transaction, number: int) -> tuple[Work, Offerer]:
        work = Work(self._ports, tx)
        offerer = storage.offerer_of_attachment(work.connection, number)
        if offerer is None:
            raise NotFound("no such attachment")
        return work, work.offerer(offerer)

    @staticmethod
    def _attachment_decided(work: Work, offerer: Offerer, attachment: int, *, approved: bool) -> None:
        work.tx.save(offerer)
        profile = work.profile(work.account(offerer.accounts[attachment]))
        letter = work.ports.letters.attachment_decided(profile, offerer.structure, approved=approved)
        work.tell(letter, f"attachment/{attachment}")


def _tell_all(work: Work, offerer: Offerer, letter: Callable[[Letters, Profile], Mail]) -> None:
    """Everyone who acts for the structure."""
    for number in storage.accounts_of_offerer(work.connection, offerer.number):
        profile = work.profile(work.account(number))
        work.tell(letter(work.ports.letters, profile), f"offerer/{offerer.number}/{offerer.status.value}/{number}")


def _shown(offerer: Offerer) -> dict[str, Any]:
    structure = offerer.structure
    return {
        "offererId": offerer.number,
        "siren": structure.siren,
        "name": structure.name,
        "status": offerer.status.value,
    }
