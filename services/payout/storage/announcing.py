"""Lines that have been paid, and whose reimbursement is not published yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from services.payout.storage.lines import among
from services.payout.storage.tables import lines


def next_lines(connection: sa.Connection, limit: int) -> Sequence[int]:
    """The numbers of the first of them."""
    query = sa.select(lines.c.line_id).where(lines.c.settling).order_by(lines.c.line_id)
    return connection.execute(query.limit(limit)).scalars().all()


def still_to_announce(connection: sa.Connection, line_ids: Iterable[int]) -> Sequence[sa.Row[Any]]:
    """Those of the lines that no other transaction has announced; to be read once their years are locked."""
    query = sa.select(lines).where(among(line_ids), lines.c.settling)
    return connection.execute(query.order_by(lines.c.line_id)).all()


def count(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).where(lines.c.settling)).scalar_one()
