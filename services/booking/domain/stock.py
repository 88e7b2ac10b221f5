"""How many of a stock there are, and what is said when the last one goes.

Catalog describes a stock; booking decides how many of it there are. The count of what is taken is a row guarded by its
own statement, not a fold of this stream: a popular stock must not make bookings wait for one another.
"""

from __future__ import annotations

from datetime import datetime

from eventsourcing.domain import Aggregate

from services.booking.domain import errors
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents


class Stock(Aggregate):
    """``quantity`` None: without limit."""

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
        """Another price or booking limit, for the bookings to come."""

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
        """Its event is tomorrow: who booked it is to be reminded."""

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
        """With activation codes there are as many as codes (domain.md §3.1)."""
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
            stock.tell(at, 0)
        return stock

    def reprice(self, at: datetime, price: Cents, booking_limit_at: datetime | None) -> None:
        if (price, booking_limit_at) != (self.price, self.booking_limit_at):
            self.trigger_event(
                self.Repriced, timestamp=at, stock_id=self.stock_id, price=price, booking_limit_at=booking_limit_at
            )

    def change_quantity(self, at: datetime, quantity: int | None, *, taken: int, booked: int) -> None:
        """``taken`` counts the open requests too; less than that would oversell."""
        if self.is_withdrawn:
            raise errors.StockNotBookable("Ce stock a été retiré.")
        if quantity is not None and quantity < taken:
            raise errors.QuantityBelowBooked(f"{taken} places sont déjà prises.", extra={"booked": taken})
        if quantity == self.quantity:
            return
        self.trigger_event(self.QuantityChanged, timestamp=at, stock_id=self.stock_id, quantity=quantity)
        self.tell(at, None if quantity is None else quantity - booked)

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

    def tell(self, at: datetime, remaining: int | None) -> None:
        """The last place was booked, or there are some again."""
        if remaining == 0:
            self.trigger_event(self.SoldOut, timestamp=at, stock_id=self.stock_id, offer_id=self.offer_id)
        else:
            self.trigger_event(
                self.Available, timestamp=at, stock_id=self.stock_id, offer_id=self.offer_id, remaining=remaining
            )
