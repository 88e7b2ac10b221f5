"""Folds payout's read models, up to an instant or over the whole log, into a scratch database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.payout.storage.tables import metadata
from shared.eventstore import Store
from shared.projections.folding import fold, scratch_database


@contextmanager
def replayed(
    store: Store,
    connection: sa.Connection,
    *,
    recorded_until: datetime | None = None,
    kinds: Sequence[type] = (),
    streams: Sequence[UUID] = (),
    watching: Callable[[Any], None] | None = None,
) -> Iterator[sa.Connection]:
    """A connection to payout's tables, folded from the log: up to an instant, from some kinds of events or streams.

    ``watching`` is called with every event.
    """
    events = store.log.events(connection, recorded_until=recorded_until, kinds=kinds, streams=streams)
    with scratch_database(metadata.tables.values()) as scratch:
        for _position, folded in fold(store.projections, events, scratch):
            if watching is not None:
                for event in folded:
                    watching(event)
        yield scratch
