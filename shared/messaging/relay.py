"""The log → the bus: what was published is sent in order, confirmed, and only then counted as sent.

A crash between the two sends again; consumers pass a duplicate over. So they do with what two processes of a service
send at once: each batch begins where the stored position is, and whoever finds it moved meanwhile reads it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from shared.eventstore import Message, Store
from shared.eventstore.tables import relay
from shared.kernel.errors import Unavailable

BATCH = 200
_MOVE = relay.update().where(relay.c.position == sa.bindparam("old")).values(position=sa.bindparam("new"))


class RelayOvertaken(Unavailable):
    """Another relay moved the position while this one sent the same."""


class Relay:
    """``publish(messages)`` returns once the bus has confirmed all of them, and raises otherwise."""

    def __init__(self, store: Store, publish: Callable[[Sequence[Message]], None]) -> None:
        self._store = store
        self._publish = publish
        self.position = 0
        """Up to where this one knows that was sent."""

    def start(self) -> None:
        with self._store.reading() as connection:
            self.position = connection.execute(sa.select(relay.c.position)).scalar_one()

    def send(self) -> int:
        """Sends one batch; gives how many messages it was. Raises RelayOvertaken."""
        position, messages = self._store.unsent(BATCH)
        if messages:
            self.position = position
            self._publish(messages)
            self._move(messages[-1].position)
        return len(messages)

    def _move(self, position: int) -> None:
        if self._store.change(_MOVE, {"old": self.position, "new": position}) != 1:
            self.start()
            raise RelayOvertaken("another relay is at work")
        self.position = position
