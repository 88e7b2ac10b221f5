"""Venues, and which SIRETs are taken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from services.catalog.storage.tables import sirets, venues
from shared.eventstore import sql


def take_siret(connection: sa.Connection, siret: str, venue_id: int) -> bool:
    """Reserves a SIRET for a venue; False when another venue has it."""
    row = {"siret": siret, "venue_id": venue_id}
    return bool(sql.insert_new(connection, sirets, [row], "venue_id"))


def by_number(connection: sa.Connection, venue_id: int) -> sa.Row[Any] | None:
    return connection.execute(sa.select(venues).where(venues.c.venue_id == venue_id)).one_or_none()


def of_offerers(connection: sa.Connection, offerer_ids: Iterable[int]) -> Sequence[sa.Row[Any]]:
    return connection.execute(
        sa.select(venues).where(sql.among(venues.c.offerer_id, offerer_ids)).order_by(venues.c.venue_id)
    ).all()


def has_digital(connection: sa.Connection, offerer_id: int) -> bool:
    query = sa.select(venues.c.venue_id).where(venues.c.offerer_id == offerer_id, venues.c.kind == "digital")
    return connection.execute(query.limit(1)).first() is not None
