"""Operators' commands beside a running platform: they ask it over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.platform import Platform
from tests.system.scenario import Scenario


@pytest.fixture(scope="module")
def person(scenario: Scenario) -> int:
    """Somebody with a credit, one booking held and one used."""
    actor, somebody = scenario.actor(), scenario.young_person()
    scenario.make_booking(somebody, scenario.publish(actor, 1500).stock_id)
    scenario.make_used_booking(actor, somebody, 2000)
    scenario.platform.wait_idle()
    account: int = scenario.platform.get("/v1/me", somebody.token)["accountId"]
    return account


def said(platform: Platform, *arguments: str) -> Any:
    done = platform.command(*arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_every_read_model_is_the_fold_of_its_log(platform: Platform, person: int) -> None:
    assert said(platform, "verify")["equal"] is True
    sources = said(platform, "projections")["sources"]
    assert {source["service"] for source in sources} >= {"wallet", "payout", "booking"}
    assert all(source["behind"] == 0 for source in sources)


def test_a_read_model_is_replayed_and_stays_the_same(platform: Platform, person: int) -> None:
    before = said(platform, "streams", "wallet", str(person))
    assert said(platform, "replay", "wallet.balances")["rows"] > 0
    assert said(platform, "diff", "wallet.balances")["equal"] is True
    assert said(platform, "streams", "wallet", str(person)) == before
    assert [event["name"] for event in before["items"]][:3] == ["Wallet.Opened", "Wallet.Granted", "Wallet.Reserved"]


def test_no_message_is_left_behind(platform: Platform, person: int) -> None:
    assert said(platform, "dead-letters") == {"items": []}


@pytest.mark.parametrize(
    "arguments",
    [("streams", "wallet", "99999"), ("replay", "wallet.nothing"), ("dead-letters", "discard", "wallet-99")],
    ids=str,
)
def test_what_is_not_there_is_one_clear_line(platform: Platform, arguments: tuple[str, ...]) -> None:
    done = platform.command(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("passculture: ")
    assert done.stderr.count("\n") == 1
