"""Reconciliation finds a changed cent in any stored row or event, and names its bookings."""

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
    """Every kind of row and event that payout stores."""
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
    """A copy that a test may alter."""
    return story.copy(tmp_path)


def found(stage: Stage) -> list[dict[str, Any]]:
    answer = stage.query("reconciliation")
    assert answer["balanced"] is (not answer["differences"])
    return answer["differences"]


def execute(stage: Stage, statement: Any) -> int:
    with stage.store.transaction() as tx:
        return int(tx.connection.execute(statement).rowcount)


def test_a_balanced_platform_has_identities_for_every_day(stage: Stage) -> None:
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
def test_a_missing_row_is_found(stage: Stage, table: str) -> None:
    assert execute(stage, sa.text(f"DELETE FROM {table}")) > 0
    assert any(one["detail"] == "no such row" and f"payout.{table}" in one["where"] for one in found(stage))


def money_in(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of the amounts in an event's state."""
    paths = []
    for name, inner in value.items():
        if isinstance(inner, dict):
            paths += money_in(inner, (*path, name))
        elif name in MONEY and inner is not None:
            paths.append((*path, name))
    return paths


def test_a_cent_in_any_event_is_found(stage: Stage) -> None:
    with stage.store.reading() as connection:
        rows = connection.execute(sa.select(stored_events.c.id, stored_events.c.topic, stored_events.c.state)).all()
    tried = set()
    for row in rows:
        for path in money_in(json.loads(row.state)):
            if (row.topic, path) in tried and row.topic != "EstablishmentYear.Priced":
                continue
            tried.add((row.topic, path))
            state = json.loads(row.state)
            inner = state
            for name in path[:-1]:
                inner = inner[name]
            inner[path[-1]] += 1
            one = stored_events.c.id == row.id
            execute(stage, stored_events.update().where(one).values(state=json.dumps(state)))
            assert found(stage), f"{row.topic} {path}"
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
"""Reimbursements of lines, published reimbursements, transfers at the bank, debts of accounts.

A line that waits for its batch has no second record: booking and its rule are the check.
"""


@pytest.mark.parametrize(("topic", "path"), ONE_SIDE_EACH, ids=lambda part: part if isinstance(part, str) else part[-1])
def test_reimbursements_are_compared_with_independent_records(
    tmp_path: Path, topic: str, path: tuple[str, ...]
) -> None:
    """Paid amounts, transfers and debts do not come from the lines: a changed cent in any of them is a difference."""
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
    of_last_batch = topic.startswith("PayoutBatch")  # the bank has not answered for it
    altered = [row for row in rows if amount_at(row.state, path)][-1 if of_last_batch else 0]
    more = amount_at(altered.state, path, 1)
    execute(stage, stored_events.update().where(stored_events.c.id == altered.id).values(state=json.dumps(more)))
    assert REIMBURSED in {one["identity"] for one in found(stage)}
    execute(stage, stored_events.update().where(stored_events.c.id == altered.id).values(state=altered.state))
    assert found(stage) == []


def amount_at(text: str, path: tuple[str, ...], more: int | None = None) -> Any:
    """The amount at a path; with ``more``, the whole state with that amount increased."""
    state = json.loads(text)
    inner = state
    for name in path[:-1]:
        inner = inner[name]
    if more is None:
        return inner[path[-1]]
    inner[path[-1]] += more
    return state


def test_a_wrong_published_reimbursement_is_found_with_its_booking(stage: Stage) -> None:
    with stage.store.reading() as connection:
        query = sa.select(stored_events).where(stored_events.c.topic == "EstablishmentYear.BookingReimbursed")
        row = connection.execute(query.order_by(stored_events.c.id)).first()
    assert row is not None
    more = amount_at(row.state, ("reimbursed",), 1)
    execute(stage, stored_events.update().where(stored_events.c.id == row.id).values(state=json.dumps(more)))
    named = [one for one in found(stage) if (one["identity"], one["where"]) == (REIMBURSED, "lines")]
    assert [one["bookings"] for one in named] == [[more["booking_id"]]]


def test_a_line_without_its_repricing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a late validation re-prices nothing."""
    stage = Stage(tmp_path)
    stage.set_up()
    stage.validate(1, 100_00)
    monkeypatch.setattr(establishment_year, "crosses_threshold", lambda *_: False)
    stage.validate(2, 20_000_00, used_at="2021-11-01T10:00:00Z")
    assert [(one["identity"], one["bookings"]) for one in found(stage)] == [(RULE, [1])]


def test_a_revenue_that_was_not_recorded_before_the_batch_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: lines enter batches with the revenue of their first pricing."""
    stage = Stage(tmp_path)
    stage.set_up()
    stage.validate(1, 100_00)
    stage.validate(2, 50_00, used_at="2021-11-01T10:00:00Z")
    monkeypatch.setattr(EstablishmentYear, "_record_revenue", lambda *_: None)
    stage.close()
    assert [(one["identity"], one["bookings"]) for one in found(stage)] == [(CHAIN, [1])]


def test_debts_of_two_accounts_do_not_make_up_for_each_other(stage: Stage) -> None:
    """A cent moves from one account to the other: the sum stays the same."""
    with stage.store.reading() as connection:
        query = sa.select(stored_events).where(stored_events.c.topic == "PayoutBatch.DebtMoved")
        (row,) = connection.execute(query).all()
    more = amount_at(row.state, ("amount",), 1)
    execute(stage, stored_events.update().where(stored_events.c.id == row.id).values(state=json.dumps(more)))
    assert len([one for one in found(stage) if one["identity"] == CARRIED]) == 2


def test_a_cent_in_another_services_ledger_is_found_with_its_booking(stage: Stage) -> None:
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


def test_messages_in_flight_are_listed_and_are_no_difference(stage: Stage) -> None:
    earlier = stage._booking_ledger()
    stage.bus.handlers["booking", "ledger"] = lambda _data, _caller: earlier
    stage.bus.handlers["wallet", "ledger"] = lambda _data, _caller: (
        stage._wallet_ledger()
        | {
            "days": {day: {"spent": sums["validated"]} for day, sums in earlier["days"].items()},
            "bookings": earlier["bookings"],
        }
    )
    stage.message("booking", "CountermarkValidated", **stage.validation(8, 100))
    answer = stage.query("reconciliation")
    assert answer["balanced"] is True
    assert [one["consumer"] for one in answer["inFlight"]] == ["payout"]


def test_without_an_answer_of_every_service_there_is_no_balance(stage: Stage) -> None:
    stage.bus.away.add("wallet")
    with pytest.raises(Unavailable):
        stage.query("reconciliation")
