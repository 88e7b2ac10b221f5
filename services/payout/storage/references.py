"""Copies of other services' facts: venues, structures, the people who work for them, rescheduled events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from services.payout.storage.tables import attachments, closed_offerers, offerers, suspended_accounts, venues
from shared.eventstore import sql


def is_closed(connection: sa.Connection, offerer_id: int) -> bool:
    query = sa.select(closed_offerers.c.offerer_id).where(closed_offerers.c.offerer_id == offerer_id)
    return connection.execute(query).scalar() is not None


def offerers_of(connection: sa.Connection, account_id: int) -> Sequence[int]:
    """The structures that an account works for: none while it is suspended, although its token is still valid."""
    suspended = sa.select(suspended_accounts.c.account_id).where(suspended_accounts.c.account_id == account_id)
    query = sa.select(attachments.c.offerer_id).where(attachments.c.account_id == account_id, ~suspended.exists())
    return connection.execute(query.order_by(attachments.c.offerer_id)).scalars().all()


def venue(connection: sa.Connection, venue_id: int) -> sa.Row[Any] | None:
    return connection.execute(sa.select(venues).where(venues.c.venue_id == venue_id)).one_or_none()


def offerer(connection: sa.Connection, offerer_id: int) -> sa.Row[Any] | None:
    return connection.execute(sa.select(offerers).where(offerers.c.offerer_id == offerer_id)).one_or_none()


def venues_named(connection: sa.Connection, venue_ids: Iterable[int]) -> dict[int, sa.Row[Any]]:
    """Venues with their structures: every venue column, and ``offerer_name, siren, offerer_address``."""
    query = (
        sa.select(
            venues,
            sa.func.coalesce(offerers.c.name, "").label("offerer_name"),
            sa.func.coalesce(offerers.c.siren, "").label("siren"),
            sa.func.coalesce(offerers.c.address, "").label("offerer_address"),
        )
        .outerjoin(offerers, offerers.c.offerer_id == venues.c.offerer_id)
        .where(sql.among(venues.c.venue_id, sorted(set(venue_ids))))
    )
    return {row.venue_id: row for row in connection.execute(query)}
