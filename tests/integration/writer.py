"""A process that appends to a toy store's log from several greenlets: ``python -m tests.integration.writer URL FIRST``.

With ``--unlocked`` it leaves the log's lock out: the control that shows what the lock is for.
"""

from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import random  # noqa: E402  # after the patching
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from typing import Any  # noqa: E402

import sqlalchemy as sa  # noqa: E402

from shared.eventstore.log import _COLUMNS, Log  # noqa: E402
from shared.eventstore.tables import stored_events  # noqa: E402
from tests.unit.shared.toy import fill, open_store  # noqa: E402

GREENLETS = 4
EVENTS_EACH = 25
LONGEST_PAUSE_SECONDS = 0.01


class LingeringLog(Log):
    """Stays a moment between the append and the commit: what a busy machine does, every time."""

    def _insert(self, connection: sa.Connection, rows: list[tuple[Any, ...]]) -> Sequence[int]:
        positions = super()._insert(connection, rows)
        eventlet.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))
        return positions


class UnlockedLog(LingeringLog):
    """Appends without the log's lock."""

    def _insert(self, connection: sa.Connection, rows: list[tuple[Any, ...]]) -> Sequence[int]:
        statement = stored_events.insert().returning(stored_events.c.id)
        positions = [
            connection.execute(statement.values(dict(zip(_COLUMNS, row, strict=True)))).scalar_one() for row in rows
        ]
        eventlet.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))
        return positions


def main() -> None:
    url, first = sys.argv[1], int(sys.argv[2])
    store = open_store(url, schema="toy")
    kind = UnlockedLog if "--unlocked" in sys.argv else LingeringLog
    store.log = kind(store.mapper, store.publication)

    def write(owner: int) -> None:
        for amount in range(1, EVENTS_EACH + 1):
            fill(store, owner, amount)

    writers = [eventlet.spawn(write, first + number) for number in range(GREENLETS)]
    for writer in writers:
        writer.wait()


if __name__ == "__main__":
    main()
