"""Crash points: before and after each commit, and each message that is sent, a test may let the process crash.

The listener is on the engine, so the code under test runs unchanged.
"""

from __future__ import annotations

import copy
from typing import Any

import sqlalchemy as sa
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

WRITES = ("INSERT", "UPDATE", "DELETE")


class Crash(BaseException):
    """Everything in memory is lost; no error handler must catch it."""


class CrashPoints:
    """Counts the crash points that are passed while it is armed, and crashes at one of them."""

    def __init__(self) -> None:
        self._passed: list[str] = []
        self._armed = False
        self._at: int | None = None

    def arm(self, at: int | None = None) -> None:
        """``at``: the number of the point to crash at, from 0; None: only counts."""
        self._passed, self._armed, self._at = [], True, at

    def disarm(self) -> list[str]:
        """Returns the points that were passed since it was armed."""
        self._armed = False
        return self._passed

    def place(self, name: str) -> None:
        if not self._armed:
            return
        self._passed.append(name)
        if self._at is not None and len(self._passed) > self._at:
            self._armed = False
            raise Crash(name)

    def guard(self, engine: sa.Engine, name: str) -> sa.Engine:
        """Adds a crash point before and after every commit of the engine."""
        if engine.dialect.name == "sqlite":
            self._guard_driver(engine, name)
        else:
            self._guard_statements(engine, name)
        return engine

    def _guard_driver(self, engine: sa.Engine, name: str) -> None:
        """At the driver's commit. Dialects are shared, so this engine gets a copy."""
        dialect: Any = copy.copy(engine.dialect)
        commit = dialect.do_commit

        def guarded(connection: Any) -> None:
            self.place(f"before {name} commits")
            commit(connection)
            self.place(f"after {name} commits")

        dialect.do_commit = guarded
        engine.dialect = dialect

    def _guard_statements(self, engine: sa.Engine, name: str) -> None:
        """At statements that commit, because the driver's commit is not called there."""

        def before(_: Any, cursor: Any, statement: str, *_others: Any) -> None:
            if _commits(cursor, statement):
                self.place(f"before {name} commits")

        def after(_: Any, cursor: Any, statement: str, *_others: Any) -> None:
            if _commits(cursor, statement):
                self.place(f"after {name} commits")

        sa.event.listen(engine, "before_cursor_execute", before)
        sa.event.listen(engine, "after_cursor_execute", after)


def _commits(cursor: Any, statement: str) -> bool:
    """Whether statements commit a change: at the end of a transaction, or outside of any. True before and after it
    alike.
    """
    if "COMMIT" in statement.split(";\n"):
        return True
    outside = cursor.connection.info.transaction_status == TRANSACTION_STATUS_IDLE
    return outside and statement.lstrip().upper().startswith(WRITES)
