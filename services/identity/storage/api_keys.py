"""API keys by prefix; only digests of whole keys are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.identity.storage.tables import api_keys
from shared.eventstore import sql


def by_prefix(connection: sa.Connection, prefixes: Sequence[str]) -> dict[str, sa.Row[Any]]:
    query = sa.select(api_keys).where(sql.among(api_keys.c.prefix, prefixes))
    return {row.prefix: row for row in connection.execute(query)}


def of_offerer(connection: sa.Connection, number: int) -> list[sa.Row[Any]]:
    """Oldest first."""
    query = sa.select(api_keys).where(api_keys.c.offerer_id == number)
    return list(connection.execute(query.order_by(api_keys.c.created_at, api_keys.c.prefix)))
