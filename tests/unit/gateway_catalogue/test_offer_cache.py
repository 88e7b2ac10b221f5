"""Offers that are kept for a moment are never older than what this process has written."""

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


class Shelf:
    """Answers with what it holds, once it is let go."""

    def __init__(self) -> None:
        self.body = b"old"
        self.reads = 0
        self.error: Exception | None = None
        self.held: green.Event | None = None
        self.seconds = 100.0
        self.clock = SettableClock(NOW)
        self.offers = OfferCache(self.reading, self.read, self.clock, lambda: self.seconds)

    @contextmanager
    def reading(self) -> Iterator[Any]:
        yield None

    def read(self, _connection: Any, _offer_id: int, _now: datetime) -> bytes | None:
        self.reads += 1
        body, error = self.body, self.error
        if self.held is not None:
            self.held.wait()
        if error is not None:
            raise error
        return body


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_it_is_read_once_for_a_moment(shelf: Shelf) -> None:
    assert [shelf.offers.get(1) for _ in range(5)] == [b"old"] * 5
    assert shelf.reads == 1
    shelf.seconds += CACHE_SECONDS
    shelf.offers.get(1)
    assert shelf.reads == 2


def test_nothing_older_than_a_write_of_ours_is_given(shelf: Shelf) -> None:
    shelf.offers.get(1)
    shelf.body = b"new"
    shelf.offers.clear()
    assert shelf.offers.get(1) == b"new"


def test_the_platforms_clock_decides_what_can_be_booked(shelf: Shelf) -> None:
    shelf.offers.get(1)
    shelf.clock.move_to(NOW + timedelta(days=1))
    shelf.offers.get(1)
    assert shelf.reads == 2


def test_who_asks_meanwhile_waits_for_the_same_answer(shelf: Shelf) -> None:
    shelf.held = green.Event()
    asking = [green.spawn(shelf.offers.get, 1) for _ in range(10)]
    green.sleep(0)
    shelf.held.send(None)
    assert [one.wait() for one in asking] == [b"old"] * 10
    assert shelf.reads == 1


def test_who_asks_after_a_write_does_not_get_what_was_read_before_it(shelf: Shelf) -> None:
    shelf.held = green.Event()
    early = green.spawn(shelf.offers.get, 1)
    green.sleep(0)
    shelf.body = b"new"
    shelf.offers.clear()
    late = green.spawn(shelf.offers.get, 1)
    green.sleep(0)
    shelf.held.send(None)
    assert (early.wait(), late.wait()) == (b"old", b"new")
    assert shelf.offers.get(1) == b"new"


def test_an_error_is_everybodys_and_is_not_kept(shelf: Shelf) -> None:
    shelf.held, shelf.error = green.Event(), Unavailable("away")
    asking = [green.spawn(shelf.offers.get, 1) for _ in range(3)]
    green.sleep(0)
    shelf.held.send(None)
    for one in asking:
        with pytest.raises(Unavailable):
            one.wait()
    shelf.error = None
    assert shelf.offers.get(1) == b"old"


def test_only_so_many_are_kept(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offer_cache, "MAX_CACHED", 3)
    for offer_id in range(10):
        shelf.offers.get(offer_id)
    assert len(shelf.offers._cached) <= 3
