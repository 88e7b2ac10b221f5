"""The outcomes of calls by idempotency key: a key always gets the same answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa

from shared.eventstore import sql
from shared.eventstore.tables import outcomes
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError, Invalid, Refused


class KeyReused(Invalid):
    code = "idempotency-key-reused"
    DETAIL = "Cette clé a déjà servi pour une autre demande : utilisez-en une nouvelle."


B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Call(Generic[B]):
    """A command or a query as it reaches its service."""

    name: str
    data: dict[str, Any]
    """As it travelled; ``body`` is the same, checked and typed."""
    key: str | None = None
    caller: Caller | None = None
    correlation_id: str = ""
    body: B = field(default=cast(Any, None), compare=False)
    """The contract of the call, read once from ``data`` before any handler sees it."""

    def owner(self) -> str:
        """The owner of the key: two callers may use the same one."""
        return self.caller.name() if self.caller else "platform"

    def fingerprint(self) -> str:
        return hashlib.sha256(_canonical([self.name, self.data]).encode()).hexdigest()


Outcome = dict[str, Any] | DomainError | None


@dataclass(frozen=True, slots=True)
class Repeated:
    """The stored outcome of an earlier call with the same key."""

    outcome: Outcome


class Outcomes:
    """The stored outcomes, within one transaction."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def store(self, call: Call[Any], outcome: Outcome) -> None:
        self.store_many([(call, outcome)])

    def store_many(self, answered: Sequence[tuple[Call[Any], Outcome]]) -> None:
        """Stores the outcomes of those calls that have a key. A key that was stored meanwhile is an integrity error."""
        rows = [
            {
                "caller": call.owner(),
                "key": call.key,
                "fingerprint": call.fingerprint(),
                "outcome": to_stored(outcome),
                "recorded_at": self._now,
            }
            for call, outcome in answered
            if call.key is not None
        ]
        if rows:
            rows.sort(key=lambda row: (row["caller"], row["key"]))
            sql.insert_many(self._connection, outcomes, rows)

    def find(self, calls: Iterable[Call[Any]]) -> dict[tuple[str, str], Outcome]:
        return find_outcomes(self._connection, calls)

    def stored_or_new(self, call: Call[Any], decide: Callable[[], Outcome]) -> Outcome:
        """The outcome stored under the call's key, or else the one that ``decide`` returns, which is stored now."""
        known = self.find([call])
        if known:
            return known[call.owner(), call.key or ""]
        outcome = decide()
        self.store(call, outcome)
        return outcome


KNOWN = sa.select(outcomes.c.caller, outcomes.c.key, outcomes.c.fingerprint, outcomes.c.outcome).where(
    sql.pair_among_given(outcomes.c.caller, outcomes.c.key, ("callers", "keys"))
)
"""The stored outcomes of the keys that ``keys_of`` returns."""


def keys_of(calls: Iterable[Call[Any]]) -> dict[str, list[str]]:
    """The keys of calls and their owners, as parameters of ``KNOWN``."""
    keyed = [(call.owner(), call.key) for call in calls if call.key is not None]
    return {"callers": [owner for owner, _ in keyed], "keys": [key for _, key in keyed]}


def find_outcomes(connection: sa.Connection, calls: Iterable[Call[Any]]) -> dict[tuple[str, str], Outcome]:
    """Stored outcomes by (owner, key); KeyReused for a key that was stored with another body."""
    keyed = [call for call in calls if call.key is not None]
    return known_outcomes(keyed, connection.execute(KNOWN, keys_of(keyed))) if keyed else {}


def known_outcomes(calls: Iterable[Call[Any]], rows: Iterable[Any]) -> dict[tuple[str, str], Outcome]:
    """``find_outcomes`` with the rows of ``KNOWN``."""
    keyed = {(call.owner(), call.key): call for call in calls}
    found: dict[tuple[str, str], Outcome] = {}
    for owner, key, fingerprint, stored in rows:
        same = fingerprint == keyed[(owner, key)].fingerprint()
        found[(owner, key)] = from_stored(stored) if same else KeyReused()
    return found


def _canonical(value: Any) -> str:
    """JSON with sorted keys: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def to_stored(outcome: Outcome) -> dict[str, Any]:
    return {"refused": outcome.to_outcome()} if isinstance(outcome, DomainError) else {"result": outcome}


def from_stored(stored: dict[str, Any]) -> Outcome:
    return Refused(stored["refused"]) if "refused" in stored else stored["result"]
