"""Read models: rebuilding them from the event log gives the same rows."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.catalog.projections import projections
from services.catalog.storage import tables
from shared.kernel.errors import DomainError
from shared.projections.rebuilding import compare, rebuild
from tests.unit.catalog.world import BOOK, STAFF, World


def a_busy_fortnight(world: World) -> None:
    """Every kind of event of venues, offers and stocks."""
    offer_id, stock_id = world.concert()
    venue_id = world.query("offer", offerId=offer_id)["venueId"]
    world.command("change-venue", venueId=venue_id, name="Autre nom")
    world.command("change-offer", offerId=offer_id, description="Une belle soirée")
    world.command("change-stock", stockId=stock_id, quantity=5, priceCents=1, beginningAt="2021-11-12T19:00:00Z")
    world.bus.away.add("booking")
    with pytest.raises(DomainError):
        world.command("change-stock", stockId=stock_id, quantity=7)
    world.bus.away.clear()
    world.command("deactivate-offer", offerId=offer_id)
    for name in ("Carte cadeau", "Chèque cadeau"):
        suspicious = world.offer(venue_id, BOOK, name=name)["offerId"]
        world.stock(suspicious)
    world.command("approve-offer", STAFF, offerId=suspicious)
    world.command("reject-offer", STAFF, offerId=suspicious - 1, reason="not culture")
    withdrawn = world.stock(suspicious)["stockId"]
    world.command("withdraw-stock", stockId=withdrawn)
    world.move_to("2021-11-13T00:00:00Z")


def test_a_rebuild_changes_no_row(world: World) -> None:
    a_busy_fortnight(world)
    for model in projections():
        assert compare(world.store, model) == []
        assert rebuild(world.store, model) > 0
        assert compare(world.store, model) == []


def test_the_comparison_finds_altered_rows(world: World) -> None:
    a_busy_fortnight(world)
    with world.store.transaction() as tx:
        tx.connection.execute(sa.update(tables.stocks).values(price_cents=tables.stocks.c.price_cents + 1))
    differences = {model.name: len(compare(world.store, model)) for model in projections()}
    assert {name: number for name, number in differences.items() if number} == {"stocks": 4}


def test_the_migrations_create_the_tables_of_the_code(world: World) -> None:
    with world.store.reading() as connection:
        inspector = sa.inspect(connection)
        for table in tables.metadata.sorted_tables:
            found = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
            assert found == {column.name: bool(column.nullable) for column in table.columns}
            indexes = {index["name"]: index["column_names"] for index in inspector.get_indexes(table.name)}
            assert indexes == {str(index.name): [column.name for column in index.columns] for index in table.indexes}
