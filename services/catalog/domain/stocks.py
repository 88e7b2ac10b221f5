"""Stocks as structures describe them: price, dates, activation codes; and the passing of their dates.

Booking owns the quantity. A new one is recorded here as a request, and becomes the stock's when booking accepts it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from eventsourcing.domain import Aggregate

from services.catalog.domain.offers import OfferFacts
from services.catalog.refusals import DateInThePast, EventPassed, StockWithdrawn, WithdrawalTooLate
from shared.kernel.errors import Invalid
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents
from shared.kernel.time import parse_instant

WITHDRAWAL_AFTER_START = timedelta(hours=48)
"""Until then a stock may be withdrawn: afterwards its bookings are validated automatically (domain.md §3.1)."""
MAX_AHEAD = timedelta(days=3653)
"""No event is announced more than ten years ahead: a later date is a misprint."""


@dataclass(frozen=True, slots=True)
class PriceCeiling:
    """The highest price of a thing, from ``valid_from`` (inclusive) to ``valid_until`` (exclusive; None: no end)."""

    amount: Cents
    valid_from: datetime
    valid_until: datetime | None = None


THING_CEILINGS = (PriceCeiling(Cents(300_00), valid_from=parse_instant("2021-08-31T22:00:00Z")),)
"""Things, not events, from 2021-09-01 in Paris (domain.md R19)."""


def thing_ceiling(at: datetime) -> Cents | None:
    """The ceiling in force at ``at``; None before there was one."""
    for ceiling in THING_CEILINGS:
        if ceiling.valid_from <= at and (ceiling.valid_until is None or at < ceiling.valid_until):
            return ceiling.amount
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockFacts:
    """The description of a stock. ``quantity`` None: unlimited."""

    stock_id: int
    offer_id: int
    venue_id: int
    offerer_id: int
    price: Cents
    quantity: int | None
    beginning_at: datetime | None
    booking_limit_at: datetime | None
    activation_codes: tuple[str, ...]
    added_at: datetime


@dataclass(frozen=True, slots=True)
class QuantityRequest:
    """A request to booking for a new quantity; ``number`` counts the requests of a stock."""

    number: int
    quantity: int | None


class Stock(Aggregate):
    """One stock of an offer."""

    class Event(Aggregate.Event):
        pass

    class Added(Event, Aggregate.Created):
        facts: StockFacts

    class Later(Event):
        """Base of the events that follow the first."""

        stock_id: int
        offer_id: int

    class Changed(Later):
        price: Cents
        booking_limit_at: datetime | None

        def apply(self, aggregate: Stock) -> None:
            aggregate.facts = replace(aggregate.facts, price=self.price, booking_limit_at=self.booking_limit_at)

    class Rescheduled(Later):
        beginning_at: datetime
        previous_beginning_at: datetime
        booking_limit_at: datetime

        def apply(self, aggregate: Stock) -> None:
            aggregate.facts = replace(
                aggregate.facts, beginning_at=self.beginning_at, booking_limit_at=self.booking_limit_at
            )

    class QuantityRequested(Later):
        request: QuantityRequest

        def apply(self, aggregate: Stock) -> None:
            aggregate.request = self.request
            aggregate.requests = self.request.number

    class QuantityChanged(Later):
        quantity: int | None

        def apply(self, aggregate: Stock) -> None:
            aggregate.facts = replace(aggregate.facts, quantity=self.quantity)
            aggregate.request = None

    class QuantityRefused(Later):
        code: str

        def apply(self, aggregate: Stock) -> None:
            aggregate.request = None

    class Withdrawn(Later):
        def apply(self, aggregate: Stock) -> None:
            aggregate.is_withdrawn = True

    class DateElapsed(Later):
        venue_id: int
        beginning_at: datetime

        def apply(self, aggregate: Stock) -> None:
            aggregate.elapsed_start = self.beginning_at

    def __init__(self, *, facts: StockFacts) -> None:
        self.facts = facts
        self.request: QuantityRequest | None = None
        self.requests = 0
        self.is_withdrawn = False
        self.elapsed_start: datetime | None = None

    @classmethod
    def add(cls, at: datetime, stock_id: int, offer: OfferFacts, body: dict[str, Any]) -> Stock:
        """A new stock of an offer. ``body``: price, quantity, beginning_at, booking_limit_at, activation_codes.

        Raises Invalid (price, dates that do not fit the subcategory, codes of an offer that is not digital),
        DateInThePast.
        """
        codes = tuple(body["activation_codes"])
        if codes:
            body = {**body, "quantity": _quantity_of_codes(offer, codes, body["quantity"])}
        facts = StockFacts(
            stock_id=stock_id,
            offer_id=offer.offer_id,
            venue_id=offer.venue_id,
            offerer_id=offer.offerer_id,
            added_at=at,
            **{**body, "activation_codes": codes},
        )
        _check_price(facts.price, offer, at)
        _check_beginning(facts.beginning_at, offer, at)
        limit = facts.booking_limit_at or facts.beginning_at  # decision 36
        _check_limit(limit, facts.beginning_at, at)
        facts = replace(facts, booking_limit_at=limit)
        return cls._create(cls.Added, id=stream_id("stock", stock_id), timestamp=at, facts=facts)

    def change(self, at: datetime, offer: OfferFacts, changes: dict[str, Any]) -> None:
        """New price or dates; the quantity is not among them.

        Raises Invalid, DateInThePast, EventPassed, StockWithdrawn. A booking limit at the start moves with it; any
        other stays, at the new start at the latest.
        """
        self.check_changeable(at)
        facts = self._changed(changes)
        if facts.price != self.facts.price:
            _check_price(facts.price, offer, at)
        if facts.beginning_at != self.facts.beginning_at:
            _check_beginning(facts.beginning_at, offer, at)
        if "booking_limit_at" in changes and facts.booking_limit_at != self.facts.booking_limit_at:
            _check_limit(facts.booking_limit_at, facts.beginning_at, at)
        self._record(at, facts)

    def request_quantity(self, at: datetime, quantity: int | None) -> None:
        """Records a request to booking. One at a time; the present quantity needs none."""
        self.check_changeable(at)
        assert self.request is None, "the open request is finished first"
        if self.facts.activation_codes and quantity != self.facts.quantity:
            raise Invalid.of_field("quantity", "La quantité de ce stock est le nombre de ses codes d’activation.")
        if quantity != self.facts.quantity:
            request = QuantityRequest(self.requests + 1, quantity)
            self.trigger_event(self.QuantityRequested, timestamp=at, request=request, **self._ids())

    def answer_quantity(self, at: datetime, number: int, refusal: str | None) -> None:
        """Records booking's answer to a request: accepted, or refused with a code. A repeated answer is ignored."""
        if self.request is None or self.request.number != number:
            return
        if refusal is None:
            self.trigger_event(self.QuantityChanged, timestamp=at, quantity=self.request.quantity, **self._ids())
        else:
            self.trigger_event(self.QuantityRefused, timestamp=at, code=refusal, **self._ids())

    def withdraw(self, at: datetime) -> None:
        """Withdraws the stock; booking cancels its unused bookings. Idempotent. Raises WithdrawalTooLate."""
        start = self.facts.beginning_at
        if self.is_withdrawn:
            return
        if start is not None and at > start + WITHDRAWAL_AFTER_START:
            raise WithdrawalTooLate
        self.trigger_event(self.Withdrawn, timestamp=at, **self._ids())

    def elapse(self) -> None:
        """Records that the start has come, as of that instant: once per start, never for a withdrawn stock."""
        start = self.facts.beginning_at
        if self.is_withdrawn or start is None or start == self.elapsed_start:
            return
        facts = {"venue_id": self.facts.venue_id, "beginning_at": start}
        self.trigger_event(self.DateElapsed, timestamp=start, **facts, **self._ids())

    def check_changeable(self, at: datetime) -> None:
        """Raises StockWithdrawn, EventPassed."""
        if self.is_withdrawn:
            raise StockWithdrawn
        if self.facts.beginning_at is not None and self.facts.beginning_at <= at:
            raise EventPassed

    def _changed(self, changes: dict[str, Any]) -> StockFacts:
        facts = replace(self.facts, **changes)
        before, start = self.facts.beginning_at, facts.beginning_at
        if "booking_limit_at" in changes:
            return replace(facts, booking_limit_at=facts.booking_limit_at or start)
        if start is not None and facts.booking_limit_at is not None:
            limit = start if facts.booking_limit_at == before else min(facts.booking_limit_at, start)
            return replace(facts, booking_limit_at=limit)
        return facts

    def _record(self, at: datetime, facts: StockFacts) -> None:
        before = self.facts
        if facts.beginning_at is not None and before.beginning_at not in (None, facts.beginning_at):
            moved = {
                "beginning_at": facts.beginning_at,
                "previous_beginning_at": before.beginning_at,
                "booking_limit_at": facts.booking_limit_at,
            }
            self.trigger_event(self.Rescheduled, timestamp=at, **moved, **self._ids())
        if (facts.price, facts.booking_limit_at) != (self.facts.price, self.facts.booking_limit_at):
            changed = {"price": facts.price, "booking_limit_at": facts.booking_limit_at}
            self.trigger_event(self.Changed, timestamp=at, **changed, **self._ids())

    def _ids(self) -> dict[str, int]:
        return {"stock_id": self.facts.stock_id, "offer_id": self.facts.offer_id}


def _quantity_of_codes(offer: OfferFacts, codes: tuple[str, ...], quantity: int | None) -> int:
    if not offer.is_digital:
        raise Invalid.of_field("activationCodes", "Seules les offres numériques ont des codes d’activation.")
    if len(set(codes)) != len(codes):
        raise Invalid.of_field("activationCodes", "Chaque code d’activation ne peut être donné qu’une fois.")
    if quantity not in (None, len(codes)):
        raise Invalid.of_field(
            "quantity", f"Vous donnez {len(codes)} codes d’activation : la quantité est leur nombre."
        )
    return len(codes)


def _check_price(price: Cents, offer: OfferFacts, at: datetime) -> None:
    if price < 0:
        raise Invalid.of_field("priceCents", "Le prix ne peut pas être négatif.")
    ceiling = None if offer.rules.is_event else thing_ceiling(at)
    if ceiling is not None and price > ceiling:
        raise Invalid.of_field("priceCents", f"Le prix d’un bien ne peut pas dépasser {ceiling // 100} €.")


def _check_beginning(beginning: datetime | None, offer: OfferFacts, at: datetime) -> None:
    if offer.rules.is_event and beginning is None:
        raise Invalid.of_field("beginningAt", "Indiquez la date de l’évènement.")
    if not offer.rules.is_event and beginning is not None:
        raise Invalid.of_field("beginningAt", "Seul un évènement a une date : retirez-la.")
    if beginning is not None:
        _check_ahead("beginningAt", beginning, at)


def _check_limit(limit: datetime | None, beginning: datetime | None, at: datetime) -> None:
    if limit is None:
        return
    if beginning is not None and limit > beginning:
        raise Invalid.of_field("bookingLimitAt", "La date limite de réservation ne peut pas suivre l’évènement.")
    _check_ahead("bookingLimitAt", limit, at)


def _check_ahead(field: str, instant: datetime, at: datetime) -> None:
    if instant <= at:
        raise DateInThePast.of_field(field, "Cette date est passée : choisissez-en une à venir.")
    if instant > at + MAX_AHEAD:
        raise Invalid.of_field(field, "Cette date est dans plus de dix ans : choisissez-en une plus proche.")
