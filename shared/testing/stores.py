"""A service's store on a SQLite file, for tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from eventsourcing.domain import Aggregate

from shared.eventstore import Engine, Publication, Store
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
    """A store on a new, empty database in ``folder``."""
    engine = empty_database(folder, service)
    return Store(engine, clock=clock, aggregates=aggregates, publication=publication, projections=projections)


def empty_database(folder: Path, service: str) -> Engine:
    """``<service>.sqlite`` in ``folder``, created with the service's migrations unless it exists.

    Not durable: a test need not survive a power failure.
    """
    path = folder / f"{service}.sqlite"
    if not path.exists():
        shutil.copyfile(_migrated(service), path)
    return make_engine(f"sqlite:///{path}", durable=False)


@cache
def _migrated(service: str) -> Path:
    """An empty database of the service, migrated once per test run."""
    folder = tempfile.TemporaryDirectory(prefix=f"{service}-")
    _FOLDERS.append(folder)
    path = Path(folder.name) / "empty.sqlite"
    engine = make_engine(f"sqlite:///{path}", durable=False)
    upgrade(engine, service)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
"""Keeps the folders alive until the run ends."""
