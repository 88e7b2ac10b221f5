"""The timer of birthdays that change an under-age credit."""

from __future__ import annotations

from datetime import datetime

from services.identity.application.unit_of_work import Ports, UnitOfWork
from services.identity.domain.accounts import Account
from services.identity.storage import birthdays

MAX_PER_TRANSACTION = 200


def run_birthdays(ports: Ports, now: datetime) -> None:
    """Records every birthday that has come, at its own instant, however late the timer runs.

    It ends because each birthday moves its row to the next one, and a person has at most three.
    """
    while ports.run(lambda work: _record_some(work, now)):
        pass


def _record_some(work: UnitOfWork, now: datetime) -> int:
    rows = birthdays.due(work.connection, now, MAX_PER_TRANSACTION)
    accounts = work.tx.get_many(Account, [Account.stream(row.account_id) for row in rows])
    for row in rows:
        account = accounts[Account.stream(row.account_id)]
        account.reach_birthday(row.due_at, row.age)
        work.tx.save(account)
    return len(rows)
