"""Handles messages of one source: in order, each once, whatever the bus loses, doubles or shuffles.

One transaction stores the effects of a batch and the tracked position. A message that cannot be handled goes to the
dead letters with its error, and what follows on its stream is parked behind it; the other streams go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
import structlog

from shared import green
from shared.eventstore import Conflict, Message, Store, Transaction, sql
from shared.eventstore.context import caused_by
from shared.eventstore.tables import dead_letters, tracking
from shared.kernel.errors import Unavailable
from shared.messaging.reactions import Prepare, Reaction, prepare_nothing
from shared.observability import metrics

log = structlog.get_logger()
BATCH = 200
TRIES = 3
"""How often a message's own failure is tried before it becomes a dead letter."""
PAUSE_SECONDS = 0.1
END_SECONDS = 1.0
"""How often, at most, a source is asked whether its log still goes as far as what comes, and is known already, says."""
STORED_SECONDS = 0.1
"""How often, at most, it is written down how far messages were passed over that concern nobody here."""
CLASHES = 10
"""After so many conflicts at one position nobody else's writing explains them: what is handled there brings them."""

Page = tuple[str, list[Message]]
"""The source's epoch, and what it published after a position."""


def _unnoticed() -> None:
    """Nobody looks on."""


_MOVE = (
    tracking.update()
    .where(tracking.c.source == sa.bindparam("of"), tracking.c.position == sa.bindparam("old"))
    .values(position=sa.bindparam("new"))
)


class Overtaken(Conflict):
    """Another process of this service handles the source's messages: the tracked position was read again."""


class SourceReplaced(Exception):
    """The source's store was replaced by another history: an operator decides what becomes of ours."""


class SourceCutShort(SourceReplaced):
    """The source's log ends before what was followed: it was restored, and has not said so."""

    def __init__(self, source: str, epoch: str, head: int, followed: int) -> None:
        super().__init__(
            f"the log of {source} ends at {head}, and {followed} was followed: "
            f"if it was restored from a backup, say so: passculture restored {source}"
        )
        self.epoch = epoch


class Consumer:
    """What one service does about one source.

    ``read_log(after, limit)`` asks the source for what it published, and raises SourceCutShort when its log ends before
    ``after``. What the world does is raised (``Unavailable``, ``Conflict``, ``Overtaken`` among them): the caller waits
    and hands the same messages over again.
    """

    def __init__(
        self,
        store: Store,
        source: str,
        reactions: Mapping[tuple[str, str], Reaction],
        read_log: Callable[[int, int], Page],
        prepare: Prepare = prepare_nothing,
    ) -> None:
        self._store = store
        self.source = source
        self._reactions = {name: reaction for (of, name), reaction in reactions.items() if of == source}
        self._ask = read_log
        self._asked_for_its_end = 0.0
        self._prepare = prepare
        self._parks = True
        """Whether a stream may wait behind a message that failed: this consumer alone makes one wait."""
        self._clashes = 0
        """Conflicts since the position last moved."""
        self._suspected = 0
        """Up to here a conflict is taken for the message's own failure."""
        self.position: int | None = None
        """Up to here everything is handled."""
        self._stored = 0
        """The tracked position: behind the other by what concerned nobody here, which may be passed over twice."""
        self._stored_at = 0.0
        self.epoch: str | None = None
        self.foreign = 0
        """Messages of an unknown epoch that were passed over."""
        self.moved: Callable[[], None] = _unnoticed
        """Called after each transaction: catching up with a long log takes many."""

    def start(self) -> None:
        """Finds the tracked position; a consumer that never ran begins at the source's beginning."""
        with self._store.transaction() as tx:
            sql.insert_ignore(tx.connection, tracking, [{"source": self.source, "position": 0, "epoch": ""}])
            self._reload(tx.connection)

    def stands(self) -> bool:
        """Whether the tracked position is still where this one left it; it is read again."""
        with suppress(Overtaken):
            self.store_position()
        left = self._tracked()
        with self._store.reading() as connection:
            self._reload(connection)
        return self.position == left

    def catch_up(self) -> int:
        """Handles everything that the source's log has beyond the tracked position; gives how many it was."""
        handled = 0
        while True:
            page = self._read_log(self._tracked(), BATCH)
            if not page:
                self.store_position()
                return handled
            self._handle_in_order(page)
            handled += len(page)

    def handle(self, messages: Sequence[Message]) -> None:
        """Handles what the bus brought: duplicates are passed over, gaps filled from the source's log."""
        batch: list[Message] = []
        others: set[str] = set()
        begun = expected = self._tracked()
        for message in messages:
            if message.epoch in others or (message.epoch != self.epoch and not self._is_ours(message)):
                others.add(message.epoch)
                self.foreign += 1
                metrics.foreign_messages.labels(self._store.publication.service, self.source).inc()
            elif message.position <= expected:
                continue
            elif message.previous > expected:
                self._handle_in_order(batch)
                batch = []
                self.catch_up()
                expected = self._tracked()
            else:
                batch.append(message)
                expected = message.position
        self._handle_in_order(batch)
        if messages and self.position == begun:
            self._see_that_it_is_known(messages[0].epoch)

    def _see_that_it_is_known(self, epoch: str) -> None:
        """Nothing was new: it came twice, or the source was restored and gives its positions again."""
        if epoch == self.epoch and time.monotonic() - self._asked_for_its_end > END_SECONDS:
            with suppress(Unavailable):
                self._read_log(self._tracked(), 1)
                self._asked_for_its_end = time.monotonic()

    def _is_ours(self, message: Message) -> bool:
        """Whether the source says that this is its history; learnt from its log, never from a message."""
        self._read_log(self._tracked(), 1)
        return message.epoch == self.epoch

    def _read_log(self, after: int, limit: int) -> list[Message]:
        """What the source published, in the history that is followed."""
        try:
            epoch, page = self._ask(after, limit)
        except SourceCutShort as error:
            self._meet(error.epoch)
            raise
        self._meet(epoch)
        return page

    def _meet(self, epoch: str) -> None:
        if self.epoch == epoch:
            return
        if self.epoch:
            with self._store.reading() as connection:
                self._reload(connection)
            if self.epoch == epoch:
                raise Overtaken(f"an operator lets the new history of {self.source} be followed")
            raise SourceReplaced(
                f"the store of {self.source} has another history than the one that was followed; "
                f"to follow it, say so: passculture follow {self._store.publication.service} {self.source}"
            )
        with self._store.transaction() as tx:
            tx.connection.execute(tracking.update().where(tracking.c.source == self.source).values(epoch=epoch))
        self.epoch = epoch

    def _tracked(self) -> int:
        assert self.position is not None, "start() comes first"
        return self.position

    def _reload(self, connection: sa.Connection) -> None:
        row = connection.execute(sa.select(tracking).where(tracking.c.source == self.source)).one()
        self.position, self._stored, self.epoch = row.position, row.position, row.epoch
        self._parks = True

    def _handle_in_order(self, messages: Sequence[Message]) -> None:
        for begin in range(0, len(messages), BATCH):
            self._chunk(list(messages[begin : begin + BATCH]))

    def _chunk(self, messages: list[Message]) -> None:
        """All or nothing; when one of them fails, halves, until it is found."""
        try:
            self._transact(messages, self._react, self._prepare)
        except Exception as error:
            self._stop_for_the_world(error, messages)
            if len(messages) > 1:
                half = len(messages) // 2
                self._chunk(messages[:half])
                self._chunk(messages[half:])
            else:
                self._insist(messages[0], error)

    def _insist(self, message: Message, error: Exception) -> None:
        """A message that failed by itself: a few more tries, then the dead letters."""
        for attempt in range(1, TRIES):
            green.sleep(PAUSE_SECONDS * attempt)
            try:
                self._transact([message], self._react, self._prepare)
                return
            except Exception as again:
                self._stop_for_the_world(again, [message])
                error = again
        log.error(
            "message became a dead letter",
            source=self.source,
            message_name=message.name,
            position=message.position,
            error=repr(error),
            exc_info=error,
        )
        self._transact([message], lambda tx, failed: self._bury(tx, failed, "failed", repr(error)))

    def _stop_for_the_world(self, error: Exception, messages: Sequence[Message]) -> None:
        """Raises what is no message's fault; where it stands now is read again, whoever moved it.

        A conflict is somebody else's doing, unless it comes again and again.
        """
        if not isinstance(error, Unavailable | Conflict):
            return
        with self._store.reading() as connection:
            self._reload(connection)
        if isinstance(error, Unavailable | Overtaken):
            raise error
        self._clashes += 1
        if self._clashes >= CLASHES:
            self._suspected = max(self._suspected, messages[-1].position)
        if messages[-1].position > self._suspected:
            raise error

    def _transact(
        self, messages: list[Message], act: Callable[[Transaction, Message], None], prepare: Prepare = prepare_nothing
    ) -> None:
        concerning = [message for message in messages if message.name in self._reactions]
        if concerning:
            with self._store.transaction() as tx:
                self._move(tx.change, messages[-1].position)
                self._act(tx, concerning, act, prepare)
            self.position = self._stored = messages[-1].position
        else:
            self.position = messages[-1].position
            if time.monotonic() - self._stored_at > STORED_SECONDS:
                self.store_position()
        self._clashes = 0
        self.moved()
        metrics.messages.labels(self._store.publication.service, self.source).inc(len(messages))

    @property
    def is_ahead(self) -> bool:
        """Whether some of what was passed over is not written down."""
        return self.position is not None and self.position != self._stored

    def store_position(self) -> None:
        """Writes down how far messages were passed over. Raises Overtaken."""
        if self.is_ahead:
            position, self._stored_at = self._tracked(), time.monotonic()
            self._move(self._store.change, position)
            self._stored = position  # not where it is by now: others went on meanwhile

    def _move(self, change: Callable[[sa.Executable, dict[str, Any]], int], position: int) -> None:
        """First of all: from here on this source's letters are nobody else's : who replays them waits."""
        if change(_MOVE, {"of": self.source, "old": self._stored, "new": position}) != 1:
            raise Overtaken(f"another consumer of {self.source} was faster")

    def _act(
        self,
        tx: Transaction,
        messages: Sequence[Message],
        act: Callable[[Transaction, Message], None],
        prepare: Prepare,
    ) -> None:
        blocked = self._blocked_streams(tx.connection) if self._parks else set()
        prepare(tx, [message for message in messages if message.stream not in blocked])
        for message in messages:
            if message.stream in blocked:
                self._bury(tx, message, "parked", "behind a message of its stream that failed")
            else:
                act(tx, message)

    def _react(self, tx: Transaction, message: Message) -> None:
        with caused_by(message.correlation_id, message.id):
            self._reactions[message.name](tx, message)

    def _blocked_streams(self, connection: sa.Connection) -> set[str]:
        waiting = dead_letters.c.state.in_(["failed", "parked"])
        query = sa.select(dead_letters.c.stream).where(dead_letters.c.source == self.source, waiting).distinct()
        blocked = set(connection.execute(query).scalars())
        self._parks = bool(blocked)
        return blocked

    def _bury(self, tx: Transaction, message: Message, state: str, error: str) -> None:
        self._parks = True
        sql.insert_ignore(
            tx.connection,
            dead_letters,
            [
                {
                    "source": self.source,
                    "stream": message.stream,
                    "position": message.position,
                    "message": message.to_wire(),
                    "error": error[:2000],
                    "state": state,
                    "recorded_at": tx.now,
                }
            ],
        )
