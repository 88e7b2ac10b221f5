"""Booking's read models, folded from its log: one class per question.

The use cases themselves write the rows that bookings are decided on (counts of places, claims of offers, countermarks,
open requests), in the transaction that decides. Handlers with ``live=False`` serve comparisons and rebuilds.
"""

from __future__ import annotations

from services.booking.projections.bookings import Bookings
from services.booking.projections.guards import Guards
from services.booking.projections.stocks import Places
from shared.projections import Projection


def projections() -> list[Projection]:
    return [Bookings(), Places(), Guards()]
