"""``passculture reconcile`` over everything that happened: it holds, and one cent anywhere makes it fail."""

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
from tests.system.money_files import Finance
from tests.system.stage import Stage

UNIQUE_PRICE = 12_347
"""What the spoilt booking costs: nothing else in the story has this amount."""


@pytest.fixture(scope="module")
def story(stage: Stage) -> Platform:
    """Bookings in every state, a batch sent and lines that wait for the next one."""
    actor, people = stage.actor(), [stage.young_person() for _ in range(3)]
    finance = Finance(stage.platform)
    stage.sold(actor, people[0], UNIQUE_PRICE)
    stage.booked(people[0], stage.publish(actor, 1500).stock_id)
    cancelled = stage.booked(people[1], stage.publish(actor, 800).stock_id)
    assert stage.cancel(people[1], cancelled["bookingId"]).status == 200
    finance.sent(finance.close_fortnight())
    begins = stage.platform.now() + timedelta(days=1)
    concert = stage.publish(actor, 2100, 5, subcategory="CONCERT", begins=begins, name="Concert", isDuo=True)
    stage.booked(people[1], concert.stock_id, 2)
    stage.platform.clock_to(begins + timedelta(days=3))
    stage.sold(actor, people[2], 999)
    undone = stage.sold(actor, people[2], 444)
    assert stage.desk("keep", undone["countermark"], actor.token).status == 204
    stage.platform.settle()
    return stage.platform


def test_it_holds(story: Platform) -> None:
    found = story.command("reconcile")
    assert found.returncode == 0, found.stdout + found.stderr
    said = story.command("reconcile", "--json")
    assert (said.returncode, json.loads(said.stdout)["balanced"]) == (0, True)
    over_http = story.get("/v1/finance/reconciliation", story.token("finance"))
    assert over_http["balanced"] is True
    assert over_http["days"]
    assert all(one["difference"] == 0 for day in over_http["days"] for one in day["identities"])


@pytest.mark.parametrize("service", ["wallet", "booking", "payout"])
def test_a_cent_in_the_log_makes_it_fail(story: Platform, service: str) -> None:
    """In what is stored of the first event that carries the amount."""
    engine = story.database(service)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT id, topic, state FROM stored_events ORDER BY id")).all()
    carrying = [row for row in rows if re.search(rf"\b{UNIQUE_PRICE}\b", row.state)]
    assert carrying, "the log holds the amount somewhere"
    victim = carrying[0]
    spoilt = re.sub(rf"\b{UNIQUE_PRICE}\b", str(UNIQUE_PRICE + 1), victim.state)
    with altered(engine, "stored_events", "state", "id", victim.id, spoilt, victim.state):
        found = story.command("reconcile")
        assert found.returncode == 1, f"{victim.topic}: {found.stdout}{found.stderr}"
    assert story.command("reconcile").returncode == 0


@pytest.mark.parametrize("service", ["wallet", "booking", "payout"])
def test_a_cent_in_a_row_makes_it_fail(story: Platform, service: str) -> None:
    """In every read model's column of money that holds something."""
    engine = story.database(service)
    columns = money_columns(engine)
    assert columns, "there are amounts in the read models"
    unseen = []
    for table, column in columns:
        key = first_key(engine, table)
        with engine.connect() as connection:
            row = connection.execute(
                sa.text(f"SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY {key} LIMIT 1")
            ).first()
        if row is None:
            continue
        with altered(engine, table, column, key, row[0], row[1] + 1, row[1]):
            if story.command("reconcile").returncode != 1:
                unseen.append(f"{service}.{table}.{column}")
    assert unseen == []
    assert story.command("reconcile").returncode == 0


def money_columns(engine: sa.Engine) -> list[tuple[str, str]]:
    found = []
    inspector = sa.inspect(engine)
    for table in inspector.get_table_names():
        for column in inspector.get_columns(table):
            if isinstance(column["type"], sa.Integer) and re.search(r"amount|price|cents|revenue|balance", column["name"]):
                found.append((table, column["name"]))
    return found


def first_key(engine: sa.Engine, table: str) -> str:
    return str(sa.inspect(engine).get_pk_constraint(table)["constrained_columns"][0])


@contextmanager
def altered(
    engine: sa.Engine, table: str, column: str, key: str, identifier: Any, value: Any, original: Any
) -> Iterator[None]:
    """One stored value is another one for a while."""
    statement = sa.text(f"UPDATE {table} SET {column} = :value WHERE {key} = :key")
    with engine.begin() as connection:
        assert connection.execute(statement, {"value": value, "key": identifier}).rowcount >= 1
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(statement, {"value": original, "key": identifier})
