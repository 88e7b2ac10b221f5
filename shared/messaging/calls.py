"""How a service handles its calls: each handler belongs to one contract, and decides or reads in one of these ways.

A handler gets ``Call[TheContract]``: ``call.body`` is checked and typed, the authority of the caller is checked too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.contracts.calls.contract import Command, Query
from shared.eventstore import Connection, Transaction
from shared.eventstore.outcomes import Call, Outcome, Repeated

C = TypeVar("C", bound=Command)
Q = TypeVar("Q", bound=Query)

One = Callable[[Transaction, Call[Any]], dict[str, Any] | None]
Bulk = Callable[[Transaction, Sequence[Call[Any]]], Sequence[Outcome]]
Saga = Callable[[Sequence[Call[Any]]], Sequence[Outcome]]
Resuming = Callable[[Sequence[Call[Any]]], Sequence[Outcome | Repeated]]
Each = Callable[[Call[Any]], Outcome]
Read = Callable[[Connection, Call[Any]], Any]
ReadMany = Callable[[Connection, Sequence[Call[Any]]], Sequence[Any]]
Calling = Callable[[Call[Any]], Any]


@dataclass(frozen=True, slots=True)
class CommandHandler:
    """Exactly one of the five ways is set."""

    contract: type[Command]
    one: One | None = None
    bulk: Bulk | None = None
    saga: Saga | None = None
    resuming: Resuming | None = None
    each: Each | None = None


@dataclass(frozen=True, slots=True)
class QueryHandler:
    """Exactly one of the three ways is set."""

    contract: type[Query]
    read: Read | None = None
    read_many: ReadMany | None = None
    calling: Calling | None = None


H = TypeVar("H", CommandHandler, QueryHandler)


def by_name(handlers: Sequence[H]) -> dict[str, H]:
    """The handlers by the names of their contracts."""
    named = {handler.contract.NAME: handler for handler in handlers}
    assert len(named) == len(handlers), "two handlers of one contract"
    return named


def one(contract: type[C], handler: Callable[[Transaction, Call[C]], dict[str, Any] | None]) -> CommandHandler:
    """One call, one transaction; its outcome, a refusal included, is stored under its key."""
    return CommandHandler(contract, one=handler)


def bulk(contract: type[C], handler: Callable[[Transaction, Sequence[Call[C]]], Sequence[Outcome]]) -> CommandHandler:
    """A whole batch in one transaction. A refusal is returned, not raised: the other calls of the batch are decided."""
    return CommandHandler(contract, bulk=handler)


def saga(contract: type[C], handler: Callable[[Sequence[Call[C]]], Sequence[Outcome]]) -> CommandHandler:
    """The handler opens its own transactions, may call other services, and stores outcomes itself.

    A call with a key may be handled again when another call of its batch fails: the handler finds by the key what it
    has already done.
    """
    return CommandHandler(contract, saga=handler)


def resuming(contract: type[C], handler: Callable[[Sequence[Call[C]]], Sequence[Outcome | Repeated]]) -> CommandHandler:
    """A saga that looks up stored outcomes itself, with its other reads, and returns them as ``Repeated``."""
    return CommandHandler(contract, resuming=handler)


def each(contract: type[C], handler: Callable[[Call[C]], Outcome]) -> CommandHandler:
    """A saga of one call: a failure elsewhere in its batch never runs it again."""
    return CommandHandler(contract, each=handler)


def read(contract: type[Q], handler: Callable[[Connection, Call[Q]], Any]) -> QueryHandler:
    """One query, all of whose statements see the same state (snapshot isolation)."""
    return QueryHandler(contract, read=handler)


def read_many(contract: type[Q], handler: Callable[[Connection, Sequence[Call[Q]]], Sequence[Any]]) -> QueryHandler:
    """A whole batch of queries; an item of the answer may be a DomainError."""
    return QueryHandler(contract, read_many=handler)


def calling(contract: type[Q], handler: Callable[[Call[Q]], Any]) -> QueryHandler:
    """A query that may call other services, and opens the connections it reads with itself."""
    return QueryHandler(contract, calling=handler)


__all__ = [
    "Bulk",
    "Call",
    "CommandHandler",
    "Each",
    "One",
    "Outcome",
    "QueryHandler",
    "Resuming",
    "Saga",
    "bulk",
    "by_name",
    "calling",
    "each",
    "one",
    "read",
    "read_many",
    "resuming",
    "saga",
]
