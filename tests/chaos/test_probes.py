"""A process with a part that hangs, or has ended, says so to its orchestrator.

What it says while a server is away stands in ``tests/system/test_deployment.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.chaos.fleet import Fleet
from tests.chaos.journal import backlog, opened
from tests.chaos.load import Load
from tests.waiting import wait_until

PART = "payout messages from booking"
READY = (200, {"ready": True, "trouble": {}})


@pytest.fixture(autouse=True)
def ready(platform: Fleet) -> None:
    platform.wait_idle()
    wait_until_probed(platform, READY)
    assert platform.probed("payout", "live") == (200, {"live": True})


def wait_until_probed(platform: Fleet, answer: tuple[int, Any]) -> None:
    """Until the readiness probe of payout gives that answer. A process that was just started answers nothing yet."""
    wait_until(lambda: platform.probed("payout", "ready") == answer, lambda: platform.probed("payout", "ready"))


@contextmanager
def without(platform: Fleet, load: Load, guard: str) -> Iterator[None]:
    """Payout, with something to follow booking for; it comes to rest when it has the guard again."""
    with platform.sabotaged("payout", guard):
        used = load.seen.done["use"]
        while load.seen.done["use"] == used:
            load.acknowledged(4)
        yield
    with opened(platform) as books:
        wait_until(lambda: not backlog(books), lambda: backlog(books))
    wait_until_probed(platform, READY)


def test_a_consumer_that_never_comes_back_is_not_ready(platform: Fleet, load: Load) -> None:
    """It lives: perhaps it comes back. Its orchestrator sends it nobody."""
    with without(platform, load, "hangs"):
        wait_until_probed(platform, (503, {"ready": False, "trouble": {PART: "stuck"}}))
        assert platform.probed("payout", "live") == (200, {"live": True})
        whole = platform.call("GET", "/health/ready")
        assert (whole.status, whole.json["services"]["payout"]) == (503, "trouble")


def test_a_consumer_whose_greenlet_ended_neither_lives_nor_is_ready(platform: Fleet, load: Load) -> None:
    """Only another process would do: its orchestrator starts one."""
    with without(platform, load, "ends"):
        wait_until_probed(platform, (503, {"ready": False, "trouble": {PART: "ended"}}))
        assert platform.probed("payout", "live") == (503, {"live": False})
        whole = platform.call("GET", "/health/ready")
        assert (whole.status, whole.json["services"]["payout"]) == (503, "trouble")
