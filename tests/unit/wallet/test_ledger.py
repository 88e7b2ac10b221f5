"""The ledger is folded from the log alone, and every row that differs from it by a cent is found."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from services.wallet.projections import Balances, LedgerEntries
from services.wallet.storage import tables
from shared.eventstore.tables import stored_events
from shared.kernel.errors import Refused
from tests.unit.wallet.stage import ZOE, Stage


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.activate()
    stage.activate(8)
    stage.reserve(1, 100_00)
    stage.receive_from_booking("CountermarkValidated", 1, 100_00)
    stage.reserve(2, 30_00, digital=True)
    stage.release(3)
    stage.reserve(4, 40_00, personId=8)
    stage.pass_time(days=1)
    stage.receive_from_booking("CountermarkValidated", 4, 40_00, personId=8)
    stage.receive_from_booking("CountermarkValidated", 77, 0)
    return stage


def execute(stage: Stage, statement: Any) -> None:
    with stage.store.transaction() as tx:
        tx.connection.execute(statement)


def test_the_ledger_has_the_sums_of_each_day(stage: Stage) -> None:
    ledger = stage.ledger()
    assert ledger["totals"] == {
        "granted": 600_00,
        "available": 430_00,
        "reserved": 30_00,
        "spent": 140_00,
        "lapsed": 0,
    }
    assert ledger["days"] == {
        "2021-11-02": {"granted": 600_00, "reserved": 170_00, "spent": 100_00},
        "2021-11-03": {"spent": 40_00},
    }
    assert ledger["bookings"] == {"1": 100_00, "4": 40_00}
    assert ledger["sources"] == {"booking": 3, "identity": 2}
    assert ledger["contradictions"] == stage.differences() == []


def test_the_ledger_names_the_tracked_position_of_booking(stage: Stage) -> None:
    with stage.store.reading() as connection:
        log = list(stage.store.log.events(connection))
    first_spent = next(position for position, _, event in log if type(event).__name__ == "Spent")
    early = stage.ledger(position=first_spent)
    assert early["position"] == first_spent
    assert early["sources"]["booking"] == 1
    assert early["bookings"] == {"1": 100_00}
    assert stage.ledger(position=first_spent - 1)["sources"]["booking"] == 0
    assert stage.ledger(position=0)["totals"]["granted"] == 0
    assert stage.ledger(position=10**6)["position"] == log[-1][0]
    with pytest.raises(Refused):
        stage.ledger(position=-1)


@pytest.mark.parametrize("table", ["wallets", "credits", "attempts", "ledger_entries"])
def test_the_ledger_finds_a_deleted_row(stage: Stage, table: str) -> None:
    execute(stage, sa.text(f"DELETE FROM {table} WHERE person_id = {ZOE}"))
    assert {difference["table"] for difference in stage.differences()} == {table}


def test_the_ledger_compares_grants_with_balances(stage: Stage) -> None:
    """By the log on one side, by the rows on the other: a cent in either shows."""
    topic = stored_events.c.topic == "Wallet.Granted"

    def astray() -> int:
        totals = stage.bus.send_query("wallet", "ledger", {})["totals"]
        return int(totals["granted"] - sum(cents for name, cents in totals.items() if name != "granted"))

    assert astray() == 0
    more = {name: tables.credits.c[name] + 1 for name in ("granted", "available")}
    execute(stage, tables.credits.update().where(tables.credits.c.person_id == ZOE).values(more))
    assert astray() == -1
    granted = sa.func.replace(stored_events.c.state, '"amount":30000', '"amount":30004')
    execute(stage, stored_events.update().where(topic).values(state=granted))
    assert astray() == 2 * 4 - 1


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        (tables.credits, {"available": tables.credits.c.available - 1, "reserved": tables.credits.c.reserved + 1}),
        (tables.attempts, {"amount": tables.attempts.c.amount + 1}),
        (tables.ledger_entries, {"balance": tables.ledger_entries.c.balance + 1}),
    ],
    ids=["credits", "attempts", "entries"],
)
def test_the_ledger_finds_a_wrong_amount_in_a_row(stage: Stage, table: sa.Table, changes: dict[str, Any]) -> None:
    execute(stage, table.update().where(table.c.person_id == 8).values(changes))
    stage.ledger()
    differences = stage.differences()
    assert {difference["table"] for difference in differences} == {table.name}
    assert differences[0]["live"] != differences[0]["folded"]


def test_the_ledger_finds_a_row_without_an_event(stage: Stage) -> None:
    execute(stage, tables.wallets.insert().values(person_id=1234, version=0))
    stage.ledger()
    (difference,) = stage.differences()
    assert (difference["key"], difference["folded"]) == ({"person_id": 1234}, None)


def test_the_ledger_finds_a_wrong_amount_in_the_log(stage: Stage) -> None:
    altered = sa.func.replace(stored_events.c.state, '"amount":4000', '"amount":4001')
    execute(stage, stored_events.update().where(stored_events.c.topic == "Wallet.Spent").values(state=altered))
    ledger = stage.bus.send_query("wallet", "ledger", {})
    assert ledger["bookings"]["4"] == 40_01
    assert [one["stream"] for one in ledger["contradictions"]] == ["wallet 8"]
    assert "credits" in {difference["table"] for difference in stage.differences()}


def test_a_check_constraint_refuses_a_lost_cent(stage: Stage) -> None:
    lost = tables.credits.update().values(spent=tables.credits.c.spent + 1)
    with pytest.raises(Exception, match="every_cent_is_somewhere"):
        execute(stage, lost)


def test_a_rebuild_gives_the_live_rows(stage: Stage) -> None:
    tables = (*Balances.tables, *LedgerEntries.tables)

    def rows(connection: sa.Connection) -> dict[str, list[Any]]:
        return {table.name: connection.execute(sa.select(table).order_by(*table.primary_key)).all() for table in tables}

    with stage.store.reading() as connection:
        live = rows(connection)
        events = [event for _, _, event in stage.store.log.events(connection)]
    with stage.store.transaction() as tx:
        for table in tables:
            tx.connection.execute(table.delete())
        for projection in (Balances(), LedgerEntries()):
            projection.apply(tx.connection, events, live=False)
        assert rows(tx.connection) == live
