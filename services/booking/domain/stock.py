"""A stock: how many places it has, and the messages when the last one goes or comes back.

Catalog describes a stock; booking owns its quantity. The number of places taken is a row under a row lock, not a fold
of this stream: bookings of a popular stock would otherwise conflict with each other.
"""

from __future__ import annotations

from datetime import datetime

from eventsourcing.domain import Aggregate

from services.booking import refusals
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents


class Stock(Aggregate):
    """``quantity`` None: no limit."""

    class Event(Aggregate.Event):
        stock_id: int

    class Opened(Event, Aggregate.Created):
        offer_id: int
        venue_id: int
        offerer_id: int
        price: Cents
        quantity: int | None
        beginning_at: datetime | None
        booking_limit_at: datetime | None
        activation_codes: list[str]

    class Repriced(Event):
        """Another price or booking limit, for later bookings."""

        price: Cents
        booking_limit_at: datetime | None

        def apply(self, stock: Stock) -> None:
            stock.price, stock.booking_limit_at = self.price, self.booking_limit_at

    class QuantityChanged(Event):
        quantity: int | None

        def apply(self, stock: Stock) -> None:
            stock.quantity = self.quantity

    class Rescheduled(Event):
        beginning_at: datetime
        booking_limit_at: datetime | None

        def apply(self, stock: Stock) -> None:
            stock.beginning_at, stock.booking_limit_at = self.beginning_at, self.booking_limit_at

    class Withdrawn(Event):
        def apply(self, stock: Stock) -> None:
            stock.is_withdrawn = True

    class EveReached(Event):
        """Its event is tomorrow: its people must be reminded."""

        beginning_at: datetime

    class SoldOut(Event):
        offer_id: int

    class Available(Event):
        offer_id: int
        remaining: int | None

    def __init__(
        self,
        *,
        stock_id: int,
        offer_id: int,
        price: Cents,
        quantity: int | None,
        beginning_at: datetime | None,
        booking_limit_at: datetime | None,
    ) -> None:
        self.stock_id, self.offer_id = stock_id, offer_id
        self.price, self.quantity = price, quantity
        self.beginning_at, self.booking_limit_at = beginning_at, booking_limit_at
        self.is_withdrawn = False

    @classmethod
    def open(
        cls,
        at: datetime,
        *,
        stock_id: int,
        offer_id: int,
        venue_id: int,
        offerer_id: int,
        price: Cents,
        quantity: int | None,
        beginning_at: datetime | None,
        booking_limit_at: datetime | None,
        activation_codes: list[str],
    ) -> Stock:
        """Activation codes fix the quantity at their number (domain.md §3.1)."""
        stock = cls._create(
            cls.Opened,
            id=stream_id("stock", stock_id),
            timestamp=at,
            stock_id=stock_id,
            offer_id=offer_id,
            venue_id=venue_id,
            offerer_id=offerer_id,
            price=price,
            quantity=len(activation_codes) if activation_codes else quantity,
            beginning_at=beginning_at,
            booking_limit_at=booking_limit_at,
            activation_codes=activation_codes,
        )
        if stock.quantity == 0:
            stock.announce(at, 0)
        return stock

    def reprice(self, at: datetime, price: Cents, booking_limit_at: datetime | None) -> None:
        if (price, booking_limit_at) != (self.price, self.booking_limit_at):
            self.trigger_event(
                self.Repriced, timestamp=at, stock_id=self.stock_id, price=price, booking_limit_at=booking_limit_at
            )

    def change_quantity(self, at: datetime, quantity: int | None, *, taken: int, booked: int) -> None:
        """``taken`` counts open requests too: a smaller quantity would oversell the stock."""
        if self.is_withdrawn:
            raise refusals.StockNotBookable("Ce stock a été retiré : ajoutez-en un autre.")
        if quantity is not None and quantity < taken:
            raise refusals.QuantityBelowBooked(
                f"Des places sont déjà réservées : indiquez-en au moins {taken}.", extra={"booked": taken}
            )
        if quantity == self.quantity:
            return
        self.trigger_event(self.QuantityChanged, timestamp=at, stock_id=self.stock_id, quantity=quantity)
        self.announce(at, None if quantity is None else quantity - booked)

    def reschedule(self, at: datetime, beginning_at: datetime, booking_limit_at: datetime | None) -> None:
        self.trigger_event(
            self.Rescheduled,
            timestamp=at,
            stock_id=self.stock_id,
            beginning_at=beginning_at,
            booking_limit_at=booking_limit_at,
        )

    def withdraw(self, at: datetime) -> None:
        if not self.is_withdrawn:
            self.trigger_event(self.Withdrawn, timestamp=at, stock_id=self.stock_id)

    def reach_eve(self, at: datetime) -> None:
        assert self.beginning_at is not None
        self.trigger_event(self.EveReached, timestamp=at, stock_id=self.stock_id, beginning_at=self.beginning_at)

    def announce(self, at: datetime, remaining: int | None) -> None:
        """Records that the last place is booked, or that places are free again."""
        if remaining == 0:
            self.trigger_event(self.SoldOut, timestamp=at, stock_id=self.stock_id, offer_id=self.offer_id)
        else:
            self.trigger_event(
                self.Available, timestamp=at, stock_id=self.stock_id, offer_id=self.offer_id, remaining=remaining
            )
