"""Read models of what other services published: folded from their messages by the service's own reactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from shared.eventstore import Message, Transaction, tables
from shared.messaging.reactions import Reactions

ReadLog = Callable[[str, int, int], Sequence[Message]]
"""``(source, after, limit)`` → what a source published after a position, in order."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A read model of messages.

    ``reactions``: those of the service that write these tables, in every version. They may do more where bookings or
    lines are concerned; the scratch database of a rebuild has none of those, so nothing more is done there.
    """

    name: str
    version: int
    tables: Sequence[sa.Table]
    reactions: Reactions

    @property
    def sources(self) -> list[str]:
        return self.reactions.sources

    def all_tables(self) -> list[sa.Table]:
        """The tables that a reaction may read or write."""
        return [*tables.metadata.sorted_tables, *self.tables[0].metadata.sorted_tables]

    def react(self, tx: Transaction, messages: Sequence[Message]) -> None:
        for message in messages:
            if self.reactions.concern(message):
                self.reactions.handle(tx, message)
        tx.finish()
