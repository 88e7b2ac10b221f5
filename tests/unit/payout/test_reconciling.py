"""A cent altered in any stored row or event shows, with the bookings that it touches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.payout.projections import projections
from shared.eventstore.tables import stored_events
from shared.kernel.errors import Unavailable
from tests.unit.payout.stage import Stage

TABLES = [table for projection in projections() for table in projection.tables]
COLUMNS = [(table.name, column.name) for table in TABLES for column in table.columns if column.name.endswith("_cents")]
MONEY = {
    "unit_price", "amount", "entering", "revenue", "reimbursed", "contribution", "total", "transferred", "carried",
    "lines_total", "brought_forward", "without_bank_details_total",
}  # fmt: skip


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Everything that payout can have stored."""
    stage = Stage(tmp_path_factory.mktemp("story"))
    stage.settled_in()
    stage.structure(2, "800000022")
    stage.venue(5, offerer=2)
    stage.command("add-custom-rule", {"offererId": 2, "amountCents": 100, "start": "2022-11-03T00:00:00Z"})
    stage.validate(1, 2550)
    stage.validate(2, 1090, used_at="2021-11-01T10:00:00Z")
    stage.validate(3, 900, venue=5, offererId=2)
    stage.close()
    stage.command("mark-sent", {"batchId": 1})
    stage.invalidate(2)
    stage.invalidate(1)
    stage.validate(4, 600)
    stage.close("2021-11-30", "2021-12-01T09:00:00Z")
    stage.validate(5, 5000)
    stage.close("2021-12-15", "2021-12-16T09:00:00Z")
    stage.command("mark-rejected", {"batchId": 3, "transfers": [{"endToEndId": "VIR3-000001", "reason": "AC04"}]})
    stage.validate(6, 7000)
    stage.add_document(stage.submitted(), b"%PDF-1.7 %%EOF")
    stage.balanced()
    return stage


@pytest.fixture
def stage(story: Stage, tmp_path: Path) -> Stage:
    """A copy, to spoil."""
    return story.copy(tmp_path)


def found(stage: Stage) -> list[dict[str, Any]]:
    answer = stage.query("reconciliation")
    assert answer["balanced"] is (not answer["differences"])
    return answer["differences"]


def execute(stage: Stage, statement: Any) -> int:
    with stage.store.transaction() as tx:
        return int(tx.connection.execute(statement).rowcount)


def test_what_balances_says_so_day_by_day(stage: Stage) -> None:
    answer = stage.query("reconciliation")
    assert answer["balanced"] is True
    days = {day["day"]: day["identities"] for day in answer["days"]}
    assert set(days) == {"2021-11-01", "2021-11-02", "2021-11-16", "2021-12-01", "2021-12-16"}
    for identities in days.values():
        assert len(identities) == 4
        assert all(one["left"] == one["right"] for one in identities)
    assert answer["inFlight"] == []


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=lambda name: name)
def test_a_cent_in_a_row_is_found(stage: Stage, table: str, column: str) -> None:
    changed = execute(stage, sa.text(f"UPDATE {table} SET {column} = {column} + 1 WHERE {column} IS NOT NULL"))
    assert changed > 0
    assert any(f"payout.{table}" in one["where"] and column in one["detail"] for one in found(stage))


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_a_row_that_is_gone_is_found(stage: Stage, table: str) -> None:
    assert execute(stage, sa.text(f"DELETE FROM {table}")) > 0
    assert any(one["detail"] == "no such row" and f"payout.{table}" in one["where"] for one in found(stage))


def money_in(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The places of an event's state that hold an amount."""
    places = []
    for name, inner in value.items():
        if isinstance(inner, dict):
            places += money_in(inner, (*path, name))
        elif name in MONEY and inner is not None:
            places.append((*path, name))
    return places


def test_a_cent_in_any_event_is_found(stage: Stage) -> None:
    with stage.store.reading() as connection:
        rows = connection.execute(sa.select(stored_events.c.id, stored_events.c.topic, stored_events.c.state)).all()
    tried = set()
    for row in rows:
        for place in money_in(json.loads(row.state)):
            if (row.topic, place) in tried and row.topic != "EstablishmentYear.Priced":
                continue
            tried.add((row.topic, place))
            state = json.loads(row.state)
            inner = state
            for name in place[:-1]:
                inner = inner[name]
            inner[place[-1]] += 1
            one = stored_events.c.id == row.id
            execute(stage, stored_events.update().where(one).values(state=json.dumps(state)))
            assert found(stage), f"{row.topic} {place}"
            execute(stage, stored_events.update().where(one).values(state=row.state))
    assert len({topic for topic, _ in tried}) >= 10
    assert found(stage) == []


def test_a_cent_in_the_others_ledgers_is_found_with_its_booking(stage: Stage) -> None:
    wallet = stage._wallet_ledger()
    wallet["bookings"]["4"] += 1
    stage.bus.handlers["wallet", "ledger"] = lambda _data, _caller: wallet
    assert [one["bookings"] for one in found(stage)] == [[4]]
    stage.bus.handlers["wallet", "ledger"] = lambda _data, _caller: stage._wallet_ledger()
    booking = stage._booking_ledger()
    del booking["bookings"]["3"]
    stage.bus.handlers["booking", "ledger"] = lambda _data, _caller: booking
    assert {tuple(one["bookings"]) for one in found(stage)} == {(3,)}


def test_rows_that_another_service_reports_are_differences(stage: Stage) -> None:
    booking = stage._booking_ledger()
    booking["rowDifferences"] = [{"table": "bookings", "bookingId": 4, "column": "total_cents", "row": 1, "fold": 2}]
    stage.bus.handlers["booking", "ledger"] = lambda _data, _caller: booking
    assert [(one["where"], one["bookings"]) for one in found(stage)] == [("booking.bookings", [4])]


def test_what_is_in_flight_is_listed_and_is_no_difference(stage: Stage) -> None:
    told = stage._booking_ledger()
    stage.bus.handlers["booking", "ledger"] = lambda _data, _caller: told
    stage.bus.handlers["wallet", "ledger"] = lambda _data, _caller: (
        stage._wallet_ledger()
        | {
            "days": {day: {"spent": sums["validated"]} for day, sums in told["days"].items()},
            "bookings": told["bookings"],
        }
    )
    stage.message("booking", "CountermarkValidated", **stage.validation(8, 100))
    answer = stage.query("reconciliation")
    assert answer["balanced"] is True
    assert [one["consumer"] for one in answer["inFlight"]] == ["payout"]


def test_a_service_that_is_away_is_no_balance(stage: Stage) -> None:
    stage.bus.away.add("wallet")
    with pytest.raises(Unavailable):
        stage.query("reconciliation")
