"""The read models as a log leads to them: folded by the same code into tables in memory, beside the live ones.

What an instant of the past looked like is asked of these; so is whether a live row is what its events say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.payout.projections import projections
from services.payout.storage.tables import metadata
from shared.eventstore import Store, sql
from shared.eventstore.engines import make_engine
from shared.eventstore.tables import stored_events

PAGE = 2000


@contextmanager
def replayed(
    store: Store,
    connection: sa.Connection,
    *,
    recorded_until: datetime | None = None,
    streams: Sequence[UUID] | None = None,
    topics: Sequence[str] | None = None,
    watching: Callable[[Any], None] | None = None,
) -> Iterator[sa.Connection]:
    """A connection to payout's tables as they follow from the log: all of it, up to an instant, or of some streams.

    ``watching`` is shown every event on the way.
    """
    engine = make_engine("sqlite://", durable=False)
    try:
        with engine.connect() as memory:
            sql.create_tables(memory, metadata.tables.values())
            folding = projections()
            for page in _pages(store, connection, recorded_until, streams, topics):
                for projection in folding:
                    projection.apply(memory, page, live=False)
                if watching is not None:
                    for event in page:
                        watching(event)
                time.sleep(0)  # others of this process get their turn
            yield memory
    finally:
        engine.dispose()


def _pages(
    store: Store,
    connection: sa.Connection,
    recorded_until: datetime | None,
    streams: Sequence[UUID] | None,
    topics: Sequence[str] | None,
) -> Iterator[list[Any]]:
    table = stored_events.c
    query = sa.select(table.id, table.originator_id, table.originator_version, table.topic, table.state).order_by(
        table.id
    )
    if recorded_until is not None:
        query = query.where(table.recorded_at <= recorded_until)
    chosen = []
    if streams is not None:
        chosen.append(sql.among(table.originator_id, streams))
    if topics is not None:
        chosen.append(sql.among(table.topic, topics))
    if chosen:
        query = query.where(sa.or_(*chosen))
    after = 0
    while True:
        page = connection.execute(query.where(table.id > after).limit(PAGE)).all()
        if page:
            yield [store.mapper.decode(*row[1:]) for row in page]
        if len(page) < PAGE:
            return
        after = page[-1].id
