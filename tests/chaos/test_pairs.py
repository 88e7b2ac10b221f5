"""Two processes of a service: of each source one follows, the other stands by and takes over."""

from __future__ import annotations

from collections import Counter

from tests.chaos.fleet import Beside, Fleet
from tests.chaos.journal import Journal, audit, backlog, opened
from tests.chaos.load import Load, Town
from tests.waiting import wait_until

SERVICE = "payout"
SOME = 80
A_FEW = 0.1
"""Who stands by looks now and then whether somebody follows, and may be the first to see what comes just then."""


def shares(platform: Fleet, other: Beside, load: Load) -> dict[str, float]:
    """Of what each source tells meanwhile, the share of the process that handles less of it."""
    before = [platform.handled(SERVICE), other.handled()]
    load.acknowledged(SOME, clients=8)
    platform.wait_idle()
    after = [platform.handled(SERVICE), other.handled()]
    first, second = (Counter(now) - Counter(then) for now, then in zip(after, before, strict=True))
    assert first["booking"] + second["booking"] > 0
    return {source: min(first[source], second[source]) / (first[source] + second[source]) for source in first | second}


def test_of_two_processes_one_follows_and_the_other_takes_over(
    platform: Fleet, town: Town, load: Load, journal: Journal
) -> None:
    platform.wait_idle()
    with platform.beside(SERVICE) as other:
        assert max(shares(platform, other, load).values()) < A_FEW
        before = other.handled()
        platform.kill(SERVICE)
        load.acknowledged(SOME, clients=8)
        with opened(platform) as books:
            wait_until(lambda: not backlog(books), lambda: backlog(books))
            assert audit(books, journal.entries(), town.quantities) == []
        assert other.handled()["booking"] > before.get("booking", 0.0)
        platform.start_process(SERVICE)
        platform.wait_until_ready()


def test_without_a_single_active_consumer_both_follow(platform: Fleet, load: Load) -> None:
    """The control: the same queues, which give what comes to both in turn. The tracked position keeps what they do
    right; that each source has one who follows is gone."""
    platform.wait_idle()
    platform.lose_queues(SERVICE)
    with platform.sabotaged(SERVICE, "takes_turns"):
        try:
            with platform.beside(SERVICE) as other:
                assert shares(platform, other, load)["booking"] > A_FEW
        finally:  # who has the guard makes them anew
            platform.kill(SERVICE)
            platform.lose_queues(SERVICE)
    platform.wait_idle()
