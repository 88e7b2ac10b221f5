"""A service's store on a SQLite file of the test's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
    """Migrated by the service's own migrations, in ``folder``."""
    engine = make_engine(f"sqlite:///{folder / (service + '.sqlite')}")
    upgrade(engine, service)
    return Store(engine, clock=clock, aggregates=aggregates, publication=publication, projections=projections)
