"""Read models of what other services told: folded from their messages, by the service's own reactions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from shared.eventstore import Message, Transaction, tables
from shared.eventstore.context import caused_by

ReadLog = Callable[[str, int, int], Sequence[Message]]
"""``(source, after, limit)`` → what a source published after a position, in order."""


@dataclass(frozen=True, slots=True)
class Followed:
    """``reactions``: by (source, message), those of the service's that write these tables. They may do more than that
    where bookings or lines are concerned: of those a second fold has none, so that nothing more is done."""

    name: str
    version: int
    tables: Sequence[sa.Table]
    reactions: Mapping[tuple[str, str], Callable[[Transaction, Message], None]]

    @property
    def sources(self) -> list[str]:
        return sorted({source for source, _ in self.reactions})

    def all_tables(self) -> list[sa.Table]:
        """What a reaction may touch."""
        return [*tables.metadata.sorted_tables, *self.tables[0].metadata.sorted_tables]

    def react(self, tx: Transaction, messages: Sequence[Message]) -> None:
        for message in messages:
            reaction = self.reactions.get((message.source, message.name))
            if reaction is not None:
                with caused_by(message.correlation_id, message.id):
                    reaction(tx, message)
        tx.finish()
