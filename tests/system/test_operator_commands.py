"""Operators' commands that call a running platform over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.platform import Platform
from tests.system.scenario import Scenario


@pytest.fixture(scope="module")
def person(scenario: Scenario) -> int:
    """The account of a beneficiary with a confirmed booking and a used one."""
    actor, beneficiary = scenario.actor(), scenario.young_person()
    scenario.make_booking(beneficiary, scenario.publish(actor, 1500).stock_id)
    scenario.make_used_booking(actor, beneficiary, 2000)
    scenario.platform.wait_idle()
    account: int = scenario.platform.get("/v1/me", beneficiary.token)["accountId"]
    return account


def run_json(platform: Platform, *arguments: str) -> Any:
    done = platform.command(*arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_read_models_match_the_event_log(platform: Platform, person: int) -> None:
    assert run_json(platform, "verify")["equal"] is True
    sources = run_json(platform, "projections")["sources"]
    assert {source["service"] for source in sources} >= {"wallet", "payout", "booking"}
    assert all(source["behind"] == 0 for source in sources)


def test_replay_rebuilds_the_same_read_model(platform: Platform, person: int) -> None:
    before = run_json(platform, "streams", "wallet", str(person))
    assert run_json(platform, "replay", "wallet.balances")["rows"] > 0
    assert run_json(platform, "diff", "wallet.balances")["equal"] is True
    assert run_json(platform, "streams", "wallet", str(person)) == before
    assert [event["name"] for event in before["items"]][:3] == ["Wallet.Opened", "Wallet.Granted", "Wallet.Reserved"]


def test_there_are_no_dead_letters(platform: Platform, person: int) -> None:
    assert run_json(platform, "dead-letters") == {"items": []}


@pytest.mark.parametrize(
    "arguments",
    [("streams", "wallet", "99999"), ("replay", "wallet.nothing"), ("dead-letters", "discard", "wallet-99")],
    ids=str,
)
def test_unknown_argument_is_reported_in_one_line(platform: Platform, arguments: tuple[str, ...]) -> None:
    done = platform.command(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("passculture: ")
    assert done.stderr.count("\n") == 1
