"""The log: appends events under its lock, reads streams, and reads what is published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.eventstore import batching, sql
from shared.eventstore.context import Cause
from shared.eventstore.mapper import EventMapper
from shared.eventstore.publication import Message, Publication
from shared.eventstore.sql import BigNumber
from shared.eventstore.tables import relay, store_facts, stored_events

PAGE = 2_000
LOCK = "stored_events"

_POSITION = sa.select(stored_events.c.id).where(
    stored_events.c.originator_id == sa.bindparam("stream", type_=sa.Uuid),
    stored_events.c.originator_version == sa.bindparam("version", type_=BigNumber),
)
_STREAMS = (
    sa.select(
        stored_events.c.originator_id,
        stored_events.c.originator_version,
        stored_events.c.topic,
        stored_events.c.state,
    )
    .where(sql.among_given(stored_events.c.originator_id, "streams"))
    .order_by(stored_events.c.originator_id, stored_events.c.originator_version)
)
_HEAD = sa.select(sa.func.max(stored_events.c.id))
_LAST_PUBLISHED = (
    sa.select(stored_events.c.id).where(stored_events.c.published).order_by(stored_events.c.id.desc()).limit(1)
)
"""Reads one entry at the end of the partial index."""
_EPOCH = sa.select(store_facts.c.value).where(store_facts.c.name == "epoch").scalar_subquery()
_END = sa.select(_EPOCH, _LAST_PUBLISHED.scalar_subquery())
_SENT = sa.select(relay.c.position).scalar_subquery()


def _published_after(position: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """What was published after a position. ``previous`` is the last published position before all of the rows."""
    before = _LAST_PUBLISHED.where(stored_events.c.id <= position).scalar_subquery()
    return (
        sa.select(stored_events, before.label("previous"), position.label("after"), _EPOCH.label("epoch"))
        .where(stored_events.c.published, stored_events.c.id > position)
        .order_by(stored_events.c.id)
        .limit(sa.bindparam("most"))
    )


_PUBLISHED = _published_after(sa.bindparam("position", type_=stored_events.c.id.type))
_UNSENT = _published_after(_SENT)


class Log:
    """A service's events in their total order."""

    def __init__(self, mapper: EventMapper, publication: Publication) -> None:
        self.mapper = mapper
        self.publication = publication

    def append(
        self, connection: sa.Connection, events: Sequence[tuple[Any, Cause]], recorded_at: datetime
    ) -> int | None:
        """Appends at the end of the log, the last thing that a transaction does; returns the last *published* position,
        or None.

        A taken version is an integrity error.
        """
        rows = []
        for event, cause in events:
            topic, state = self.mapper.encode(event)
            rows.append(
                {
                    "originator_id": event.originator_id,
                    "originator_version": event.originator_version,
                    "topic": topic,
                    "state": state,
                    "recorded_at": recorded_at,
                    "published": self.publication.includes(type(event)),
                    "correlation_id": cause.correlation_id,
                    "causation_id": cause.causation_id,
                }
            )
        self.lock(connection)
        sql.insert_many(connection, stored_events, rows)
        published = [row for row in rows if row["published"]]
        if not published:
            return None
        last = {"stream": published[-1]["originator_id"], "version": published[-1]["originator_version"]}
        position: int = batching.commit_with(connection, _POSITION, last).scalar_one()
        return position

    def lock(self, connection: sa.Connection) -> None:
        """Keeps all others from appending, until the end of this transaction; sent with the next statement."""
        sql.lock(connection, LOCK)

    def streams(
        self,
        connection: sa.Connection,
        identifiers: Sequence[UUID],
        *,
        recorded_until: datetime | None = None,
        until: int | None = None,
    ) -> Iterator[Any]:
        """The events of several streams, each stream in order, perhaps up to an instant or a position only."""
        table, query = stored_events.c, _STREAMS
        if recorded_until is not None:
            query = query.where(table.recorded_at <= recorded_until)
        if until is not None:
            query = query.where(table.id <= until)
        for row in connection.execute(query, {"streams": list(identifiers)}):
            yield self.mapper.decode(*row)

    def stored(self, connection: sa.Connection, stream: UUID, limit: int) -> Sequence[sa.Row[Any]]:
        """The first events of a stream as they are stored."""
        query = sa.select(stored_events).where(stored_events.c.originator_id == stream)
        return connection.execute(query.order_by(stored_events.c.originator_version).limit(limit)).all()

    def events(
        self,
        connection: sa.Connection,
        *,
        after: int = 0,
        until: int | None = None,
        recorded_until: datetime | None = None,
        kinds: Sequence[type] = (),
        streams: Sequence[UUID] = (),
        at_once: int = PAGE,
    ) -> Iterator[tuple[int, datetime, Any]]:
        """(position, recorded at, event) of the log in order.

        ``kinds``, ``streams``: only events of one of the kinds, or of one of the streams. ``at_once``: the size of a
        page. A caller that wants no more than that reads one page.
        """
        table = stored_events.c
        query = sa.select(
            table.id, table.recorded_at, table.originator_id, table.originator_version, table.topic, table.state
        ).order_by(table.id)
        if until is not None:
            query = query.where(table.id <= until)
        if recorded_until is not None:
            query = query.where(table.recorded_at <= recorded_until)
        chosen = [sql.among(table.topic, [self.mapper.name(kind) for kind in kinds])] if kinds else []
        chosen += [sql.among(table.originator_id, streams)] if streams else []
        if chosen:
            query = query.where(sa.or_(*chosen))
        while True:
            page = connection.execute(query.where(table.id > after).limit(at_once)).all()
            for position, recorded_at, stream, version, name, state in page:
                yield position, recorded_at, self.mapper.decode(stream, version, name, state)
            if len(page) < at_once:
                return
            after = page[-1][0]

    def head(self, connection: sa.Connection) -> int:
        """The last position, published or not, or 0."""
        return connection.execute(_HEAD).scalar() or 0

    def published_head(self, connection: sa.Connection) -> int:
        """The last published position, or 0."""
        return connection.execute(_LAST_PUBLISHED).scalar() or 0

    def messages(self, connection: sa.Connection, after: int, limit: int) -> list[Message]:
        """The messages published after a position, each with the position published before it."""
        return self._messages(connection.execute(_PUBLISHED, {"position": after, "most": limit}).all())

    def unsent(self, connection: sa.Connection, limit: int) -> tuple[int, list[Message]]:
        """The relay's position and the messages after it; 0 if there are none."""
        rows = connection.execute(_UNSENT, {"most": limit}).all()
        return rows[0].after if rows else 0, self._messages(rows)

    def backlog(self, connection: sa.Connection, after: int) -> tuple[int, datetime | None]:
        """How many messages were published after a position, and when the first of them was recorded."""
        table = stored_events.c
        first = sa.func.min(table.recorded_at, type_=sql.Instant)
        query = sa.select(sa.func.count(), first).where(table.published, table.id > after)
        count, since = connection.execute(query).one()
        return count, since

    def end(self, connection: sa.Connection) -> tuple[str, int]:
        """The name of the present history, and its last published position, or 0."""
        epoch, head = connection.execute(_END).one()
        return epoch, head or 0

    def epoch(self, connection: sa.Connection) -> str:
        """The name of the present history."""
        name: str = connection.execute(sa.select(_EPOCH)).scalar_one()
        return name

    def _messages(self, rows: Sequence[Any]) -> list[Message]:
        messages = []
        previous = rows[0].previous or 0 if rows else 0
        for row in rows:
            messages.append(self._message(row, previous))
            previous = row.id
        return messages

    def _message(self, row: Any, previous: int) -> Message:
        event = self.mapper.decode(row.originator_id, row.originator_version, row.topic, row.state)
        name, versions = self.publication.translate(event)
        return Message(
            id=f"{self.publication.service}:{row.epoch[:8]}:{row.id}",
            source=self.publication.service,
            name=name,
            version=versions[0].number,
            stream=str(row.originator_id),
            stream_version=row.originator_version,
            position=row.id,
            previous=previous,
            epoch=row.epoch,
            occurred_at=event.timestamp,
            recorded_at=row.recorded_at,
            causation_id=row.causation_id,
            correlation_id=row.correlation_id,
            data=versions[0].data,
            older=versions[1:],
        )
