"""Countermarks: a primary key keeps each one unique for ever."""

from __future__ import annotations

import sqlalchemy as sa

from services.booking.storage.tables import countermarks
from shared.eventstore import sql


def assign(connection: sa.Connection, wanted: dict[str, int]) -> set[str]:
    """Assigns countermarks to bookings; returns those that were free. ``wanted``: countermark → booking."""
    rows = [{"countermark": mark, "booking_id": number} for mark, number in sorted(wanted.items())]
    return sql.insert_new(connection, countermarks, rows, "countermark")
