"""Which keys have a request open in this process: a second one is told so instead of being run beside the first.

Two gateway processes may still hold the same key at once; the service that decides then finds its own outcome.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.kernel.errors import Conflict


class RequestInProgress(Conflict):
    code = "request-in-progress"


class InFlight:
    """Bounded by the number of requests that are open."""

    def __init__(self) -> None:
        self._open: set[tuple[str, str]] = set()

    @contextmanager
    def hold(self, owner: str, key: str | None) -> Iterator[None]:
        """Holds the key while the request is open. Raises RequestInProgress when it is held."""
        if key is None:
            yield
            return
        if self.is_open(owner, key):
            raise RequestInProgress("the first request with this key is still open: ask again with the same key")
        self._open.add((owner, key))
        try:
            yield
        finally:
            self._open.discard((owner, key))

    def is_open(self, owner: str, key: str) -> bool:
        return (owner, key) in self._open
