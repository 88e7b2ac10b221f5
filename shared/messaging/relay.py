"""Publishes the log, which is the outbox: in order, and moves its position once the broker has confirmed.

A crash between the two publishes again, and so do two processes of a service that relay at once: consumers skip
duplicates. Each batch begins at the stored position; a relay that was overtaken reads it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shared.eventstore import Message, Store
from shared.kernel.errors import Unavailable
from shared.messaging.storage import positions

BATCH = 200


class RelayOvertaken(Unavailable):
    """Another relay moved the position while this one published the same messages."""


class Relay:
    """``publish(messages)`` returns once the bus has confirmed all of them, and raises otherwise."""

    def __init__(self, store: Store, publish: Callable[[Sequence[Message]], None]) -> None:
        self._store = store
        self._publish = publish
        self.position = 0
        """Everything up to this position is published, as far as this process knows."""

    def start(self) -> None:
        with self._store.reading() as connection:
            self.position = positions.relayed(connection)

    def send(self) -> int:
        """Publishes one batch; returns the number of messages. Raises RelayOvertaken."""
        position, messages = self._store.unsent(BATCH)
        if messages:
            self.position = position
            self._publish(messages)
            self._move(messages[-1].position)
        return len(messages)

    def _move(self, position: int) -> None:
        if not positions.move_relayed(self._store, self.position, position):
            self.start()
            raise RelayOvertaken(reason="another relay is at work")
        self.position = position
