"""Finishes open requests that a crash or a silent wallet left behind."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from services.booking.application.loading import load
from services.booking.application.saga.driver import Saga
from services.booking.domain.booking import Booking
from services.booking.storage import open_requests
from shared.eventstore import Store
from shared.eventstore.outcomes import Outcome
from shared.kernel.errors import Unavailable
from shared.observability import metrics

BATCH = 200
MAX_WATCHED = 5_000
"""Open requests that are watched at a time, the oldest first."""
ABANDONED_SECONDS = 3.0
"""How long, by the machine's clock, an open request is watched before it counts as abandoned."""

log = structlog.get_logger()


class Recovery:
    def __init__(
        self,
        store: Store,
        saga: Saga,
        *,
        machine_seconds: Callable[[], float] = time.monotonic,
        batch: int = BATCH,
    ) -> None:
        self._store, self._saga = store, saga
        self._seconds, self._batch = machine_seconds, batch
        self._first_seen: dict[int, float] = {}
        self._tries: Counter[int] = Counter()

    def run(self) -> None:
        """Finishes a bounded number of abandoned requests. Several processes may run it."""
        with self._store.reading() as connection:
            abandoned = self._abandoned(open_requests.oldest(connection, MAX_WATCHED))
            if not abandoned:
                return
        finished = self._finish_or_bisect(self._load(abandoned))
        metrics.saga_recoveries.labels("booking").inc(len(finished))
        log.info("open requests", abandoned=len(abandoned), finished=len(finished))

    def _abandoned(self, found: list[int]) -> list[int]:
        """The requests watched for long enough, least tried first: one that fails every time delays no other."""
        now = self._seconds()
        self._first_seen = {number: self._first_seen.get(number, now) for number in found}
        self._tries = Counter({number: self._tries[number] for number in found})
        latest = now - ABANDONED_SECONDS
        old = [one for one, since in self._first_seen.items() if since <= latest and one not in self._saga.running]
        chosen = sorted(old, key=lambda number: (self._tries[number], number))[: self._batch]
        self._tries.update(chosen)
        return chosen

    def _finish_or_bisect(self, waiting: Sequence[Booking]) -> dict[int, Outcome]:
        """``Saga.finish``, bisecting on a failure so that one bad request stays alone, and open.

        A later run tries it again, after all others.
        """
        try:
            return self._saga.finish(waiting)
        except Unavailable:
            raise
        except Exception as error:
            if len(waiting) == 1:
                log.error("open request not finished", booking=waiting[0].booking_id, error=repr(error), exc_info=error)
                return {}
        # the rollback undid the rows, not the decisions in these objects
        fresh = self._load([booking.booking_id for booking in waiting])
        half = len(fresh) // 2
        return self._finish_or_bisect(fresh[:half]) | self._finish_or_bisect(fresh[half:])

    def _load(self, numbers: Sequence[int]) -> list[Booking]:
        with self._store.transaction() as tx:
            return [booking for booking in load(tx, numbers) if booking.is_open]
