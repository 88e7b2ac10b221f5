"""What everybody had left when the log stood at a position: the finance team's file of a close."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.kernel.errors import Refused
from tests.unit.wallet.stage import Stage, person

PEOPLE = (7, 8, 9)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Three people with 300 €: 7 holds 100 € and has used 20 €, 8 holds nothing, 9 had a reservation refused."""
    stage = Stage(tmp_path)
    for one in PEOPLE:
        stage.activate(one)
    stage.reserve(1, 100_00)
    stage.reserve(2, 20_00)
    stage.receive_from_booking("CountermarkValidated", 2, 20_00)
    with pytest.raises(Refused):
        stage.reserve(3, 400_00, personId=9)
    return stage


def balances(stage: Stage, **data: Any) -> Any:
    return stage.bus.send_query("wallet", "balances", data)


def left(stage: Stage, **data: Any) -> dict[int, tuple[int, int]]:
    items = balances(stage, **data)["items"]
    return {one["personId"]: (one["theoreticalCents"], one["actualCents"]) for one in items}


def test_balances_before_and_after_reservations(stage: Stage) -> None:
    assert left(stage) == {7: (180_00, 280_00), 8: (300_00, 300_00), 9: (300_00, 300_00)}
    totals = stage.ledger()["totals"]
    assert sum(theoretical for theoretical, _ in left(stage).values()) == totals["available"]
    assert sum(actual for _, actual in left(stage).values()) == totals["available"] + totals["reserved"]


def test_balances_at_a_position_never_change(stage: Stage) -> None:
    then = balances(stage)
    assert then["position"] == stage.ledger()["position"]
    stage.release(1)
    stage.receive_from_booking("CountermarkInvalidated", 2, 20_00)
    stage.reserve(4, 1_00, personId=8)
    stage.activate(10)
    assert left(stage) != {one["personId"]: (one["theoreticalCents"], one["actualCents"]) for one in then["items"]}
    assert balances(stage, position=then["position"]) == then
    assert left(stage, position=0) == {}


def test_all_pages_of_balances_are_at_one_position(stage: Stage) -> None:
    position, cursor, read = balances(stage, limit=1)["position"], None, []
    for one in PEOPLE:
        page = balances(stage, position=position, cursor=cursor, limit=1)
        stage.reserve(10 + one, 1_00, personId=one)
        read += page["items"]
        cursor = page["nextCursor"]
    assert cursor is None
    assert read == balances(stage, position=position)["items"]
    assert [one["personId"] for one in read] == list(PEOPLE)


def test_a_lapse_does_not_change_the_list_of_balances(stage: Stage) -> None:
    before = left(stage)
    stage.pass_time(days=731)
    assert left(stage) == before


def test_a_wallet_without_a_credit_is_left_out(stage: Stage) -> None:
    before = balances(stage)["position"]
    stage.release(5, personId=11)  # given up before anything was granted: the wallet exists, its credit does not
    assert 11 not in left(stage)
    after = balances(stage)["position"]
    stage.activate(11)
    assert 11 in left(stage)
    assert 11 not in left(stage, position=after)
    assert 11 not in left(stage, position=before)


@pytest.mark.parametrize(
    "wrong", [{"cursor": "rubbish"}, {"cursor": "e30"}, {"limit": 0}, {"limit": 10**6}, {"position": -1}], ids=str
)
def test_invalid_queries_are_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        balances(stage, **wrong)
    assert refused.value.status == 422


def test_a_young_person_cannot_read_the_balances(stage: Stage) -> None:
    with pytest.raises(Refused) as refused:
        stage.bus.send_query("wallet", "balances", {}, caller=person(7, "beneficiary"))
    assert refused.value.status == 403
    assert stage.bus.send_query("wallet", "balances", {}, caller=person(0, "finance")) == balances(stage)
