"""What is answered first and done afterwards, so that the time of an answer tells nothing about whose address it is.

A request is stored sealed, in the same few statements whatever it will lead to. A task does it at once, in a
transaction of its own which also takes it off the table: once, however often a process dies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
import structlog

from services.identity import storage
from services.identity.application.ports import Ports, Work
from services.identity.sealing import REQUESTS
from shared.eventstore import Conflict
from shared.eventstore.context import caused_by, current_cause
from shared.kernel.errors import Unavailable

SIGN_UP, PASSWORD_RESET, CHANGE_ADDRESS = "sign-up", "password-reset", "change-email"
AT_ONCE = 100
"""Done per run of the task."""
ATTEMPTS = 5
"""A request that fails so often stays on the table, for operators to look at."""

log = structlog.get_logger()
Do = Callable[[Work, dict[str, Any]], None]


def put(work: Work, kind: str, content: dict[str, Any]) -> None:
    """To be done after the commit."""
    storage.put_request(
        work.connection,
        kind=kind,
        sealed=work.keys.seal(REQUESTS, content),
        correlation_id=current_cause().correlation_id,
    )


class Requests:
    def __init__(self, ports: Ports, done_by: Mapping[str, Do]) -> None:
        self._ports, self._done_by = ports, done_by

    def run(self) -> None:
        """Does what was asked for, oldest first."""
        for _ in range(AT_ONCE):
            if not self._is_any() or not self._next():
                return

    def open_work(self, connection: sa.Connection) -> int:
        return storage.open_requests(connection, ATTEMPTS)

    def _is_any(self) -> bool:
        with self._ports.store.reading() as connection:
            return self.open_work(connection) > 0

    def _next(self) -> bool:
        taken: list[storage.Row] = []
        try:
            return self._ports.run(lambda work: self._do(work, taken))
        except (Unavailable, Conflict):
            raise
        except Exception as error:
            # a request that cannot be done must not hold up those behind it
            log.exception("request not done", kind=taken[-1].kind, request=taken[-1].id, error=type(error).__name__)
            self._ports.run(lambda work: storage.count_attempt(work.connection, taken[-1].id))
            return True

    def _do(self, work: Work, taken: list[storage.Row]) -> bool:
        row = storage.take_request(work.connection, ATTEMPTS)
        if row is None:
            return False
        taken.append(row)
        with caused_by(row.correlation_id, f"request:{row.kind}"):
            self._done_by[row.kind](work, work.keys.open(REQUESTS, row.sealed))
        return True
