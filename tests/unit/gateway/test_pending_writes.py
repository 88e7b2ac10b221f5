"""Who reads what was booked waits for it, once; who books does not."""

from __future__ import annotations

from typing import Any

import pytest

from services.gateway.application.consistency import PendingWrites
from shared.kernel.errors import Unavailable
from shared.runtime.direct_bus import DirectBus


class Readers(DirectBus):
    """A bus whose services say that they have reached whatever they are asked for."""

    def __init__(self) -> None:
        super().__init__({})
        self.asked: list[tuple[str, str, int]] = []
        self.late = False

    def send_query(self, service: str, name: str, data: dict[str, Any], **_: Any) -> dict[str, bool]:
        assert name == "reached"
        self.asked.append((service, data["source"], data["position"]))
        if self.late:
            raise Unavailable("not yet")
        return {"reached": True}


@pytest.fixture
def readers() -> Readers:
    return Readers()


@pytest.fixture
def pending_writes(readers: Readers) -> PendingWrites:
    return PendingWrites(readers, max_offers=3)


def booked(offer_id: int) -> dict[str, Any]:
    return {"offer": {"offerId": offer_id}}


def test_an_offer_that_was_booked_is_waited_for_once(pending_writes: PendingWrites, readers: Readers) -> None:
    pending_writes.note("booking", "book", 7, booked(1))
    assert readers.asked == []
    pending_writes.wait_for_offer(2)
    assert readers.asked == []
    pending_writes.wait_for_offer(1)
    pending_writes.wait_for_offer(1)
    assert readers.asked == [("gateway", "booking", 7)]


def test_a_search_waits_for_the_last_of_all(pending_writes: PendingWrites, readers: Readers) -> None:
    pending_writes.note("booking", "book", 7, booked(1))
    pending_writes.note("booking", "book", 9, booked(2))
    pending_writes.wait_for_offers()
    assert readers.asked == [("gateway", "booking", 9)]


def test_of_more_offers_than_are_kept_the_oldest_are_waited_for_together(
    pending_writes: PendingWrites, readers: Readers
) -> None:
    for number in range(1, 6):
        pending_writes.note("booking", "book", number, booked(number))
    pending_writes.wait_for_offer(1)  # no longer kept: positions 1 and 2 are waited for by whoever reads
    pending_writes.wait_for_offer(5)
    assert readers.asked == [("gateway", "booking", 2), ("gateway", "booking", 5)]


def test_a_validation_is_waited_for_by_who_asks_those_that_follow_it(
    pending_writes: PendingWrites, readers: Readers
) -> None:
    pending_writes.note("booking", "desk-use", 11, {})
    pending_writes.wait_for("identity")
    assert readers.asked == []
    pending_writes.wait_for("payout")
    pending_writes.wait_for("payout")
    pending_writes.wait_for("wallet")
    assert readers.asked == [("payout", "booking", 11), ("wallet", "booking", 11)]


def test_what_published_nothing_owes_nothing(pending_writes: PendingWrites, readers: Readers) -> None:
    pending_writes.note("booking", "book", None, booked(1))
    pending_writes.wait_for_offer(1)
    assert readers.asked == []


def test_a_reader_that_is_late_fails_nobody(pending_writes: PendingWrites, readers: Readers) -> None:
    readers.late = True
    pending_writes.note("booking", "book", 7, booked(1))
    pending_writes.wait_for_offer(1)
    assert readers.asked == [("gateway", "booking", 7)]
