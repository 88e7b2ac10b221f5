"""Folds read models a second time, into a scratch database, without touching the live tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa

from shared import green
from shared.eventstore import sql
from shared.eventstore.engines import scratch_engine
from shared.projections import Projection

BATCH = 100
"""Events that are folded together; other green threads run between two batches."""

T = TypeVar("T")


@contextmanager
def scratch_database(tables: Iterable[sa.Table]) -> Iterator[sa.Connection]:
    """A temporary SQLite database with empty tables."""
    engine = scratch_engine()
    try:
        with engine.connect() as scratch, scratch.begin():
            sql.create_tables(scratch, tables)
            yield scratch
    finally:
        engine.dispose()


def fold(
    models: Sequence[Projection], events: Iterable[tuple[int, datetime, Any]], scratch: sa.Connection
) -> Iterator[tuple[int, list[Any]]]:
    """Folds the events of a log in order; yields each batch, once it is folded, with its last position."""
    for batch in batches(events, BATCH):
        folded = [event for _, _, event in batch]
        for model in models:
            model.apply(scratch, folded, live=False)
        yield batch[-1][0], folded
        green.sleep(0)


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
