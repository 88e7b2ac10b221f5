"""Balances and lines: now, as they stood, page by page, and for whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.kernel.errors import Refused
from shared.kernel.time import instant_text
from tests.unit.wallet.stage import START, ZOE, Stage, person


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """A credit on day 0, 100 € reserved on day 1, used on day 2, 50 € reserved on day 3 and released on day 4."""
    stage.activate()
    stage.pass_time(days=1)
    stage.reserve(1, 100_00, digital=True)
    stage.pass_time(days=1)
    stage.receive_from_booking("CountermarkValidated", 1, 100_00)
    stage.pass_time(days=1)
    stage.reserve(2, 50_00)
    stage.pass_time(days=1)
    stage.release(2)
    return stage


def day(number: float) -> str:
    return instant_text(START + timedelta(days=number))


def test_lines_add_up_to_the_balance(stage: Stage) -> None:
    items = stage.entries()["items"]
    assert [(item["kind"], item["amountCents"], item["balanceCents"], item["bookingId"]) for item in items] == [
        ("granted", 300_00, 300_00, None),
        ("reserved", -100_00, 200_00, 1),
        ("spent", 0, 200_00, 1),
        ("reserved", -50_00, 150_00, 2),
        ("released", 50_00, 200_00, 2),
    ]
    assert sum(item["amountCents"] for item in items) == stage.credit()["current"]["remainingCents"]


@pytest.mark.parametrize(
    ("at", "remaining", "lines"),
    [(-0.1, None, 0), (0, 300_00, 1), (1.5, 200_00, 2), (2.5, 200_00, 3), (3.5, 150_00, 4), (9, 200_00, 5)],
)
def test_the_balance_as_of_an_instant(stage: Stage, at: float, remaining: int | None, lines: int) -> None:
    current = stage.credit(asOf=day(at))["current"]
    assert (current and current["remainingCents"]) == remaining
    assert stage.entries(asOf=day(at))["items"] == stage.entries()["items"][:lines]


def test_the_present_balance_is_that_as_of_now(stage: Stage) -> None:
    assert stage.credit(asOf=instant_text(stage.clock.now())) == stage.credit()


def test_the_expiry_counts_as_of_the_instant(stage: Stage) -> None:
    assert stage.credit(asOf=day(729.9))["current"]["remainingCents"] == 200_00
    assert stage.credit(asOf=day(730))["current"]["remainingCents"] == 0


def test_pages(stage: Stage) -> None:
    for more in ({}, {"asOf": day(9)}):
        whole, read, cursor = stage.entries(**more)["items"], [], None
        for _ in range(3):
            page = stage.entries(limit=2, cursor=cursor, **more)
            read += page["items"]
            cursor = page["nextCursor"]
        assert read == whole
        assert cursor is None


def test_a_cursor_keeps_its_as_of(stage: Stage) -> None:
    cursor = stage.entries(limit=1, asOf=day(1.5))["nextCursor"]
    assert [item["kind"] for item in stage.entries(cursor=cursor)["items"]] == ["reserved"]
    with pytest.raises(Refused) as refused:
        stage.entries(cursor=cursor, asOf=day(2))
    assert refused.value.code == "invalid"


@pytest.mark.parametrize(
    "wrong",
    [
        {"cursor": "rubbish"},
        {"cursor": "é"},
        {"cursor": 7},
        {"cursor": "W10"},
        {"cursor": "e30"},
        {"limit": 0},
        {"limit": 10**15},
        {"asOf": "yesterday"},
        {"asOf": "2021-11-02T09:00:00"},
        {"personId": "x"},
    ],
    ids=str,
)
def test_invalid_queries_are_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        stage.bus.send_query("wallet", "entries", {"personId": ZOE, **wrong})
    assert refused.value.status == 422


def test_a_person_reads_only_their_own_wallet(stage: Stage) -> None:
    own = stage.bus.send_query("wallet", "credit", {"personId": ZOE}, caller=person(ZOE, "beneficiary"))
    assert own["current"]["grantedCents"] == 300_00
    assert stage.bus.send_query("wallet", "credit", {"personId": ZOE}, caller=person(0, "finance")) == own
    for name in ("credit", "entries"):
        with pytest.raises(Refused) as refused:
            stage.bus.send_query("wallet", name, {"personId": ZOE}, caller=person(8, "beneficiary"))
        assert refused.value.status == 404
    with pytest.raises(Refused) as refused:
        stage.credit(asOf="nonsense")
    assert refused.value.status == 422
