"""A cent altered in any stored row or event shows, with the bookings that it touches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.payout.domain import establishment_year
from services.payout.domain.establishment_year import EstablishmentYear
from services.payout.domain.ledger import CARRIED, CHAIN, REIMBURSED, RULE
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
    stage.set_up()
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
    stage.close("2021-12-31", "2022-01-01T09:00:00Z")
    stage.invalidate(6)
    stage.invalidate(4)
    stage.close("2022-01-15", "2022-01-16T09:00:00Z")
    stage.accepted_account(2)
    stage.close("2022-01-31", "2022-02-01T09:00:00Z")
    stage.validate(7, 900)
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
    assert set(days) == {"2021-11-01", "2021-11-02", "2021-11-16", "2021-12-01", "2021-12-16", "2022-02-01"}
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


ONE_SIDE_EACH = [
    ("EstablishmentYear.Priced", ("price", "reimbursed")),
    ("EstablishmentYear.BookingReimbursed", ("reimbursed",)),
    ("EstablishmentYear.CorrectionReimbursed", ("reimbursed",)),
    ("PayoutBatch.AccountListed", ("account", "transferred")),
    ("PayoutBatch.AccountListed", ("account", "carried")),
]
"""What lines are reimbursed; what was told as reimbursed; what is at the bank; what accounts carry forward.

Of a line that waits for its batch there is no other record: booking and its rule vouch for it.
"""


@pytest.mark.parametrize(
    ("topic", "place"), ONE_SIDE_EACH, ids=lambda part: part if isinstance(part, str) else part[-1]
)
def test_what_is_reimbursed_is_held_against_records_of_their_own(
    tmp_path: Path, topic: str, place: tuple[str, ...]
) -> None:
    """Paid, at the bank and carried forward are not read off the lines: a cent in any of them, and they differ."""
    stage = Stage(tmp_path)
    stage.set_up()
    stage.venue(2)
    stage.accepted_account(2, venue=2)
    stage.validate(1, 2550)
    stage.validate(2, 1000, venue=2)
    stage.close()
    stage.command("mark-sent", {"batchId": 1})
    stage.command("correct", {"bookingId": 1, "reason": "wrong", "reimbursedCents": 2500})
    stage.validate(3, 700)
    stage.close("2021-11-30", "2021-12-01T09:00:00Z")
    stage.command("mark-sent", {"batchId": 2})
    stage.invalidate(2, venue=2)
    stage.validate(4, 600)
    stage.validate(5, 100, venue=2)
    stage.close("2021-12-15", "2021-12-16T09:00:00Z")
    stage.validate(6, 300)
    assert REIMBURSED not in {one["identity"] for one in found(stage)}
    with stage.store.reading() as connection:
        query = sa.select(stored_events.c.id, stored_events.c.state).where(stored_events.c.topic == topic)
        rows = connection.execute(query.order_by(stored_events.c.id)).all()
    of_last_batch = topic.startswith("PayoutBatch")  # the one that the bank has not answered for
    spoilt = [row for row in rows if amount_at(row.state, place)][-1 if of_last_batch else 0]
    more = amount_at(spoilt.state, place, 1)
    execute(stage, stored_events.update().where(stored_events.c.id == spoilt.id).values(state=json.dumps(more)))
    assert REIMBURSED in {one["identity"] for one in found(stage)}
    execute(stage, stored_events.update().where(stored_events.c.id == spoilt.id).values(state=spoilt.state))
    assert found(stage) == []


def amount_at(text: str, place: tuple[str, ...], more: int | None = None) -> Any:
    """What stands there; with ``more``, the whole state with so much more there."""
    state = json.loads(text)
    inner = state
    for name in place[:-1]:
        inner = inner[name]
    if more is None:
        return inner[place[-1]]
    inner[place[-1]] += more
    return state


def test_a_line_that_was_told_as_reimbursed_with_another_amount_is_named(stage: Stage) -> None:
    with stage.store.reading() as connection:
        query = sa.select(stored_events).where(stored_events.c.topic == "EstablishmentYear.BookingReimbursed")
        row = connection.execute(query.order_by(stored_events.c.id)).first()
    assert row is not None
    more = amount_at(row.state, ("reimbursed",), 1)
    execute(stage, stored_events.update().where(stored_events.c.id == row.id).values(state=json.dumps(more)))
    named = [one for one in found(stage) if (one["identity"], one["where"]) == (REIMBURSED, "lines")]
    assert [one["bookings"] for one in named] == [[more["booking_id"]]]


def test_a_line_that_was_not_priced_again_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: nobody looks at what comes after a booking that was learnt later."""
    stage = Stage(tmp_path)
    stage.set_up()
    stage.validate(1, 100_00)
    monkeypatch.setattr(establishment_year, "crosses_threshold", lambda *_: False)
    stage.validate(2, 20_000_00, used_at="2021-11-01T10:00:00Z")
    assert [(one["identity"], one["bookings"]) for one in found(stage)] == [(RULE, [1])]


def test_a_revenue_that_was_not_said_before_the_batch_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: lines enter batches with the revenue of their pricing."""
    stage = Stage(tmp_path)
    stage.set_up()
    stage.validate(1, 100_00)
    stage.validate(2, 50_00, used_at="2021-11-01T10:00:00Z")
    monkeypatch.setattr(EstablishmentYear, "_record_revenue", lambda *_: None)
    stage.close()
    assert [(one["identity"], one["bookings"]) for one in found(stage)] == [(CHAIN, [1])]


def test_what_one_account_carries_forward_does_not_make_up_for_another(stage: Stage) -> None:
    """A cent moved from one account to the other: their sum is as it was."""
    with stage.store.reading() as connection:
        query = sa.select(stored_events).where(stored_events.c.topic == "PayoutBatch.DebtMoved")
        (row,) = connection.execute(query).all()
    more = amount_at(row.state, ("amount",), 1)
    execute(stage, stored_events.update().where(stored_events.c.id == row.id).values(state=json.dumps(more)))
    assert len([one for one in found(stage) if one["identity"] == CARRIED]) == 2


def test_a_cent_in_the_others_ledgers_is_found_with_its_booking(stage: Stage) -> None:
    wallet = stage._wallet_ledger()
    wallet["bookings"]["7"] += 1
    stage.bus.handlers["wallet", "ledger"] = lambda _data, _caller: wallet
    assert [one["bookings"] for one in found(stage)] == [[7]]
    stage.bus.handlers["wallet", "ledger"] = lambda _data, _caller: stage._wallet_ledger()
    booking = stage._booking_ledger()
    del booking["bookings"]["3"]
    stage.bus.handlers["booking", "ledger"] = lambda _data, _caller: booking
    assert {tuple(one["bookings"]) for one in found(stage)} == {(3,)}


def test_rows_that_another_service_reports_are_differences(stage: Stage) -> None:
    row = {"booking_id": 4, "unit_price": 1}
    altered = {"table": "bookings", "key": {"booking_id": 4}, "live": row, "folded": {**row, "unit_price": 2}}
    stage.bus.handlers["booking", "compare-projection"] = lambda _data, _caller: {"differences": [altered]}
    (one,) = found(stage)
    assert (one["where"], one["bookings"], one["detail"]) == ("booking.bookings", [4], "unit_price: 1 ≠ 2")


def test_events_that_contradict_each_other_are_differences(stage: Stage) -> None:
    booking = stage._booking_ledger()
    booking["contradictions"] = [{"stream": "booking 4", "bookings": [4], "detail": "costs 2, and 1 before"}]
    stage.bus.handlers["booking", "ledger"] = lambda _data, _caller: booking
    assert [(one["where"], one["bookings"]) for one in found(stage)] == [("booking: booking 4", [4])]


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
