"""The migrations lead to the tables that the code expects."""

from __future__ import annotations

import sqlalchemy as sa

from services.payout.storage.tables import metadata
from tests.unit.payout.stage import Stage


def test_the_migrated_tables_are_those_of_the_code(stage: Stage) -> None:
    found = sa.inspect(stage.store.engine)
    for table in metadata.tables.values():
        migrated = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        assert migrated == {column.name: bool(column.nullable) for column in table.columns}
        assert found.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]
        indexes = {index["name"] for index in found.get_indexes(table.name) if not index["unique"]}
        assert indexes == {index.name for index in table.indexes}
