"""The queue of requests that are answered first and carried out afterwards."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.identity.storage.tables import deferred_requests


def add(connection: sa.Connection, **row: Any) -> None:
    connection.execute(deferred_requests.insert().values(attempts=0, **row))


def count(connection: sa.Connection, max_attempts: int) -> int:
    """How many have failed fewer times than this."""
    query = sa.select(sa.func.count()).select_from(deferred_requests)
    number: int = connection.execute(query.where(deferred_requests.c.attempts < max_attempts)).scalar_one()
    return number


def take(connection: sa.Connection, max_attempts: int) -> sa.Row[Any] | None:
    """Deletes and returns the oldest request that no other transaction has locked."""
    table = deferred_requests.c
    oldest = sa.select(deferred_requests).where(table.attempts < max_attempts).order_by(table.id).limit(1)
    row = connection.execute(oldest.with_for_update(skip_locked=True)).first()
    if row is not None:
        connection.execute(deferred_requests.delete().where(table.id == row.id))
    return row


def count_attempt(connection: sa.Connection, number: int) -> None:
    table = deferred_requests.c
    connection.execute(deferred_requests.update().where(table.id == number).values(attempts=table.attempts + 1))
