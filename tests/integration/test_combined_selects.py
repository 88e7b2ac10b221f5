"""Combined selects return the rows that each select returns alone: every type, no rows, and pairs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from shared.eventstore import sql
from shared.eventstore.combined import CombinedSelect

metadata = sa.MetaData()
things = sa.Table(
    "things",
    metadata,
    sa.Column("number", sql.BigNumber, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text),
    sa.Column("at", sql.Instant),
    sa.Column("is_open", sa.Boolean),
    sa.Column("body", sql.Json),
    sa.Column("stream", sa.Uuid),
)
ROWS: list[dict[str, Any]] = [
    {"number": 1, "name": "", "at": None, "is_open": None, "body": [], "stream": None},
    {
        "number": 2**63 - 1,
        "name": 'l\'été, {a} \\ "b" % 100 %s NULL \u2028',
        "at": datetime(2021, 11, 2, 9, 0, 0, 120, tzinfo=UTC),
        "is_open": True,
        "body": {"z": 1, "a": [None, "é", {"total": 2**53}]},
        "stream": None,
    },
    {"number": 3, "name": "c", "at": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "is_open": False,
     "body": {}, "stream": None},
]  # fmt: skip
COLUMNS = [things.c.number, things.c.name.label("called"), things.c.at, things.c.is_open, things.c.body]
SOME = sa.select(*COLUMNS).where(sql.among_given(things.c.number, "numbers")).order_by(things.c.number)
OPEN = sa.select(things.c.number).where(things.c.is_open, sql.among_given(things.c.number, "numbers"))
NONE = sa.select(things.c.name).where(things.c.number < 0)
_GIVEN = sql.unnested_pairs(("ones", "others"))
_LATER = sa.select(things.c.name).where(things.c.number == _GIVEN.c.other, things.c.number >= _GIVEN.c.one)
PAIRS = sa.select(_GIVEN.c.one, _LATER.scalar_subquery().label("name"))
VALUES = {"numbers": [row["number"] for row in ROWS], "ones": [3, 3, 7], "others": [3, 1, 3]}


@pytest.fixture(params=["postgresql", "sqlite"])
def connection(request: pytest.FixtureRequest, database: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(database if request.param == "postgresql" else "sqlite://")
    with engine.connect() as connection:  # never committed
        metadata.create_all(connection)
        sql.insert_many(connection, things, ROWS)
        yield connection
    engine.dispose()


def test_combined_selects_return_the_rows_of_each_select(connection: sa.Connection) -> None:
    found = CombinedSelect(some=SOME, open=OPEN, none=NONE, pairs=PAIRS).read(connection, VALUES)
    alone = {
        name: connection.execute(select, VALUES).all()
        for name, select in {"some": SOME, "open": OPEN, "none": NONE, "pairs": PAIRS}.items()
    }
    assert {name: list(map(tuple, rows)) for name, rows in found.items()} == {
        name: list(map(tuple, rows)) for name, rows in alone.items()
    }
    assert found["none"] == [] and {row.called for row in found["some"]} == {row["name"] for row in ROWS}
    assert [tuple(row) for row in found["pairs"]] == [(3, "c"), (3, None), (7, None)]
    newest = max(found["some"], key=lambda row: row.number)
    assert (newest.at, list(newest.body)) == (ROWS[1]["at"], ["z", "a"])


def test_column_type_without_json_representation_is_rejected() -> None:
    with pytest.raises(AssertionError, match="stream"):
        CombinedSelect(all=sa.select(things))
