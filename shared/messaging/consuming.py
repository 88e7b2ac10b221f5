"""Handles the messages of one source in order, each exactly once in effect, whatever the bus loses or repeats.

One transaction commits the effects of a batch together with the tracked position. A poison message goes to the dead
letters with its error, and later messages of its stream are parked behind it; other streams continue.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from shared import green
from shared.eventstore import Conflict, Connection, Message, Store, Transaction
from shared.kernel.errors import Unavailable
from shared.messaging.reactions import NotUnderstood, Prepare, Reactions, prepare_nothing
from shared.messaging.storage import dead_letters, positions
from shared.observability import metrics

log = structlog.get_logger()
BATCH = 200
"""Messages in one transaction, at most."""
MAX_TRIES = 3
"""How often a failing message is handled before it becomes a dead letter."""
RETRY_SECONDS = 0.1
"""The pause before the first retry; each later one is longer by as much."""
CHECK_SECONDS = 1.0
"""The least time between two checks that the source's log still reaches the tracked position."""
STORE_SECONDS = 0.1
"""The least time between two writes of the position for messages without a reaction."""
MAX_CONFLICTS = 10
"""From so many conflicts at one position on, the message itself is taken for their cause."""

Page = tuple[str, list[Message]]
"""The source's epoch, and the messages that it published after a position."""


class Overtaken(Conflict):
    """Another process of this service moved the tracked position."""


class SourceReplaced(Exception):
    """The source's store has another history than the one that was followed: an operator decides how to continue."""


class SourceCutShort(SourceReplaced):
    """The source's log ends before the tracked position: it was restored without ``passculture restored``."""

    def __init__(self, source: str, epoch: str, head: int, followed: int) -> None:
        super().__init__(
            f"the log of {source} ends at {head}, and {followed} was followed: "
            f"if it was restored from a backup, say so: passculture restored {source}"
        )
        self.epoch = epoch


def _ignore() -> None:
    """The callback when nobody has set one."""


class Consumer:
    """Handles the messages of one source for one service.

    ``read_log(after, limit)`` queries the source's log, and raises SourceCutShort if it ends before ``after``.
    Transient failures (Unavailable, Conflict, Overtaken) are raised: the caller waits and calls again with the same
    messages.
    """

    def __init__(
        self,
        store: Store,
        source: str,
        reactions: Reactions,
        read_log: Callable[[int, int], Page],
        prepare: Prepare = prepare_nothing,
    ) -> None:
        self._store = store
        self.source = source
        self._reactions = reactions
        self._query_log = read_log
        self._prepare = prepare
        self.position: int | None = None
        """Everything up to this position is handled. None before ``start``."""
        self._stored = 0
        """The position in the table. It may lag behind ``position`` by messages without a reaction; skipping those
        twice does no harm."""
        self._stored_at = 0.0
        self._checked_at = 0.0
        self._conflicts = 0
        """Conflicts since the position last moved."""
        self._suspect_until = 0
        """Up to this position a conflict counts as the message's own failure."""
        self._may_have_parked = True
        """Whether a stream may be blocked by a dead letter. Only this consumer blocks one, so False stays right."""
        self.epoch: str | None = None
        self.foreign_messages = 0
        """Messages of an unknown epoch, which were skipped."""
        self.moved: Callable[[], None] = _ignore
        """Called after each transaction: catching up with a long log takes many."""

    def start(self) -> None:
        """Reads the tracked position; a consumer that never ran begins at the start of the source's log."""
        with self._store.transaction() as tx:
            positions.begin_tracking(tx.connection, self.source)
            self._reload(tx.connection)

    def is_active(self) -> bool:
        """Whether no other process has moved the tracked position since this one did; reads it again."""
        with suppress(Overtaken):
            self.store_position()
        before = self._tracked()
        with self._store.reading() as connection:
            self._reload(connection)
        return self.position == before

    def catch_up(self) -> int:
        """Handles everything in the source's log after the tracked position; returns the number of messages."""
        handled = 0
        while True:
            page = self._read_log(self._tracked(), BATCH)
            if not page:
                self.store_position()
                return handled
            self._handle_in_order(page)
            handled += len(page)

    def handle(self, messages: Sequence[Message]) -> None:
        """Handles messages from the bus: skips duplicates, and fills gaps from the source's log."""
        batch: list[Message] = []
        foreign_epochs: set[str] = set()
        before = expected = self._tracked()
        for message in messages:
            if message.epoch in foreign_epochs or (message.epoch != self.epoch and not self._is_current(message)):
                foreign_epochs.add(message.epoch)
                self.foreign_messages += 1
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
        if messages and self.position == before:
            self._check_source_was_not_cut_short(messages[0].epoch)

    @property
    def is_ahead(self) -> bool:
        """Whether ``position`` is ahead of the table."""
        return self.position is not None and self.position != self._stored

    def store_position(self) -> None:
        """Writes ``position`` to the table. Raises Overtaken."""
        if self.is_ahead:
            position, self._stored_at = self._tracked(), time.monotonic()
            self._move(self._store, position)
            self._stored = position  # another green thread may have moved self.position during the write

    def _check_source_was_not_cut_short(self, epoch: str) -> None:
        """Nothing in the batch was new: either it came twice, or a restored source gives its positions again."""
        if epoch == self.epoch and time.monotonic() - self._checked_at > CHECK_SECONDS:
            with suppress(Unavailable):
                self._read_log(self._tracked(), 1)
                self._checked_at = time.monotonic()

    def _is_current(self, message: Message) -> bool:
        """Whether the message is of the source's present history: its log tells, a message alone is not believed."""
        self._read_log(self._tracked(), 1)
        return message.epoch == self.epoch

    def _read_log(self, after: int, limit: int) -> list[Message]:
        """Messages from the source's log. Raises SourceReplaced if it is not the history that was followed."""
        try:
            epoch, page = self._query_log(after, limit)
        except SourceCutShort as error:
            self._check_epoch(error.epoch)
            raise
        self._check_epoch(epoch)
        return page

    def _check_epoch(self, epoch: str) -> None:
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
            positions.follow_epoch(tx.connection, self.source, epoch)
        self.epoch = epoch

    def _tracked(self) -> int:
        assert self.position is not None, "start() comes first"
        return self.position

    def _reload(self, connection: Connection) -> None:
        row = positions.tracked(connection, self.source)
        self.position, self._stored, self.epoch = row.position, row.position, row.epoch
        self._may_have_parked = True

    def _handle_in_order(self, messages: Sequence[Message]) -> None:
        for begin in range(0, len(messages), BATCH):
            self._handle_batch(messages[begin : begin + BATCH])

    def _handle_batch(self, messages: Sequence[Message]) -> None:
        """Handles all of them in one transaction; on a failure, bisects the batch until the failing one is alone."""
        try:
            self._transact(messages, self._react)
        except Exception as error:
            self._reraise_if_transient(error, messages)
            if len(messages) > 1:
                half = len(messages) // 2
                self._handle_batch(messages[:half])
                self._handle_batch(messages[half:])
            else:
                self._retry_or_bury(messages[0], error)

    def _retry_or_bury(self, message: Message, error: Exception) -> None:
        """Retries a message that failed alone, then makes it a dead letter. A version unknown here stays unknown."""
        is_unknown = isinstance(error, NotUnderstood)
        for attempt in range(1, 1 if is_unknown else MAX_TRIES):
            green.sleep(RETRY_SECONDS * attempt)
            try:
                self._transact([message], self._react)
                return
            except Exception as again:
                self._reraise_if_transient(again, [message])
                error = again
        reason = str(error) if is_unknown else repr(error)
        log.error(
            "message became a dead letter",
            source=self.source,
            message_name=message.name,
            position=message.position,
            error=reason,
            exc_info=None if is_unknown else error,
        )
        self._transact([message], lambda tx, _: self._bury(tx, message, "failed", reason))

    def _reraise_if_transient(self, error: Exception, messages: Sequence[Message]) -> None:
        """Re-raises what the message did not cause (database away, conflict), after reading the tracked position again.

        A conflict counts as transient, unless it happens MAX_CONFLICTS times at one position.
        """
        if not isinstance(error, Unavailable | Conflict):
            return
        with self._store.reading() as connection:
            self._reload(connection)
        if isinstance(error, Unavailable | Overtaken):
            raise error
        self._conflicts += 1
        if self._conflicts >= MAX_CONFLICTS:
            self._suspect_until = max(self._suspect_until, messages[-1].position)
        if messages[-1].position > self._suspect_until:
            raise error

    def _transact(self, messages: Sequence[Message], act: Callable[[Transaction, Sequence[Message]], None]) -> None:
        """Moves the position behind the messages, and acts in the same transaction on those that have a reaction."""
        concerning = [message for message in messages if self._reactions.concern(message)]
        if concerning:
            with self._store.transaction() as tx:
                self._move(tx, messages[-1].position)
                act(tx, concerning)
            self.position = self._stored = messages[-1].position
        else:
            self.position = messages[-1].position
            if time.monotonic() - self._stored_at > STORE_SECONDS:
                self.store_position()
        self._conflicts = 0
        self.moved()
        metrics.messages.labels(self._store.publication.service, self.source).inc(len(messages))

    def _move(self, within: Store | Transaction, position: int) -> None:
        """Moves the position first: its row lock also makes a replay of this source's dead letters wait."""
        if not positions.move_tracked(within, self.source, self._stored, position):
            raise Overtaken(f"another consumer of {self.source} was faster")

    def _react(self, tx: Transaction, messages: Sequence[Message]) -> None:
        """Parks the messages of blocked streams, prepares for all others, then lets their reactions handle them."""
        blocked = self._blocked_streams(tx.connection) if self._may_have_parked else set()
        live = []
        for message in messages:
            if message.stream in blocked:
                self._bury(tx, message, "parked", "behind a message of its stream that failed")
            else:
                live.append(self._reactions.in_known_version(message))
        self._prepare(tx, live)
        for message in live:
            self._reactions.react(tx, message)

    def _blocked_streams(self, connection: Connection) -> set[str]:
        blocked = dead_letters.blocked_streams(connection, self.source)
        self._may_have_parked = bool(blocked)
        return blocked

    def _bury(self, tx: Transaction, message: Message, state: str, error: str) -> None:
        self._may_have_parked = True
        dead_letters.add(tx.connection, self.source, message, state, error, tx.now)
