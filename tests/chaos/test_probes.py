"""A process with a part that hangs or has ended fails its probes.

For the probes during an outage see ``tests/system/test_deployment.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.chaos.fleet import Fleet
from tests.chaos.journal import backlog, opened_stores
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
    """Payout without a guard while it has messages to handle; afterwards it catches up."""
    with platform.without_guard("payout", guard):
        used = load.seen.done["use"]
        while load.seen.done["use"] == used:
            load.acknowledged(4)
        yield
    with opened_stores(platform) as stores:
        wait_until(lambda: not backlog(stores), lambda: backlog(stores))
    wait_until_probed(platform, READY)


def test_hanging_consumer_is_not_ready(platform: Fleet, load: Load) -> None:
    """It stays live, because it may recover; it gets no requests."""
    with without(platform, load, "hang"):
        wait_until_probed(platform, (503, {"ready": False, "trouble": {PART: "stuck"}}))
        assert platform.probed("payout", "live") == (200, {"live": True})
        whole = platform.call("GET", "/health/ready")
        assert (whole.status, whole.json["services"]["payout"]) == (503, "trouble")


def test_ended_consumer_is_neither_live_nor_ready(platform: Fleet, load: Load) -> None:
    """Only a restart helps, so the orchestrator must restart it."""
    with without(platform, load, "ends"):
        wait_until_probed(platform, (503, {"ready": False, "trouble": {PART: "ended"}}))
        assert platform.probed("payout", "live") == (503, {"live": False})
        whole = platform.call("GET", "/health/ready")
        assert (whole.status, whole.json["services"]["payout"]) == (503, "trouble")
