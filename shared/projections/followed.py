"""Read models of what other services published: folded from their messages by the service's own reactions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from shared.eventstore import Message, Transaction, sql, tables
from shared.messaging.reactions import Reaction, Reactions

ReadLog = Callable[[str, int, int], Sequence[Message]]
"""``(source, after, limit)`` → what a source published after a position, in order."""

RowOf = Callable[[dict[str, Any]], Mapping[str, Any]]
"""The data of a message → columns of a row."""


def keeps(table: sa.Table, row: RowOf) -> Reaction:
    """A reaction that writes the row of a message, in place of one with the same key."""
    return lambda tx, message: sql.upsert(tx.connection, table, [row(message.data)])


def drops(table: sa.Table, row: RowOf) -> Reaction:
    """A reaction that deletes the row that a message names by these columns."""

    def react(tx: Transaction, message: Message) -> None:
        named = (table.c[name] == value for name, value in row(message.data).items())
        tx.connection.execute(table.delete().where(*named))

    return react


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
