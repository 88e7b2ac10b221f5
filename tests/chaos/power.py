"""A fuse in every place where a process may die: before and after each commit, and each thing that is sent.

It listens to an engine, so what runs on its connections is the service as it is.
"""

from __future__ import annotations

import copy
from typing import Any

import sqlalchemy as sa
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

WRITES = ("INSERT", "UPDATE", "DELETE")


class PowerCut(BaseException):
    """Nothing that the process had in memory is left; no handler of errors is to see it."""


class Fuse:
    """Counts the places that are passed while it is armed, and blows at one of them."""

    def __init__(self) -> None:
        self._passed: list[str] = []
        self._armed = False
        self._at: int | None = None

    def arm(self, at: int | None = None) -> None:
        """``at``: the number, from 0 on, of the place where it blows; None: it only counts."""
        self._passed, self._armed, self._at = [], True, at

    def disarm(self) -> list[str]:
        """Gives the places that were passed since it was armed."""
        self._armed = False
        return self._passed

    def place(self, name: str) -> None:
        if not self._armed:
            return
        self._passed.append(name)
        if self._at is not None and len(self._passed) > self._at:
            self._armed = False
            raise PowerCut(name)

    def guard(self, engine: sa.Engine, name: str) -> sa.Engine:
        """Every commit of the engine has a place before and after it, from now on."""
        if engine.dialect.name == "sqlite":
            self._guard_driver(engine, name)
        else:
            self._guard_statements(engine, name)
        return engine

    def _guard_driver(self, engine: sa.Engine, name: str) -> None:
        """Where the driver commits. The dialect is every file's: this engine gets one of its own."""
        dialect: Any = copy.copy(engine.dialect)
        commit = dialect.do_commit

        def guarded(connection: Any) -> None:
            self.place(f"before {name} commits")
            commit(connection)
            self.place(f"after {name} commits")

        dialect.do_commit = guarded
        engine.dialect = dialect

    def _guard_statements(self, engine: sa.Engine, name: str) -> None:
        """Where a string of statements commits, or a lone one that changes something."""

        def before(_: Any, cursor: Any, statement: str, *_others: Any) -> None:
            if _commits(cursor, statement):
                self.place(f"before {name} commits")

        def after(_: Any, cursor: Any, statement: str, *_others: Any) -> None:
            if _commits(cursor, statement):
                self.place(f"after {name} commits")

        sa.event.listen(engine, "before_cursor_execute", before)
        sa.event.listen(engine, "after_cursor_execute", after)


def _commits(cursor: Any, statement: str) -> bool:
    """Whether a string of statements ends a transaction, or one is outside any, and leaves something behind: asked
    before it and after it, the answer is the same."""
    if "COMMIT" in statement.split(";\n"):
        return True
    outside = cursor.connection.info.transaction_status == TRANSACTION_STATUS_IDLE
    return outside and statement.lstrip().upper().startswith(WRITES)
