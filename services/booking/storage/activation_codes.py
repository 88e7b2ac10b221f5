"""Activation codes of stocks: each is given to one booking."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from services.booking.storage.tables import activation_codes
from shared.eventstore import sql


def give(connection: sa.Connection, stock_id: int, booking_ids: Sequence[int]) -> dict[int, str]:
    """Gives the first free codes of a locked stock to bookings, in order; fewer when fewer are left."""
    codes = activation_codes.c
    free = connection.execute(
        sa.select(codes.rank, codes.code)
        .where(codes.stock_id == stock_id, codes.booking_id.is_(None))
        .order_by(codes.rank)
        .limit(len(booking_ids))
    ).all()
    given = {}
    for booking_id, (rank, code) in zip(booking_ids, free, strict=False):
        which = (codes.stock_id == stock_id) & (codes.rank == rank)
        connection.execute(activation_codes.update().where(which).values(booking_id=booking_id))
        given[booking_id] = code
    return given


def take_back(connection: sa.Connection, booking_ids: Collection[int]) -> None:
    if booking_ids:
        given = sql.among(activation_codes.c.booking_id, sorted(booking_ids))
        connection.execute(activation_codes.update().where(given).values(booking_id=None))
