"""Queries of wallet's own log."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from shared.eventstore import sql
from shared.eventstore.tables import stored_events
from shared.kernel.identifiers import stream_id
from shared.messaging.storage.positions import tracked_positions


def people_with_events_after(connection: sa.Connection, people: Sequence[int], position: int) -> set[int]:
    """Those of the people whose wallets have an event after a position."""
    by_stream = {stream_id("wallet", person): person for person in people}
    own = sql.among(stored_events.c.originator_id, list(by_stream))
    later = sa.select(stored_events.c.originator_id).where(own, stored_events.c.id > position).distinct()
    return {by_stream[stream] for stream in connection.execute(later).scalars()}


def consumed(connection: sa.Connection, source: str, own_position: int, head: int) -> int:
    """How far a source's log had been handled at a position of wallet's log.

    At its end, the tracked position. Before it, the position of the last message that caused an event: the messages
    handled after that one changed no credit.
    """
    if own_position >= head:
        return tracked_positions(connection).get(source, 0)
    caused = stored_events.c.causation_id.startswith(f"{source}:", autoescape=True)
    query = sa.select(stored_events.c.causation_id).where(stored_events.c.id <= own_position, caused)
    cause = connection.execute(query.order_by(stored_events.c.id.desc()).limit(1)).scalar()
    return int(cause.rsplit(":", 1)[1]) if cause else 0
