"""All lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from services.payout.storage.tables import lines
from shared.eventstore import sql

_PAGE = 2_000


def in_order(connection: sa.Connection) -> Iterable[sa.Row[Any]]:
    """Every line by number, read page by page: they need not fit into memory."""
    return connection.execute(sa.select(lines).order_by(lines.c.line_id)).yield_per(_PAGE)


def owners(connection: sa.Connection) -> dict[int, int]:
    """Venue → structure, for every venue that has a line."""
    return dict(connection.execute(sa.select(lines.c.venue_id, lines.c.offerer_id).distinct()).tuples().all())


def among(line_ids: Iterable[int]) -> sa.ColumnElement[bool]:
    return sql.among(lines.c.line_id, list(line_ids))
