"""Pending writes: the next read waits, once, until the services that it reads show them. The writes do not wait."""

from __future__ import annotations

from typing import Any

import pytest

from services.gateway.application.consistency import PendingWrites
from shared.kernel.errors import Unavailable
from shared.runtime.direct_bus import DirectBus


class Followers(DirectBus):
    """A bus to services that follow others' messages. Records which position each was waited for."""

    def __init__(self) -> None:
        super().__init__({})
        self.waits: list[tuple[str, str, int]] = []
        self.late = False

    def send_query(self, service: str, name: str, data: dict[str, Any], **_: Any) -> dict[str, bool]:
        assert name == "reached"
        self.waits.append((service, data["source"], data["position"]))
        if self.late:
            raise Unavailable("not yet")
        return {"reached": True}


@pytest.fixture
def followers() -> Followers:
    return Followers()


@pytest.fixture
def pending_writes(followers: Followers) -> PendingWrites:
    return PendingWrites(followers, max_offers=3)


def booked(offer_id: int) -> dict[str, Any]:
    return {"offer": {"offerId": offer_id}}


def test_the_next_read_of_a_booked_offer_waits_once(pending_writes: PendingWrites, followers: Followers) -> None:
    pending_writes.note("booking", "book", 7, booked(1))
    assert followers.waits == []
    pending_writes.wait_for_offer(2)
    assert followers.waits == []
    pending_writes.wait_for_offer(1)
    pending_writes.wait_for_offer(1)
    assert followers.waits == [("gateway", "booking", 7)]


def test_a_search_waits_for_the_last_booking_of_any_offer(pending_writes: PendingWrites, followers: Followers) -> None:
    pending_writes.note("booking", "book", 7, booked(1))
    pending_writes.note("booking", "book", 9, booked(2))
    pending_writes.wait_for_offers()
    assert followers.waits == [("gateway", "booking", 9)]


def test_the_oldest_offers_share_one_pending_position(pending_writes: PendingWrites, followers: Followers) -> None:
    for number in range(1, 6):
        pending_writes.note("booking", "book", number, booked(number))
    pending_writes.wait_for_offer(1)  # evicted: any read waits for positions 1 and 2
    pending_writes.wait_for_offer(5)
    assert followers.waits == [("gateway", "booking", 2), ("gateway", "booking", 5)]


def test_the_next_read_of_wallet_or_payout_waits_for_a_validation(
    pending_writes: PendingWrites, followers: Followers
) -> None:
    pending_writes.note("booking", "desk-use", 11, {})
    pending_writes.wait_for("identity")
    assert followers.waits == []
    pending_writes.wait_for("payout")
    pending_writes.wait_for("payout")
    pending_writes.wait_for("wallet")
    assert followers.waits == [("payout", "booking", 11), ("wallet", "booking", 11)]


def test_a_write_that_published_nothing_is_not_waited_for(pending_writes: PendingWrites, followers: Followers) -> None:
    pending_writes.note("booking", "book", None, booked(1))
    pending_writes.wait_for_offer(1)
    assert followers.waits == []


def test_a_late_service_does_not_fail_the_read(pending_writes: PendingWrites, followers: Followers) -> None:
    followers.late = True
    pending_writes.note("booking", "book", 7, booked(1))
    pending_writes.wait_for_offer(1)
    assert followers.waits == [("gateway", "booking", 7)]
