"""The kinds of handlers a service may have for commands and queries.

A command handler decides and writes; a query handler reads. ``bulk`` and ``read_many`` take a whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call, Caller, Outcome, Repeated

One = Callable[[Transaction, Call], dict[str, Any] | None]
Bulk = Callable[[Transaction, Sequence[Call]], Sequence[Outcome]]
Saga = Callable[[Sequence[Call]], Sequence[Outcome]]
Resuming = Callable[[Sequence[Call]], Sequence[Outcome | Repeated]]
Each = Callable[[Call], Outcome]
Read = Callable[[sa.Connection, Call], Any]
ReadMany = Callable[[sa.Connection, Sequence[Call]], Sequence[Any]]
Calling = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class CommandHandler:
    """Exactly one of the five is set."""

    one: One | None = None
    bulk: Bulk | None = None
    saga: Saga | None = None
    resuming: Resuming | None = None
    each: Each | None = None


@dataclass(frozen=True, slots=True)
class QueryHandler:
    """Exactly one of the three is set."""

    read: Read | None = None
    read_many: ReadMany | None = None
    calling: Calling | None = None


def one(handler: One) -> CommandHandler:
    """One call, one transaction; its outcome, a refusal included, is stored under its key."""
    return CommandHandler(one=handler)


def bulk(handler: Bulk) -> CommandHandler:
    """All the calls of a batch in one transaction; a refusal is returned, never raised, and touches no neighbour."""
    return CommandHandler(bulk=handler)


def saga(handler: Saga) -> CommandHandler:
    """The handler makes its own transactions, may call other services, and stores outcomes itself.

    It is given again what has a key when another call of the batch fails it: it finds what it did by then by that key.
    """
    return CommandHandler(saga=handler)


def resuming(handler: Resuming) -> CommandHandler:
    """As a saga; it finds what was answered before by itself, where it reads anyway, and says so."""
    return CommandHandler(resuming=handler)


def each(handler: Each) -> CommandHandler:
    """As a saga, one call at a time: never run again because another call of its batch failed."""
    return CommandHandler(each=handler)


def read(handler: Read) -> QueryHandler:
    """One query on a connection that sees one state."""
    return QueryHandler(read=handler)


def read_many(handler: ReadMany) -> QueryHandler:
    """All the queries of a batch together; an item of the answer may be a DomainError."""
    return QueryHandler(read_many=handler)


def calling(handler: Calling) -> QueryHandler:
    """A query that may call other services, and opens what it reads itself."""
    return QueryHandler(calling=handler)


__all__ = [
    "Bulk",
    "Call",
    "Caller",
    "CommandHandler",
    "Each",
    "One",
    "Outcome",
    "QueryHandler",
    "Resuming",
    "Saga",
    "bulk",
    "calling",
    "each",
    "one",
    "read",
    "read_many",
    "resuming",
    "saga",
]
