"""Offers as they are sent, kept for a moment: what a thousand ask for in a second is read a few times."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from shared import green
from shared.kernel.time import Clock

KEPT_SECONDS = 0.05
"""So much older than the store an answer may be, where another replica of the gateway wrote what changed."""
MOST_KEPT = 2_000

Read = Callable[[sa.Connection, int, datetime], bytes | None]


@dataclass(frozen=True, slots=True)
class _Kept:
    body: bytes | None
    until: float
    """By the machine's clock."""
    at: datetime
    """By the platform's: whether something can be booked depends on it."""


class ReadyOffers:
    """``forget`` is called whenever this process has written to the catalogue: from then on nothing older is given."""

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[sa.Connection]],
        read: Read,
        clock: Clock,
        machine_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reading, self._read, self._clock, self._seconds = reading, read, clock, machine_seconds
        self._kept: dict[int, _Kept] = {}
        self._under_way: dict[int, green.Event] = {}
        self._writes = 0

    def forget(self) -> None:
        self._writes += 1
        self._kept.clear()
        self._under_way.clear()

    def get(self, offer_id: int) -> bytes | None:
        """The offer as anyone may see it now, or None. Raises Unavailable."""
        kept = self._kept.get(offer_id)
        if kept is not None and self._seconds() < kept.until and self._is_of_now(kept):
            return kept.body
        first = self._under_way.get(offer_id)
        if first is not None:
            body: bytes | None = first.wait()
            return body
        return self._find(offer_id)

    def _find(self, offer_id: int) -> bytes | None:
        """Reads it; who asks meanwhile waits for this answer, or for this error."""
        found = self._under_way[offer_id] = green.Event()
        writes = self._writes
        try:
            until, at = self._seconds() + KEPT_SECONDS, self._clock.now()
            with self._reading() as connection:
                body = self._read(connection, offer_id, at)
        except BaseException as error:
            self._end(offer_id, found)
            found.send_exception(error)
            raise
        self._end(offer_id, found)
        if writes == self._writes:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[offer_id] = _Kept(body, until, at)
        found.send(body)
        return body

    def _end(self, offer_id: int, found: green.Event) -> None:
        if self._under_way.get(offer_id) is found:
            del self._under_way[offer_id]

    def _is_of_now(self, kept: _Kept) -> bool:
        return timedelta() <= self._clock.now() - kept.at < timedelta(seconds=KEPT_SECONDS)
