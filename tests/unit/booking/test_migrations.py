"""The migrations lead to the tables that the code expects, and they fill in what the log gives."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from services.booking.storage.tables import bookings, metadata
from shared.projections.rebuilding import compare
from shared.runtime.migrations import upgrade
from tests.unit.booking.world import NOON, World

BEGINS = NOON + timedelta(days=6)


def test_migrations_give_the_tables_of_the_code(world: World) -> None:
    found = sa.inspect(world.store.engine)
    for table in metadata.tables.values():
        migrated = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        assert migrated == {column.name: bool(column.nullable) for column in table.columns}
        assert found.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]
        assert {index["name"] for index in found.get_indexes(table.name)} == {index.name for index in table.indexes}


def test_the_migration_of_warnings_computes_their_due_dates(world: World) -> None:
    for subcategory in ("LIVRE_PAPIER", "ACHAT_INSTRUMENT", "VOD"):
        world.book(world.stock(world.offer(subcategory)))
    undone_late = world.book(world.stock(begins=NOON + timedelta(days=3)))
    undone_early = world.book(world.stock(begins=BEGINS))
    world.move_to(NOON + timedelta(days=3, hours=50))
    world.desk("keep", undone_late["countermark"])
    world.move_to(BEGINS)
    world.desk("use", undone_early["countermark"])
    world.pass_time(timedelta(hours=1))
    world.desk("keep", undone_early["countermark"])
    stock = world.event(timedelta(days=30))
    withdrawn = world.event(timedelta(days=30))
    world.receive("catalog", "StockWithdrawn", {"stockId": withdrawn, "offerId": 1, "withdrawnAt": world.now_text()})
    world.book(stock)
    world.book(world.stock(world.offer("ACHAT_INSTRUMENT")))
    back_to_0003(world)
    assert world.engine is not None
    assert upgrade(world.engine, "booking") is False
    world.move_to(world.clock.now())  # what was due before is done once
    assert world.differences() == []
    for projection in world.store.projections:
        assert compare(world.store, projection) == []


def back_to_0003(world: World) -> None:
    assert world.engine is not None
    with world.engine.connect() as connection:
        connection = connection.execution_options(writes=True)
        with connection.begin():
            for name in ("bookings_to_warn", "stocks_on_eve", "attachments_of_offerer"):
                connection.exec_driver_sql(f"DROP INDEX {name}")
            connection.exec_driver_sql("ALTER TABLE bookings DROP COLUMN warning_due")
            connection.exec_driver_sql("ALTER TABLE stocks DROP COLUMN eve_due")
            undone = bookings.c.validation_due == BEGINS + timedelta(hours=48)
            due = BEGINS + timedelta(hours=49)  # two days after the taking back, it was then
            assert connection.execute(bookings.update().where(undone).values(validation_due=due)).rowcount == 1
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
