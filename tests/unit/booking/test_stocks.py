"""How many of a stock there are."""

from __future__ import annotations

import pytest

from shared.kernel.errors import DomainError
from tests.unit.booking.world import World


def set_quantity(world: World, stock: int, quantity: object) -> dict[str, object]:
    return world.command("set-quantity", {"stockId": stock, "quantity": quantity})


def test_a_quantity_may_fall_to_the_number_of_bookings(world: World) -> None:
    stock = world.stock(quantity=5)
    world.book(stock)
    assert set_quantity(world, stock, 3) == {"remaining": 2}
    assert set_quantity(world, stock, 1) == {"remaining": 0}
    with pytest.raises(DomainError) as refused:
        set_quantity(world, stock, 0)
    assert (refused.value.status, refused.value.code) == (409, "quantity-below-booked")
    assert set_quantity(world, stock, None) == {"remaining": None}
    published = world.messages("StockSoldOut", "StockAvailable")
    assert [data["remaining"] for data in published] == [2, 0, None]


def test_an_unchanged_quantity_publishes_nothing(world: World) -> None:
    stock = world.stock(quantity=5)
    assert set_quantity(world, stock, 5) == {"remaining": 5}
    assert world.messages("StockAvailable") == []


def test_places_set_aside_count_as_taken(world: World) -> None:
    stock = world.stock(quantity=5)
    world.bus.away.add("wallet")
    with pytest.raises(DomainError):
        world.book(stock)
    with pytest.raises(DomainError) as refused:
        set_quantity(world, stock, 0)
    assert refused.value.code == "quantity-below-booked"


@pytest.mark.parametrize("quantity", [-1, "2", 1.5, True, 2**60])
def test_an_invalid_quantity_is_refused(world: World, quantity: object) -> None:
    with pytest.raises(DomainError) as refused:
        set_quantity(world, world.stock(), quantity)
    assert refused.value.status == 422


def test_an_unknown_or_withdrawn_stock_has_no_quantity(world: World) -> None:
    with pytest.raises(DomainError) as refused:
        set_quantity(world, 424242, 1)
    assert refused.value.status == 404
    stock = world.stock()
    world.receive("catalog", "StockWithdrawn", {"stockId": stock, "offerId": 1, "withdrawnAt": world.now_text()})
    with pytest.raises(DomainError) as refused:
        set_quantity(world, stock, 50)
    assert refused.value.code == "stock-not-bookable"


def test_a_stock_of_no_places_is_sold_out_when_it_opens(world: World) -> None:
    stock = world.stock(quantity=0)
    assert [data["stockId"] for data in world.messages("StockSoldOut")] == [stock]


def test_withdrawing_is_idempotent(world: World) -> None:
    stock = world.stock()
    booked = world.book(stock)
    for _ in range(2):
        world.receive("catalog", "StockWithdrawn", {"stockId": stock, "offerId": 1, "withdrawnAt": world.now_text()})
    assert len(world.messages("BookingCancelled")) == 1
    assert world.seen(booked["bookingId"])["cancellationReason"] == "OFFERER"
