"""The outbox's table: a notification waits, and is leased for each attempt, until it is sent or given up.

One that was sent or given up keeps its identifier only: name, address and tokens are removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared.eventstore.sql import BigNumber, Instant, Json, among, insert_ignore, partial_index

metadata = sa.MetaData()

notifications = sa.Table(
    "notifications",
    metadata,
    sa.Column("id", BigNumber, primary_key=True, autoincrement=True),
    sa.Column("identifier", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text),  # null once it is sent or given up, like the content
    sa.Column("content", Json),
    sa.Column("written_at", Instant, nullable=False),  # the platform's clock
    sa.Column("state", sa.Text, nullable=False),  # waiting, sent, given-up
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Instant, nullable=False),  # the machine's clock, like all retries
    sa.Column("error", sa.Text),
    partial_index(
        "notifications_waiting",
        "due_at",
        "id",
        where="state = 'waiting'",
    ),
)
_WAITING = notifications.c.state == "waiting"


def create_v1(op: Any) -> None:
    """Makes the table; called by the first migration of each service that has an outbox. Frozen once released."""
    metadata.create_all(op.get_bind())


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of an attempt to deliver a notification: without ``error`` it arrived, without ``retry_at`` it was the
    last."""

    notification: int
    number: int
    error: str | None = None
    retry_at: datetime | None = None


def add(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Stores those whose identifier is new."""
    waiting = {"state": "waiting", "attempts": 0}
    insert_ignore(connection, notifications, [{**row, **waiting} for row in rows])


def count_waiting(connection: sa.Connection, attempts: int) -> int:
    """How many wait after fewer attempts than that."""
    query = sa.select(sa.func.count()).where(_WAITING, notifications.c.attempts < attempts)
    return connection.execute(query).scalar_one()


def count_due(connection: sa.Connection, now: datetime, most: int) -> int:
    """How many are due; counts no further than ``most``."""
    return len(connection.execute(_due(now).with_only_columns(notifications.c.id).limit(most)).all())


def lease(connection: sa.Connection, now: datetime, until: datetime, most: int) -> list[sa.Row[Any]]:
    """Leases those that are due, the longest due first: another process skips them until then."""
    # SQLite ignores the locks: its transactions exclude each other
    rows = list(connection.execute(_due(now).limit(most).with_for_update(skip_locked=True)))
    leased = among(notifications.c.id, [row.id for row in rows])
    _change(connection, leased, attempts=notifications.c.attempts + 1, due_at=until)
    return rows


def record(connection: sa.Connection, attempts: Sequence[Attempt]) -> None:
    """Stores the results. Guarded by the attempt number: a process that outlived its lease changes nothing."""
    table = notifications.c
    for number in sorted({attempt.number for attempt in attempts}):
        sent = [one.notification for one in attempts if one.number == number and one.error is None]
        _close(connection, among(table.id, sent) & (table.attempts == number), "sent", None)
    for failed in [one for one in attempts if one.error is not None]:
        leased = (table.id == failed.notification) & (table.attempts == failed.number)
        if failed.retry_at is not None:
            _change(connection, leased, due_at=failed.retry_at, error=failed.error)
        else:
            _close(connection, leased, "given-up", failed.error)


def withdraw(connection: sa.Connection, recipient: str) -> None:
    """Gives up those that wait for a recipient."""
    _close(connection, notifications.c.recipient == recipient, "given-up", "withdrawn")


def delete_done(connection: sa.Connection, before: datetime) -> None:
    """Deletes those that were sent or given up, and last due before an instant."""
    connection.execute(notifications.delete().where(~_WAITING, notifications.c.due_at < before))


def _due(now: datetime) -> sa.Select[Any]:
    query = sa.select(notifications).where(_WAITING, notifications.c.due_at <= now)
    return query.order_by(notifications.c.due_at, notifications.c.id)


def _close(connection: sa.Connection, which: sa.ColumnElement[bool], state: str, error: str | None) -> None:
    _change(connection, which, state=state, recipient=None, content=None, error=error)


def _change(connection: sa.Connection, which: sa.ColumnElement[bool], **values: Any) -> None:
    connection.execute(notifications.update().where(_WAITING, which).values(**values))
