"""Balance rows: wallets with their credits and attempts.

A row is the fold of its stream up to ``version``. It is written in the transaction of the events, and locked while a
debit is decided. The same functions write it live and in a rebuild.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.wallet.domain.credit import Credit
from services.wallet.domain.wallet import Attempt, Key, Wallet
from services.wallet.storage.tables import attempts, credits, wallets
from shared.eventstore import sql
from shared.eventstore.combined import CombinedSelect

_CREDIT_FIELDS = [field.name for field in fields(Credit)]
_ATTEMPT_FIELDS = [field.name for field in fields(Attempt)]
_CREDIT_COLUMNS = [credits.c[name] for name in _CREDIT_FIELDS]
_ATTEMPT_COLUMNS = [attempts.c[name] for name in _ATTEMPT_FIELDS]

Change = tuple[Wallet, Sequence[Any]]
"""A wallet after events, and those events."""
KnownAttempt = tuple[Key, int, Attempt]
"""The key of an attempt, its person, and its state."""


_WALLETS = sa.select(wallets).where(sql.among_given(wallets.c.person_id, "people"))
_CREDITS = (
    sa.select(credits.c.person_id, *_CREDIT_COLUMNS)
    .where(sql.among_given(credits.c.person_id, "people"))
    .order_by(credits.c.credit_id)
)
_ATTEMPTS = sa.select(attempts.c.booking_id, attempts.c.attempt, attempts.c.person_id, *_ATTEMPT_COLUMNS).where(
    sql.among_given(attempts.c.booking_id, "bookings")
)
_DECIDED_ON = CombinedSelect(wallets=_WALLETS, credits=_CREDITS, attempts=_ATTEMPTS)


def load(
    connection: sa.Connection, people: Collection[int], keys: Collection[Key], at: datetime
) -> tuple[list[Wallet], list[KnownAttempt]]:
    """Locks the rows of wallets in sorted order and reads them, without attempts, and those of the attempts that exist.

    Raises InconsistentMoney when a row does not add up.
    """
    sql.lock_rows(connection, wallets, "person_id", people)
    loaded, known = read(connection, people, keys, at)
    for wallet in loaded:
        wallet.check()
    return loaded, known


def read(
    connection: sa.Connection, people: Collection[int], keys: Collection[Key], at: datetime
) -> tuple[list[Wallet], list[KnownAttempt]]:
    """``load``, without locks and without checks."""
    given = {"people": people, "bookings": {booking for booking, _ in keys}}
    found = _DECIDED_ON.read(connection, given)
    owned = _by_owner(found["credits"])
    loaded = [
        Wallet.restored(row.person_id, row.version, owned.get(row.person_id, ()), {}, at) for row in found["wallets"]
    ]
    known = [((row[0], row[1]), row[2], Attempt(*row[3:])) for row in found["attempts"] if (row[0], row[1]) in keys]
    return loaded, known


def credits_of(connection: sa.Connection, people: Collection[int]) -> dict[int, list[Credit]]:
    """Each person's credits, oldest first."""
    return _by_owner(connection.execute(_CREDITS, {"people": people})) if people else {}


def _by_owner(rows: Iterable[Any]) -> dict[int, list[Credit]]:
    found: dict[int, list[Credit]] = {}
    for person, *columns in rows:
        found.setdefault(person, []).append(Credit(*columns))
    return found


def all_credits(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """``person_id`` and the places of every credit."""
    query = sa.select(credits.c.person_id, credits.c.available, credits.c.reserved, credits.c.spent, credits.c.lapsed)
    return connection.execute(query).all()


def versions(connection: sa.Connection) -> dict[int, int]:
    """By person, the version of the stream up to which the rows are folded."""
    return dict(connection.execute(sa.select(wallets.c.person_id, wallets.c.version)).tuples().all())


def people_after(connection: sa.Connection, after: int, limit: int) -> list[int]:
    """The people with a wallet, by number, after one of them."""
    query = sa.select(wallets.c.person_id).where(wallets.c.person_id > after).order_by(wallets.c.person_id)
    return list(connection.execute(query.limit(limit)).scalars())


def write_balances(connection: sa.Connection, changes: Iterable[Change]) -> None:
    """Writes the rows of wallets, and of the credits and attempts that their events touched."""
    versions, changed_credits, changed_attempts = [], [], []
    for wallet, events in sorted(changes, key=lambda change: change[0].person_id):
        versions.append({"person_id": wallet.person_id, "version": events[-1].originator_version})
        touched = {event.credit_id for event in events if hasattr(event, "credit_id")}
        changed_credits += [credit_row(wallet.person_id, wallet.credits[credit]) for credit in touched]
        keys = {(event.booking_id, event.attempt) for event in events if hasattr(event, "booking_id")}
        changed_attempts += [attempt_row(wallet.person_id, key, wallet.attempts[key]) for key in keys]
    sql.upsert(connection, wallets, versions)
    sql.upsert(connection, credits, sorted(changed_credits, key=lambda row: row["credit_id"]))
    sql.upsert(connection, attempts, sorted(changed_attempts, key=lambda row: (row["booking_id"], row["attempt"])))


def credit_row(person_id: int, credit: Credit) -> dict[str, Any]:
    return {"person_id": person_id, **{name: getattr(credit, name) for name in _CREDIT_FIELDS}}


def attempt_row(person_id: int, key: Key, attempt: Attempt) -> dict[str, Any]:
    row = {name: getattr(attempt, name) for name in _ATTEMPT_FIELDS}
    return {"person_id": person_id, "booking_id": key[0], "attempt": key[1], **row}


def next_lapse(connection: sa.Connection) -> datetime | None:
    """When the next credit with available money expires."""
    left = sa.select(credits.c.expires_at).where(credits.c.available > 0)
    return connection.execute(left.order_by(credits.c.expires_at).limit(1)).scalar()


def people_with_expired(connection: sa.Connection, at: datetime, limit: int) -> list[int]:
    """The people with available money on a credit that has expired by an instant."""
    expired = sa.select(credits.c.person_id).where(credits.c.available > 0, credits.c.expires_at <= at)
    return list(connection.execute(expired.order_by(credits.c.expires_at).limit(limit)).scalars())
