"""Requests that are answered first and carried out afterwards, so that the time of the answer does not reveal whether
an address has an account.

A request is stored sealed, by the same statements whatever it leads to. A task carries it out in a transaction that
also deletes it: exactly once, however often a process dies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from services.identity.application.unit_of_work import Ports, UnitOfWork
from services.identity.sealing import REQUESTS
from services.identity.storage import deferred_requests
from shared.eventstore import Conflict, Connection
from shared.eventstore.context import caused_by, current_cause
from shared.kernel.errors import Unavailable

SIGN_UP, PASSWORD_RESET, CHANGE_EMAIL = "sign-up", "password-reset", "change-email"
MAX_PER_RUN = 100
MAX_ATTEMPTS = 5
"""A request that has failed so often stays in the table, for operators to examine."""

log = structlog.get_logger()
CarryOut = Callable[[UnitOfWork, dict[str, Any]], None]


def defer(work: UnitOfWork, kind: str, content: dict[str, Any]) -> None:
    """Stores a request, to be carried out after the commit."""
    deferred_requests.add(
        work.connection,
        kind=kind,
        sealed=work.keys.seal(REQUESTS, content),
        correlation_id=current_cause().correlation_id,
    )


def count_open(connection: Connection) -> int:
    return deferred_requests.count(connection, MAX_ATTEMPTS)


class DeferredRequests:
    def __init__(self, ports: Ports, handlers: Mapping[str, CarryOut]) -> None:
        self._ports, self._handlers = ports, handlers

    def run(self) -> None:
        """Carries out the open requests, oldest first."""
        for _ in range(MAX_PER_RUN):
            if not self._is_any() or not self._next():
                return

    def _is_any(self) -> bool:
        with self._ports.store.reading() as connection:
            return count_open(connection) > 0

    def _next(self) -> bool:
        taken: list[Any] = []
        try:
            return self._ports.run(lambda work: self._carry_out(work, taken))
        except (Unavailable, Conflict):
            raise
        except Exception as error:  # a poison request must not block the ones behind it
            row = taken[-1]
            log.exception("deferred request failed", kind=row.kind, request=row.id, error=type(error).__name__)
            self._ports.run(lambda work: deferred_requests.count_attempt(work.connection, row.id))
            return True

    def _carry_out(self, work: UnitOfWork, taken: list[Any]) -> bool:
        row = deferred_requests.take(work.connection, MAX_ATTEMPTS)
        if row is None:
            return False
        taken.append(row)
        with caused_by(row.correlation_id, f"request:{row.kind}"):
            self._handlers[row.kind](work, work.keys.open(REQUESTS, row.sealed))
        return True
