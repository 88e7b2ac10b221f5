"""A fuse in every place where a process may die: before and after each commit, and each thing that is sent.

Connections of an engine are made by the driver's own factory argument, so what runs on them is the service as it is.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg2.extensions
import sqlalchemy as sa


class PowerCut(BaseException):
    """Nothing that the process had in memory is left; no handler of errors is to see it."""


class Fuse:
    """Counts the places that are passed while it is armed, and blows at one of them."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self._armed = False
        self._at: int | None = None

    def arm(self, at: int | None = None) -> None:
        """``at``: the number, from 0 on, of the place where it blows; None: it only counts."""
        self.passed, self._armed, self._at = [], True, at

    def place(self, name: str) -> None:
        if not self._armed:
            return
        self.passed.append(name)
        if self._at is not None and len(self.passed) > self._at:
            self._armed = False
            raise PowerCut(name)

    def guard(self, engine: sa.Engine, name: str) -> sa.Engine:
        """Every commit of connections that the engine makes from now on has a place before and after it."""
        fuse = self

        class OnPostgreSQL(psycopg2.extensions.connection):
            def commit(self) -> None:
                fuse.place(f"before {name} commits")
                super().commit()
                fuse.place(f"after {name} commits")

        class OnSQLite(sqlite3.Connection):
            def commit(self) -> None:
                fuse.place(f"before {name} commits")
                super().commit()
                fuse.place(f"after {name} commits")

        def connect(dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
            if dialect.name == "sqlite":
                options["factory"] = OnSQLite
            else:
                options["connection_factory"] = OnPostgreSQL

        engine.dispose()
        sa.event.listen(engine, "do_connect", connect)
        return engine
