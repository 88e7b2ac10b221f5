"""``passculture reconcile`` balances after a long story, and fails if any stored amount is wrong by one cent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.platform import Platform
from tests.system.conftest import own_platform
from tests.system.money_files import Finance
from tests.system.scenario import Scenario

platform = own_platform

UNIQUE_PRICE = 12_347
"""The price of the booking whose amounts are corrupted: no other amount of the story is equal."""


@pytest.fixture(scope="module")
def story(scenario: Scenario) -> Platform:
    """Bookings in every state, a sent batch, and lines for the next one."""
    actor, people = scenario.actor(), [scenario.young_person() for _ in range(3)]
    finance = Finance(scenario.platform)
    scenario.make_used_booking(actor, people[0], UNIQUE_PRICE)
    scenario.make_booking(people[0], scenario.publish(actor, 1500).stock_id)
    cancelled = scenario.make_booking(people[1], scenario.publish(actor, 800).stock_id)
    assert scenario.cancel(people[1], cancelled["bookingId"]).status == 200
    finance.confirm_sent(finance.close_fortnight())
    begins = scenario.platform.now() + timedelta(days=1)
    concert = scenario.publish(actor, 2100, 5, subcategory="CONCERT", begins=begins, name="Concert", isDuo=True)
    scenario.make_booking(people[1], concert.stock_id, 2)
    scenario.platform.move_clock_to(begins + timedelta(days=3))
    scenario.make_used_booking(actor, people[2], 999)
    undone = scenario.make_used_booking(actor, people[2], 444)
    assert scenario.desk("keep", undone["countermark"], actor.token).status == 204
    scenario.platform.wait_idle()
    return scenario.platform


def test_reconciliation_balances(story: Platform) -> None:
    found = story.command("reconcile")
    assert found.returncode == 0, found.stdout + found.stderr
    as_json = story.command("reconcile", "--json")
    assert (as_json.returncode, json.loads(as_json.stdout)["balanced"]) == (0, True)
    over_http = story.get("/v1/finance/reconciliation", story.token("finance"))
    assert over_http["balanced"] is True
    assert over_http["days"]
    assert all(one["difference"] == 0 for day in over_http["days"] for one in day["identities"])


MONEY = {"wallet": "Wallet.", "booking": "Booking.", "payout": "EstablishmentYear."}
"""The services that store amounts, and the prefix of the events with amounts."""

COPIES = {"stocks.price"}
"""A copy of the catalogue's price, which no account uses: a booking has its own. ``verify`` checks it."""


@pytest.mark.parametrize("service", MONEY)
def test_wrong_amount_in_any_event_is_detected(story: Platform, service: str) -> None:
    """For each stored event with the amount."""
    engine = story.database(service)
    log = sa.Table("stored_events", sa.MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(log).where(log.c.topic.startswith(MONEY[service])).order_by(log.c.id)).all()
    carrying = [row for row in rows if re.search(rf"\b{UNIQUE_PRICE}\b", row.state)]
    assert carrying, [row.topic for row in rows]
    undetected = []
    for row in carrying:
        corrupted = re.sub(rf"\b{UNIQUE_PRICE}\b", str(UNIQUE_PRICE + 1), row.state, count=1)
        with altered(engine, log, row, "state", corrupted):
            if balanced(story):
                undetected.append((row.id, row.topic, row.state))
    assert undetected == []
    with altered(
        engine, log, carrying[0], "state", carrying[0].state.replace(str(UNIQUE_PRICE), str(UNIQUE_PRICE + 1))
    ):
        found = story.command("reconcile")
        assert found.returncode == 1, found.stdout
    assert balanced(story)


@pytest.mark.parametrize("service", MONEY)
def test_wrong_amount_in_any_row_is_detected(story: Platform, service: str) -> None:
    """For every amount column of every read model with rows."""
    engine = story.database(service)
    columns = money_columns(engine)
    assert columns
    undetected, detected = [], []
    for table, column in columns:
        with engine.connect() as connection:
            row = connection.execute(sa.select(table).where(column.is_not(None)).limit(1)).first()
        if row is None:
            continue
        try:
            with altered(engine, table, row, column.name, row._mapping[column.name] + 1):
                (undetected if balanced(story) else detected).append(f"{table.name}.{column.name}")
        except sa.exc.IntegrityError:
            detected.append("the table's own constraint")
    assert set(undetected) <= COPIES
    assert detected
    assert balanced(story)


def balanced(platform: Platform) -> bool:
    found: bool = platform.get("/v1/finance/reconciliation", platform.token("finance"))["balanced"]
    return found


def money_columns(engine: sa.Engine) -> list[tuple[sa.Table, sa.Column[Any]]]:
    metadata = sa.MetaData()
    metadata.reflect(engine)
    return [
        (table, column)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, sa.Integer) and re.search("amount|price|cents|revenue|balance|spent", column.name)
    ]


@contextmanager
def altered(engine: sa.Engine, table: sa.Table, row: sa.Row[Any], column: str, value: Any) -> Iterator[None]:
    """Replaces one stored value within the block."""
    same_row = sa.and_(*(key == row._mapping[key.name] for key in table.primary_key))

    def write(new: Any) -> None:
        with engine.begin() as connection:
            assert connection.execute(table.update().where(same_row).values({column: new})).rowcount == 1

    write(value)
    try:
        yield
    finally:
        write(row._mapping[column])


def test_verify_detects_a_wrong_copied_price(story: Platform) -> None:
    engine = story.database("booking")
    stocks = sa.Table("stocks", sa.MetaData(), autoload_with=engine)
    assert story.command("verify").returncode == 0
    with engine.connect() as connection:
        row = connection.execute(sa.select(stocks).limit(1)).one()
    with altered(engine, stocks, row, "price", row.price + 1):
        assert story.command("verify").returncode == 1
