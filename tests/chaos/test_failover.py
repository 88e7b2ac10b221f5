"""Of two processes of a service, one consumes each source; the other takes over when it ends."""

from __future__ import annotations

from collections import Counter

from tests.chaos.fleet import Fleet, SecondProcess
from tests.chaos.journal import Journal, audit, backlog, opened_stores
from tests.chaos.load import Dataset, Load
from tests.waiting import wait_until

SERVICE = "payout"
SOME = 80
A_FEW = 0.1
"""Who stands by looks now and then whether somebody follows, and may be the first to see what comes just then."""


def shares(platform: Fleet, other: SecondProcess, load: Load) -> dict[str, float]:
    """For each source, the share of messages that the less busy process handles."""
    before = [platform.handled(SERVICE), other.handled()]
    load.acknowledged(SOME, clients=8)
    platform.wait_idle()
    after = [platform.handled(SERVICE), other.handled()]
    first, second = (Counter(now) - Counter(then) for now, then in zip(after, before, strict=True))
    assert first["booking"] + second["booking"] > 0
    return {source: min(first[source], second[source]) / (first[source] + second[source]) for source in first | second}


def test_standby_process_takes_over(platform: Fleet, dataset: Dataset, load: Load, journal: Journal) -> None:
    platform.wait_idle()
    with platform.beside(SERVICE) as other:
        assert max(shares(platform, other, load).values()) < A_FEW
        before = other.handled()
        platform.kill(SERVICE)
        load.acknowledged(SOME, clients=8)
        with opened_stores(platform) as stores:
            wait_until(lambda: not backlog(stores), lambda: backlog(stores))
            assert audit(stores, journal.entries(), dataset.quantities) == []
        assert other.handled()["booking"] > before.get("booking", 0.0)
        platform.start_process(SERVICE)
        platform.wait_until_ready()


def test_without_a_single_active_consumer_both_consume(platform: Fleet, load: Load) -> None:
    """The control: both processes consume the same queues. The rows stay right, because of the tracked position."""
    platform.wait_idle()
    platform.delete_message_queues(SERVICE)
    with platform.without_guard(SERVICE, "share_queues"):
        try:
            with platform.beside(SERVICE) as other:
                assert shares(platform, other, load)["booking"] > A_FEW
        finally:  # who has the guard makes them anew
            platform.kill(SERVICE)
            platform.delete_message_queues(SERVICE)
    platform.wait_idle()
