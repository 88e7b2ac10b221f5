"""The cache of offers: it never returns an offer from before a write of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.gateway.projections.catalogue import offer_cache
from services.gateway.projections.catalogue.offer_cache import CACHE_SECONDS, OfferCache
from shared import green
from shared.kernel.errors import Unavailable
from shared.kernel.time import SettableClock

NOW = datetime(2021, 11, 2, 9, tzinfo=UTC)


class CachedOffer:
    """A cache over one offer. A read blocks until ``release`` is sent, if it is set."""

    def __init__(self) -> None:
        self.body = b"old"
        self.reads = 0
        self.error: Exception | None = None
        self.release: green.Event | None = None
        self.seconds = 100.0
        self.clock = SettableClock(NOW)
        self.cache = OfferCache(self.reading, self.read, self.clock, lambda: self.seconds)

    @contextmanager
    def reading(self) -> Iterator[Any]:
        yield None

    def read(self, _connection: Any, _offer_id: int, _now: datetime) -> bytes | None:
        self.reads += 1
        body, error = self.body, self.error
        if self.release is not None:
            self.release.wait()
        if error is not None:
            raise error
        return body


@pytest.fixture
def cached() -> CachedOffer:
    return CachedOffer()


def test_an_offer_is_read_once_within_its_lifetime(cached: CachedOffer) -> None:
    assert [cached.cache.get(1) for _ in range(5)] == [b"old"] * 5
    assert cached.reads == 1
    cached.seconds += CACHE_SECONDS
    cached.cache.get(1)
    assert cached.reads == 2


def test_clearing_discards_the_cached_offer(cached: CachedOffer) -> None:
    cached.cache.get(1)
    cached.body = b"new"
    cached.cache.clear()
    assert cached.cache.get(1) == b"new"


def test_a_move_of_the_clock_discards_the_cached_offer(cached: CachedOffer) -> None:
    cached.cache.get(1)
    cached.clock.move_to(NOW + timedelta(days=1))
    cached.cache.get(1)
    assert cached.reads == 2


def test_concurrent_reads_share_one_query(cached: CachedOffer) -> None:
    cached.release = green.Event()
    reads = [green.spawn(cached.cache.get, 1) for _ in range(10)]
    green.sleep(0)
    cached.release.send(None)
    assert [one.wait() for one in reads] == [b"old"] * 10
    assert cached.reads == 1


def test_a_read_after_clearing_does_not_share_an_earlier_query(cached: CachedOffer) -> None:
    cached.release = green.Event()
    early = green.spawn(cached.cache.get, 1)
    green.sleep(0)
    cached.body = b"new"
    cached.cache.clear()
    late = green.spawn(cached.cache.get, 1)
    green.sleep(0)
    cached.release.send(None)
    assert (early.wait(), late.wait()) == (b"old", b"new")
    assert cached.cache.get(1) == b"new"


def test_an_error_reaches_all_waiting_reads_and_is_not_cached(cached: CachedOffer) -> None:
    cached.release, cached.error = green.Event(), Unavailable("away")
    reads = [green.spawn(cached.cache.get, 1) for _ in range(3)]
    green.sleep(0)
    cached.release.send(None)
    for one in reads:
        with pytest.raises(Unavailable):
            one.wait()
    cached.error = None
    assert cached.cache.get(1) == b"old"


def test_the_cache_is_bounded(cached: CachedOffer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offer_cache, "MAX_CACHED", 3)
    for offer_id in range(10):
        cached.cache.get(offer_id)
    assert len(cached.cache._cached) <= 3
