"""What a booking's life costs does not grow with the tables: no statement reads one of them from end to end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from tests.unit.booking.test_cancelling import STAFF
from tests.unit.booking.world import YOUNG, World

_READ_WHOLE = re.compile(r"SCAN (\w+)\b(?! VIRTUAL)")
SMALL = {"mail_progress", "relay", "tracking", "numbers", "open_requests"}
"""A row or a few, or what is under way at the moment."""


def a_life(world: World) -> None:
    """A booking that is cancelled, restored, taken back and used; another one with a code, cancelled by staff."""
    booked = world.book(world.stock(), key="everybody's")
    world.cancel(booked["bookingId"], key="1")
    world.command("staff-restore", {"bookingId": booked["bookingId"], "reason": "collected"}, STAFF, "1")
    for what in ("keep", "look-up", "use"):
        world.desk(what, booked["countermark"])
    coded = world.book(world.stock(world.offer("VOD", url="https://example.org"), codes=("A",)), key="2")
    world.command("staff-cancel", {"bookingId": coded["bookingId"], "reason": "broken"}, STAFF, "2")
    world.seen(booked["bookingId"], YOUNG)


@contextmanager
def statements(engine: sa.Engine) -> Iterator[list[tuple[str, Any]]]:
    """What is carried out meanwhile, with its parameters."""
    executed: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, text: str, parameters: Any, _context: Any, many: bool) -> None:
        executed.append((text, parameters[0] if many else parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def scanned_tables(engine: sa.Engine, executed: list[tuple[str, Any]]) -> set[str]:
    found = set()
    with engine.connect() as connection:
        for text, parameters in executed:
            if text.startswith(("SELECT", "UPDATE", "DELETE")):
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(parameters)):
                    found.update(_READ_WHOLE.findall(row.detail))
    return found - SMALL


def test_one_booking_needs_no_sequential_scan(world: World) -> None:
    assert world.engine is not None
    with statements(world.engine) as executed:
        a_life(world)
    assert len(executed) > 50
    assert scanned_tables(world.engine, executed) == set()


def test_the_control_a_sequential_scan_is_found(world: World) -> None:
    """The control: an index is missing, and a query has only half of a key."""
    assert world.engine is not None
    with statements(world.engine) as executed:
        a_life(world)
        with world.engine.connect() as connection:
            connection.exec_driver_sql("SELECT outcome FROM outcomes WHERE key = ?", ("1",))
    with world.engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX live_bookings_booking")
    assert scanned_tables(world.engine, executed) == {"live_bookings", "outcomes"}
