"""A cache of public offers, as they are sent: a thousand requests a second for one offer make a few reads."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared import green
from shared.eventstore import Connection
from shared.kernel.time import Clock

CACHE_SECONDS = 0.05
"""How stale an offer may be that another replica of the gateway has written."""
MAX_CACHED = 2_000

Read = Callable[[Connection, int, datetime], bytes | None]


@dataclass(frozen=True, slots=True)
class _Cached:
    body: bytes | None
    until: float
    """By the machine's clock."""
    at: datetime
    """By the platform's clock, which decides whether a stock can be booked."""


class OfferCache:
    """``clear`` is called whenever this process has written to the catalogue: nothing older is given afterwards."""

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[Connection]],
        read: Read,
        clock: Clock,
        machine_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reading, self._read, self._clock, self._seconds = reading, read, clock, machine_seconds
        self._cached: dict[int, _Cached] = {}
        self._reads: dict[int, green.Event] = {}
        """The reads under way."""
        self._writes = 0

    def clear(self) -> None:
        self._writes += 1
        self._cached.clear()
        self._reads.clear()

    def get(self, offer_id: int) -> bytes | None:
        """The public offer as JSON; None if there is none. Raises Unavailable."""
        cached = self._cached.get(offer_id)
        if cached is not None and self._seconds() < cached.until and self._is_current(cached):
            return cached.body
        read = self._reads.get(offer_id)
        if read is not None:
            body: bytes | None = read.wait()
            return body
        return self._find(offer_id)

    def _find(self, offer_id: int) -> bytes | None:
        """Reads the offer. Concurrent callers wait for this result or error."""
        read = self._reads[offer_id] = green.Event()
        writes = self._writes
        try:
            until, at = self._seconds() + CACHE_SECONDS, self._clock.now()
            with self._reading() as connection:
                body = self._read(connection, offer_id, at)
        except BaseException as error:
            self._end(offer_id, read)
            read.send_exception(error)
            raise
        self._end(offer_id, read)
        if writes == self._writes:
            if len(self._cached) >= MAX_CACHED:
                self._cached.clear()
            self._cached[offer_id] = _Cached(body, until, at)
        read.send(body)
        return body

    def _end(self, offer_id: int, read: green.Event) -> None:
        if self._reads.get(offer_id) is read:
            del self._reads[offer_id]

    def _is_current(self, cached: _Cached) -> bool:
        return timedelta() <= self._clock.now() - cached.at < timedelta(seconds=CACHE_SECONDS)
