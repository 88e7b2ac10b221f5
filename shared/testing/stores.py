"""A service's store on a SQLite file of the test's own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from eventsourcing.domain import Aggregate

from shared.eventstore import Publication, Store
from shared.eventstore.engines import make_engine
from shared.kernel.time import Clock
from shared.projections import Projection
from shared.runtime.migrations import upgrade


def sqlite_store(
    folder: Path,
    service: str,
    *,
    clock: Clock,
    aggregates: Sequence[type[Aggregate]],
    publication: Publication,
    projections: Sequence[Projection] = (),
) -> Store:
    """On an empty database of its own in ``folder``."""
    engine = empty_database(folder, service)
    return Store(engine, clock=clock, aggregates=aggregates, publication=publication, projections=projections)


def empty_database(folder: Path, service: str) -> sa.Engine:
    """``<service>.sqlite`` in ``folder``, migrated by the service's own migrations unless it is there already.

    Not durable: a test's power never fails.
    """
    path = folder / f"{service}.sqlite"
    if not path.exists():
        shutil.copyfile(_migrated(service), path)
    return make_engine(f"sqlite:///{path}", durable=False)


@cache
def _migrated(service: str) -> Path:
    """An empty database of the service, migrated once for all tests of a run."""
    folder = tempfile.TemporaryDirectory(prefix=f"{service}-")
    _KEPT.append(folder)
    path = Path(folder.name) / "empty.sqlite"
    engine = make_engine(f"sqlite:///{path}", durable=False)
    upgrade(engine, service)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


_KEPT: list[tempfile.TemporaryDirectory[str]] = []
"""Removed when the run ends."""
