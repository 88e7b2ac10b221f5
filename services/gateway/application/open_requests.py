"""Refuses a request whose Idempotency-Key has another request open in this process.

Two gateway processes may still work on the same key at once; the service that decides then finds the stored outcome.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.kernel.errors import Conflict


class RequestInProgress(Conflict):
    code = "request-in-progress"


class OpenRequests:
    """The keys with an open request. Bounded by the number of open requests."""

    def __init__(self) -> None:
        self._open: set[tuple[str, str]] = set()

    @contextmanager
    def hold(self, owner: str, key: str | None) -> Iterator[None]:
        """Registers the key while the request is open. Raises RequestInProgress if it is registered already."""
        if key is None:
            yield
            return
        if self.is_open(owner, key):
            raise RequestInProgress(
                "Une demande avec cette clé est encore en cours : réessayez avec la même clé dans un instant."
            )
        self._open.add((owner, key))
        try:
            yield
        finally:
            self._open.discard((owner, key))

    def is_open(self, owner: str, key: str) -> bool:
        return (owner, key) in self._open
