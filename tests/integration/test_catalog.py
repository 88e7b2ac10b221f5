"""The catalogue on PostgreSQL: the tests that run on SQLite, and its guards under concurrency."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import green
from shared.kernel.errors import DomainError
from shared.runtime.settings import Settings
from tests.integration.conftest import Empty
from tests.unit.catalog.test_offers import *  # noqa: F403 - the same tests, another database
from tests.unit.catalog.test_stocks import *  # noqa: F403
from tests.unit.catalog.test_venues import *  # noqa: F403
from tests.unit.catalog.world import World


@pytest.fixture
def world(empty: Empty, tmp_path: Path) -> World:
    settings = Settings.from_environment({"STATE_DIR": str(tmp_path), "CLOCK": "2021-11-02T09:00:00Z"})
    world = World(settings, empty("catalog"))
    world.register()
    return world


def test_concurrent_venues_with_one_siret_open_once(world: World) -> None:
    def open_venue(_number: int) -> str:
        try:
            return str(world.venue()["establishment"])
        except DomainError as refusal:
            return refusal.code

    answers = list(green.Pool(8).imap(open_venue, range(8)))
    assert sorted(answers) == ["21340172200011"] + ["siret-taken"] * 7


def test_concurrent_price_changes_are_serialized(world: World) -> None:
    _, stock_id = world.concert()

    def reprice(number: int) -> int:
        return int(world.command("change-stock", stockId=stock_id, priceCents=2000 + number)["priceCents"])

    assert sorted(green.Pool(4).imap(reprice, range(4))) == [2000, 2001, 2002, 2003]
    stock = world.query("stock", stockId=stock_id)
    assert stock["version"] == 5
    last = [data["priceCents"] for name, data in world.published() if name == "StockChanged"][-1]
    assert stock["priceCents"] == last
