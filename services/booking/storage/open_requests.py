"""Open requests: bookings and restores that wait for wallet's answer, with the key of their command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from services.booking.domain.booking import Booking, Command
from services.booking.storage.tables import open_requests
from shared.eventstore import sql
from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller

OPEN_BY_KEY = sa.select(open_requests).where(
    sql.pair_among_given(open_requests.c.owner, open_requests.c.key, ("callers", "keys"))
)
"""The open requests of the keys that ``outcomes.keys_of`` gives."""
STILL_OPEN = sa.select(open_requests.c.booking_id).where(sql.among_given(open_requests.c.booking_id, "booking_ids"))


def call_of(command: Command) -> Call[Any]:
    """The call under whose key the outcome of a request is stored."""
    caller = None if command.account_id is None else Caller(command.account_id)
    return Call(command.name, command.data, command.key, caller)


def request_row(booking_id: int, command: Command) -> dict[str, Any]:
    call = call_of(command)
    return {"booking_id": booking_id, "owner": call.owner(), "key": call.key, "fingerprint": call.fingerprint()}


def add(connection: sa.Connection, bookings: Iterable[Booking]) -> None:
    rows = [request_row(booking.booking_id, booking.open_command) for booking in bookings]
    sql.insert_many(connection, open_requests, rows)


def lock(connection: sa.Connection, booking_ids: Iterable[int]) -> None:
    """Of two processes that answer the same request, the second waits, and then finds it answered."""
    sql.lock_rows(connection, open_requests, "booking_id", booking_ids)


def remove(connection: sa.Connection, booking_ids: Iterable[int]) -> None:
    sql.delete_many(connection, open_requests, "booking_id", booking_ids)


def oldest(connection: sa.Connection, limit: int) -> list[int]:
    query = sa.select(open_requests.c.booking_id).order_by(open_requests.c.booking_id).limit(limit)
    return list(connection.execute(query).scalars())


def count(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(open_requests)).scalar_one()
