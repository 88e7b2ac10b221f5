"""The read models say what the log says: folded again from the beginning they hold the same rows."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.catalog.projections import projections
from services.catalog.storage import tables
from shared.kernel.errors import DomainError
from shared.projections.rebuilding import compare, rebuild
from tests.unit.catalog.world import BOOK, STAFF, World


def a_busy_fortnight(world: World) -> None:
    """Something of everything that can happen to venues, offers and stocks."""
    offer_id, stock_id = world.concert()
    venue_id = world.ask("offer", offerId=offer_id)["venueId"]
    world.do("change-venue", venueId=venue_id, name="Autre nom")
    world.do("change-offer", offerId=offer_id, description="Une belle soirée")
    world.do("change-stock", stockId=stock_id, quantity=5, priceCents=1, beginningAt="2021-11-12T19:00:00Z")
    world.bus.away.add("booking")
    with pytest.raises(DomainError):
        world.do("change-stock", stockId=stock_id, quantity=7)
    world.bus.away.clear()
    world.do("deactivate-offer", offerId=offer_id)
    for name in ("Carte cadeau", "Chèque cadeau"):
        held = world.offer(venue_id, BOOK, name=name)["offerId"]
        world.stock(held)
    world.do("approve-offer", STAFF, offerId=held)
    world.do("reject-offer", STAFF, offerId=held - 1, reason="not culture")
    gone = world.stock(held)["stockId"]
    world.do("withdraw-stock", stockId=gone)
    world.move("2021-11-13T00:00:00Z")


def test_folded_again_they_are_the_same(world: World) -> None:
    a_busy_fortnight(world)
    for model in projections():
        assert compare(world.store, model) == []
        assert rebuild(world.store, model) > 0
        assert compare(world.store, model) == []


def test_a_row_that_was_altered_is_found(world: World) -> None:
    a_busy_fortnight(world)
    with world.store.transaction() as tx:
        tx.connection.execute(sa.update(tables.stocks).values(price_cents=tables.stocks.c.price_cents + 1))
    differences = {model.name: len(compare(world.store, model)) for model in projections()}
    assert {name: number for name, number in differences.items() if number} == {"stocks": 4}


def test_the_tables_of_the_code_are_those_of_the_migration(world: World) -> None:
    with world.store.reading() as connection:
        inspector = sa.inspect(connection)
        for table in tables.metadata.sorted_tables:
            found = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
            assert found == {column.name: bool(column.nullable) for column in table.columns}
            indexes = {index["name"]: index["column_names"] for index in inspector.get_indexes(table.name)}
            assert indexes == {str(index.name): [column.name for column in index.columns] for index in table.indexes}
