"""Locks that a transaction holds to its end. On SQLite they do nothing: a transaction that writes is the only one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from shared.eventstore.batching import queue
from shared.eventstore.sql.arrays import array_of
from shared.eventstore.sql.dialects import array_type, is_postgresql

LOCK = "SELECT pg_advisory_xact_lock(hashtext(current_schema() || %s))"


def lock(connection: sa.Connection, name: str) -> None:
    """Takes an advisory lock of the service's schema: of all transactions that take it, one goes on at a time.

    The statement is queued: the next one is carried out under the lock.
    """
    if is_postgresql(connection):
        queue(connection, LOCK, [f".{name}"])


def lock_rows(
    connection: sa.Connection, table: sa.Table, column: str, values: Iterable[Any], *, shared: bool = False
) -> None:
    """Locks the rows whose column is one of the values, in the order of their primary key, so that no two transactions
    deadlock. ``shared``: other transactions may lock them likewise, and none may change them.

    The statement is queued. Lock first, select afterwards: after waiting, ``SELECT … FOR UPDATE`` reads the locked row
    again but not the rows joined to it (READ COMMITTED), while a second statement sees all of them as they are then.
    """
    if is_postgresql(connection):
        key = ", ".join(one.name for one in table.primary_key)
        queue(
            connection,
            f"SELECT 1 FROM {table.name} WHERE {column} = ANY(%s::{array_type(table.c[column])})"
            f" ORDER BY {key} FOR {'SHARE' if shared else 'UPDATE'}",
            [array_of(table.c[column].type, sorted(values))],
        )
