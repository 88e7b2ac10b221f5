"""Tables and queries of wallet: the balance rows that decisions are made on, and the lines of the ledger.

A balance row is the fold of its stream up to ``version``, written in the transaction of the events and locked while a
debit is decided. The same functions write it live and in a rebuild.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.wallet.domain.credit import Credit
from services.wallet.domain.entries import Entry, balance_before, entries
from services.wallet.domain.wallet import Attempt, Key, Wallet
from shared.eventstore import sql
from shared.eventstore.combined import CombinedSelect
from shared.eventstore.sql import BigNumber, Instant
from shared.eventstore.tables import stored_events
from shared.kernel.identifiers import stream_id
from shared.kernel.money import ZERO, Cents
from shared.messaging.following import tracked_positions

metadata = sa.MetaData()

wallets = sa.Table(
    "wallets",
    metadata,
    sa.Column("person_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("version", BigNumber, nullable=False),
)
credits = sa.Table(
    "credits",
    metadata,
    sa.Column("credit_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("person_id", BigNumber, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("granted_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("digital_cap", BigNumber),
    sa.Column("physical_cap", BigNumber),
    sa.Column("granted", BigNumber, nullable=False),
    sa.Column("available", BigNumber, nullable=False),
    sa.Column("reserved", BigNumber, nullable=False),
    sa.Column("spent", BigNumber, nullable=False),
    sa.Column("lapsed", BigNumber, nullable=False),
    sa.Column("digital_held", BigNumber, nullable=False),
    sa.Column("physical_held", BigNumber, nullable=False),
    sa.Column("last_recredit", sa.Integer),
)
attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("booking_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("attempt", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("person_id", BigNumber, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("amount", BigNumber, nullable=False),
    sa.Column("credit_id", BigNumber),
    sa.Column("digital", sa.Boolean, nullable=False),
    sa.Column("physical", sa.Boolean, nullable=False),
    sa.Column("used_at", Instant),
    sa.Column("code", sa.Text),
)
ledger_entries = sa.Table(
    "ledger_entries",
    metadata,
    sa.Column("person_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("entry_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("amount", BigNumber, nullable=False),
    sa.Column("balance", BigNumber, nullable=False),
    sa.Column("credit_id", BigNumber, nullable=False),
    sa.Column("booking_id", BigNumber),
)

_CREDIT_FIELDS = [field.name for field in fields(Credit)]
_ATTEMPT_FIELDS = [field.name for field in fields(Attempt)]
_ENTRY_FIELDS = [field.name for field in fields(Entry)]
_CREDIT_COLUMNS = [credits.c[name] for name in _CREDIT_FIELDS]
_ATTEMPT_COLUMNS = [attempts.c[name] for name in _ATTEMPT_FIELDS]

Change = tuple[Wallet, Sequence[Any]]
"""A wallet as it is after events, and those events."""
KnownAttempt = tuple[Key, int, Attempt]
"""An attempt, whose it is, and what became of it."""


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
    """Locks the rows of wallets in sorted order and reads them, without attempts, and the known ones of the attempts.

    Raises MoneyAstray when a row does not add up.
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
    """Each person's credits, the oldest first."""
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
    """Up to which event of its stream each person's rows are folded."""
    return dict(connection.execute(sa.select(wallets.c.person_id, wallets.c.version)).tuples().all())


def people_after(connection: sa.Connection, after: int, limit: int) -> list[int]:
    """Who has a wallet, by number, from after one of them on."""
    query = sa.select(wallets.c.person_id).where(wallets.c.person_id > after).order_by(wallets.c.person_id)
    return list(connection.execute(query.limit(limit)).scalars())


def people_moved_since(connection: sa.Connection, people: Sequence[int], position: int) -> set[int]:
    """Those of the people in whose wallets something was recorded after a position."""
    by_stream = {stream_id("wallet", person): person for person in people}
    own = sql.among(stored_events.c.originator_id, list(by_stream))
    later = sa.select(stored_events.c.originator_id).where(own, stored_events.c.id > position).distinct()
    return {by_stream[stream] for stream in connection.execute(later).scalars()}


def write_balances(connection: sa.Connection, changes: Iterable[Change]) -> None:
    """Brings the rows of wallets, of the credits and attempts that events touched, to where the wallets are."""
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


def write_entries(connection: sa.Connection, changes: Iterable[Change]) -> None:
    rows: list[dict[str, Any]] = []
    for wallet, events in changes:
        before = balance_before(events, wallet.balance)
        rows += [entry_row(entry) for entry in entries(events, before)]
    sql.insert_many(connection, ledger_entries, rows)


def credit_row(person_id: int, credit: Credit) -> dict[str, Any]:
    return {"person_id": person_id, **{name: getattr(credit, name) for name in _CREDIT_FIELDS}}


def attempt_row(person_id: int, key: Key, attempt: Attempt) -> dict[str, Any]:
    row = {name: getattr(attempt, name) for name in _ATTEMPT_FIELDS}
    return {"person_id": person_id, "booking_id": key[0], "attempt": key[1], **row}


def entry_row(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _ENTRY_FIELDS}


_LAST_ENTRIES = (
    sa.select(ledger_entries.c.person_id, sa.func.max(ledger_entries.c.entry_id).label("entry_id"))
    .where(sql.among_given(ledger_entries.c.person_id, "people"))
    .group_by(ledger_entries.c.person_id)
    .subquery()
)
_LAST_BALANCES = sa.select(ledger_entries.c.person_id, ledger_entries.c.balance).join(
    _LAST_ENTRIES,
    (ledger_entries.c.person_id == _LAST_ENTRIES.c.person_id) & (ledger_entries.c.entry_id == _LAST_ENTRIES.c.entry_id),
)


def last_balances(connection: sa.Connection, people: Collection[int]) -> dict[int, Cents]:
    """Each person's balance after the last line; 0 without a line. For nobody it asks nothing."""
    if not people:
        return {}
    found = connection.execute(_LAST_BALANCES, {"people": people})
    return dict.fromkeys(people, ZERO) | {row.person_id: Cents(row.balance) for row in found}


def entries_of(connection: sa.Connection, person_id: int, after: int, limit: int) -> list[Entry]:
    """The lines of a wallet after one, the oldest first."""
    own = ledger_entries.c.person_id == person_id
    columns = [ledger_entries.c[name] for name in _ENTRY_FIELDS]
    query = sa.select(*columns).where(own, ledger_entries.c.entry_id > after).order_by(ledger_entries.c.entry_id)
    return [Entry(*row) for row in connection.execute(query.limit(limit))]


def next_lapse(connection: sa.Connection) -> datetime | None:
    """When the next credit that has something left expires."""
    left = sa.select(credits.c.expires_at).where(credits.c.available > 0)
    return connection.execute(left.order_by(credits.c.expires_at).limit(1)).scalar()


def people_with_expired(connection: sa.Connection, at: datetime, limit: int) -> list[int]:
    """Who has something left on a credit that has expired by an instant."""
    expired = sa.select(credits.c.person_id).where(credits.c.available > 0, credits.c.expires_at <= at)
    return list(connection.execute(expired.order_by(credits.c.expires_at).limit(limit)).scalars())


def consumed(connection: sa.Connection, source: str, own_position: int, head: int) -> int:
    """How far a source's log had been handled when ours stood at a position.

    At our end it is the tracked position. Before it, the position of the last message that left an event with us: what
    was handled after that message had no effect on any credit.
    """
    if own_position >= head:
        return tracked_positions(connection).get(source, 0)
    caused = stored_events.c.causation_id.startswith(f"{source}:", autoescape=True)
    query = sa.select(stored_events.c.causation_id).where(stored_events.c.id <= own_position, caused)
    cause = connection.execute(query.order_by(stored_events.c.id.desc()).limit(1)).scalar()
    return int(cause.rsplit(":", 1)[1]) if cause else 0
