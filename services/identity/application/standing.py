"""Suspension, erasure, birthdays."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from services.identity import storage
from services.identity.application.ports import Ports, Work, caller_account
from services.identity.domain.accounts import Account, Suspension
from shared.contracts.calls import identity as calls
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.errors import DomainError, Forbidden, Invalid, Unavailable

BIRTHDAYS_AT_ONCE = 200
"""Per transaction of the timer."""
KEYS_AT_ONCE = 200


class Standing:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def suspend_account(self, tx: Transaction, call: Call[calls.SuspendAccount]) -> dict[str, Any]:
        """By staff, for one of the reasons of domain.md §1.4, in any case and with hyphens or underscores."""
        body = call.body
        return self._suspend(tx, body.account_id, _suspension(body.reason))

    def suspend_me(self, tx: Transaction, call: Call[calls.SuspendMe]) -> dict[str, Any]:
        """By the person; staff can lift it."""
        return self._suspend(tx, caller_account(call), Suspension.UPON_USER_REQUEST)

    def unsuspend_account(self, tx: Transaction, call: Call[calls.UnsuspendAccount]) -> dict[str, Any]:
        body = call.body
        account = Work(self._ports, tx).account(body.account_id)
        account.unsuspend(tx.now, body.reason)
        tx.save(account)
        return {"accountId": account.number, "status": account.status}

    def erase(self, batch: Sequence[Call[calls.Erase]]) -> list[Outcome]:
        """The caller's own account, or any one for staff, operators and the command line. Asked twice, done once."""
        return [self._erased(call) for call in batch]

    def destroy_keys(self) -> None:
        """Of those whose erasure is committed: at once, and again by a task for what a crash or an outage left.

        Raises StoreUnavailable while the keys cannot be reached, doomed or not: that is how health comes to know.
        """
        with self._ports.store.reading() as connection:
            doomed = storage.doomed(connection, KEYS_AT_ONCE)
        if not doomed:
            return self._ports.keys.reach()
        self._ports.keys.destroy(doomed)
        return self._ports.run(lambda work: storage.forget_doomed(work.connection, doomed))

    def _erased(self, call: Call[calls.Erase]) -> Outcome:
        try:
            self._ports.run(lambda work: self._erase(work, call))
        except Unavailable as unknown:
            return unknown
        except DomainError as error:
            refusal = error
            self._ports.run(lambda work: work.tx.outcomes.store(call, refusal))
            return refusal
        with suppress(Unavailable):  # the erasure is committed: the task destroys the key as soon as it can be reached
            self.destroy_keys()
        return {}

    def _erase(self, work: Work, call: Call[calls.Erase]) -> None:
        body = call.body
        number = body.account_id or caller_account(call)
        _require_may_erase(call, number)
        account = work.account(number)
        profile = work.profile(account)
        if account.erase(work.now):
            self._leave_structures(work, number)
            for recipient in filter(None, (profile.email, profile.phone_number)):
                work.ports.outbox.withdraw(work.tx, recipient)
            storage.release_email(work.connection, number)
            storage.release_claims(work.connection, number, "phone")
            work.tx.save(account)
            work.tx.flush()
            storage.forget_person(work.connection, number)
        work.tx.outcomes.store(call, {})

    def run_birthdays(self, now: datetime) -> None:
        """Tells of every birthday that has come, each at its own instant, however late it is run."""
        while self._ports.run(lambda work: _birthdays(work, now)):
            pass  # ends: each told birthday moves its row to the next one, and there are three at most

    def prune(self) -> None:
        """Forgets what can serve nobody any more."""
        machine = self._ports.machine.now()
        self._ports.run(lambda work: storage.prune(work.connection, platform=work.now, machine=machine))

    def _suspend(self, tx: Transaction, number: int, reason: Suspension) -> dict[str, Any]:
        account = Work(self._ports, tx).account(number)
        account.suspend(tx.now, reason)
        storage.revoke_sessions(tx.connection, number)
        tx.save(account)
        return {"accountId": account.number, "status": account.status}

    @staticmethod
    def _leave_structures(work: Work, number: int) -> None:
        for row in storage.offerers_of_account(work.connection, number):
            offerer = work.offerer(row.offerer_id)
            offerer.detach(work.now, number)
            work.tx.save(offerer)


def _require_may_erase(call: Call[calls.Erase], number: int) -> None:
    if call.caller is None or call.caller.account_id == number or call.caller.roles & {"staff", "operator"}:
        return
    raise Forbidden("this account is somebody else's")


def _birthdays(work: Work, now: datetime) -> int:
    rows = storage.due_birthdays(work.connection, now, BIRTHDAYS_AT_ONCE)
    accounts = work.tx.get_many(Account, [Account.stream(row.account_id) for row in rows])
    for row in rows:
        account = accounts[Account.stream(row.account_id)]
        account.reach_birthday(row.due_at, row.age)
        work.tx.save(account)
    return len(rows)


def _suspension(text: str) -> Suspension:
    try:
        return Suspension(text.strip().upper().replace("-", "_"))
    except ValueError:
        allowed = ", ".join(reason.value for reason in Suspension)
        raise Invalid("not a reason for a suspension", errors={"reason": [f"one of {allowed}"]}) from None
