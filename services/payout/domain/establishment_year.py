"""An establishment's civil year: its validated bookings in order, each priced by the revenue up to it.

The order is (usedAt, booking number); what is in a closed batch comes first and is never changed (decision 3). Whatever
changes what comes after it re-prices by appended events, under the same line number: those lines whose reimbursement or
rule is another now. A revenue that has moved within its step is said once, before its line enters a batch. What is
learnt after the close is a correction, a line of its own that names the one it corrects (decision 10).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from eventsourcing.domain import Aggregate

from services.payout.domain.custom_rules import CustomRule
from services.payout.domain.pricing import Price, Priceable, depends_on, price
from services.payout.domain.revenue import enters_revenue
from shared.kernel.identifiers import stream_id
from shared.kernel.money import ZERO, Cents

CORRECTION = "Correction"
"""The rule of a line that corrects another."""


@dataclass(frozen=True, slots=True)
class Validation:
    """A validated booking, as payout learnt of it. Money in cents; ``begins_at`` None without a date."""

    booking_id: int
    attempt: int
    person_id: int
    stock_id: int
    offer_id: int
    offer_name: str
    venue_id: int
    offerer_id: int
    subcategory: str
    countermark: str
    quantity: int
    unit_price: Cents
    booked_at: datetime
    begins_at: datetime | None
    used_at: datetime

    def priceable(self) -> Priceable:
        return Priceable(
            subcategory=self.subcategory,
            unit_price=self.unit_price,
            quantity=self.quantity,
            used_at=self.used_at,
            offer_id=self.offer_id,
            offerer_id=self.offerer_id,
        )

    @property
    def total(self) -> Cents:
        return Cents(self.unit_price * self.quantity)

    @property
    def entering(self) -> Cents:
        """What it adds to its year's revenue."""
        return enters_revenue(self.priceable().kind, False, self.total, self.used_at)


@dataclass(frozen=True, slots=True)
class OpenLine:
    """A line whose price is provisional: no batch has closed over it."""

    line_id: int
    booking: Validation
    price: Price
    """Its revenue is that of when it was priced."""
    entering: Cents = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "entering", self.booking.entering)

    @property
    def place(self) -> tuple[datetime, int, int]:
        return (self.booking.used_at, self.booking.booking_id, self.line_id)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that enters a batch, and the account that it is paid on (None: a line of 0 euros needs none)."""

    line_id: int
    booking_id: int
    is_correction: bool
    iban: str | None
    bic: str | None
    counted_from: date | None = None
    """The day from which its delay is counted: its event's, or its validation's. None for a correction."""


@dataclass(frozen=True, slots=True)
class Correction:
    """By how much a line in a closed batch was wrong: what is added to its price, its reimbursement and the revenue."""

    line_id: int
    corrects: int
    amount: Cents
    reimbursed: Cents
    entering: Cents
    reason: str

    @property
    def contribution(self) -> Cents:
        return Cents(self.amount - self.reimbursed)


class EstablishmentYear(Aggregate):
    """What is priced, frozen and paid of one establishment in one civil year.

    Its state is no more than deciding needs: the revenue of what is frozen, and the open lines in order. So it can be
    restored from rows (``restore``) without reading a long stream. What is decided at one place in the order needs what
    comes from there on only (``since``), and the ``revenue`` of the whole year so far.
    """

    class Event(Aggregate.Event):
        establishment: str
        year: int

    class Opened(Event, Aggregate.Created):
        pass

    class Priced(Event):
        line_id: int
        booking: Validation
        price: Price

        def apply(self, year: EstablishmentYear) -> None:
            line = OpenLine(self.line_id, self.booking, self.price)
            year._add(line)
            year.revenue = Cents(year.revenue + line.entering)

    class Voided(Event):
        line_id: int
        booking_id: int
        amount: Cents
        entering: Cents
        reimbursed: Cents
        reason: str

        def apply(self, year: EstablishmentYear) -> None:
            year._remove(self.line_id)
            year.revenue = Cents(year.revenue - self.entering)

    class BookingEntered(Event):
        line_id: int
        booking_id: int
        batch_id: int
        iban: str | None
        bic: str | None
        entering: Cents  # into the frozen revenue: 0 for a line that had been frozen before
        counted_from: date | None
        class_version = 2

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Events of before say nothing of the delay."""
            state["counted_from"] = None

        def apply(self, year: EstablishmentYear) -> None:
            if self.line_id in year.open:  # a line whose transfer the bank rejected was frozen before
                year.fixed_revenue = Cents(year.fixed_revenue + year._remove(self.line_id).entering)

    class CorrectionEntered(Event):
        line_id: int
        booking_id: int
        batch_id: int
        iban: str | None
        bic: str | None

    class Corrected(Event):
        booking: Validation
        correction: Correction

        def apply(self, year: EstablishmentYear) -> None:
            year.fixed_revenue = Cents(year.fixed_revenue + self.correction.entering)
            year.revenue = Cents(year.revenue + self.correction.entering)

    class BookingReimbursed(Event):
        line_id: int
        booking_id: int
        batch_id: int
        reimbursed: Cents

    class CorrectionReimbursed(Event):
        line_id: int
        booking_id: int
        batch_id: int
        reimbursed: Cents

    def __init__(self, *, establishment: str, year: int) -> None:
        self.establishment = establishment
        self.year = year
        self.fixed_revenue = ZERO
        self.revenue = ZERO
        self.since: datetime | None = None
        self.open: dict[int, OpenLine] = {}
        self.order: list[tuple[datetime, int, int]] = []

    @staticmethod
    def stream(establishment: str, year: int) -> UUID:
        return stream_id("establishment-year", f"{establishment}/{year}")

    @classmethod
    def begin(cls, at: datetime, establishment: str, year: int) -> EstablishmentYear:
        return cls._create(
            cls.Opened, id=cls.stream(establishment, year), timestamp=at, establishment=establishment, year=year
        )

    @classmethod
    def restore(
        cls,
        establishment: str,
        year: int,
        *,
        version: int,
        fixed_revenue: Cents,
        revenue: Cents,
        lines: Sequence[OpenLine],
        at: datetime,
        since: datetime | None = None,
    ) -> EstablishmentYear:
        """The state that its stream leads to, from what a read model has kept of it.

        ``lines`` are the open ones used at ``since`` or later (None: all), ``revenue`` is that of all of them.
        """
        found: EstablishmentYear = object.__new__(cls)
        found.__base_init__(cls.stream(establishment, year), version, at)
        cls.__init__(found, establishment=establishment, year=year)
        found.fixed_revenue, found.revenue = fixed_revenue, revenue
        found.show(lines, since)
        return found

    def show(self, lines: Iterable[OpenLine], since: datetime | None) -> None:
        """Takes in the open lines between ``since`` (None: the beginning) and those that it has."""
        for line in lines:
            self._add(line)
        self.since = since
        if since is None:
            shown = sum(line.entering for line in self.open.values())
            assert self.fixed_revenue + shown == self.revenue, "the open lines are the revenue that is not frozen"

    def revenue_up_to(self, place: tuple[datetime, int, int]) -> Cents:
        """Of what is frozen and of the open lines that come before a place."""
        return self._revenue_before(bisect_left(self.order, place))

    def open_revenues(self) -> Iterator[tuple[int, Cents]]:
        """Every open line with the revenue up to it, itself included."""
        revenue = self.fixed_revenue
        for _, _, line_id in self.order:
            revenue = Cents(revenue + self.open[line_id].entering)
            yield line_id, revenue

    def validate(self, at: datetime, line_id: int, booking: Validation, rules: Sequence[CustomRule]) -> None:
        """Prices a booking at its place, and again what comes after it."""
        assert self.since is None or self.since <= booking.used_at, "what comes after it has to be known"
        place = bisect_left(self.order, (booking.used_at, booking.booking_id, line_id))
        before = self._revenue_before(place)
        revenue = Cents(before + booking.entering)
        self._price(at, line_id, booking, price(booking.priceable(), revenue, rules))
        self._reprice(at, place + 1, rules, before, self.revenue)

    def invalidate(self, at: datetime, line_id: int, reason: str, rules: Sequence[CustomRule]) -> None:
        """Takes an open line away, and prices what came after it again."""
        line = self.open[line_id]
        place = bisect_left(self.order, line.place)
        before, most = self._revenue_before(place), self.revenue
        self._void(at, line, reason)
        self._reprice(at, place, rules, before, most)

    def correct(self, at: datetime, booking: Validation, correction: Correction, rules: Sequence[CustomRule]) -> None:
        """Adds a line for what a frozen one has wrong; the frozen one stays as it is."""
        assert self.since is None, "every open line comes after it"
        least, most = self.fixed_revenue, self.revenue
        self._say(self.Corrected, at, booking=booking, correction=correction)
        self._reprice(at, 0, rules, min(least, self.fixed_revenue), max(most, self.revenue))

    def enter(self, at: datetime, batch_id: int, entries: Iterable[Entry], rules: Sequence[CustomRule]) -> None:
        """Freezes lines in a batch. Open ones that came before a frozen one now come after it."""
        assert self.since is None, "every open line comes after it"
        least = self.fixed_revenue
        for entry in entries:
            facts = {"line_id": entry.line_id, "booking_id": entry.booking_id, "iban": entry.iban, "bic": entry.bic}
            if entry.is_correction:
                self._say(self.CorrectionEntered, at, batch_id=batch_id, **facts)
            else:
                opened = self.open.get(entry.line_id)
                if opened is not None:
                    self._say_revenue(at, opened)
                entering = opened.entering if opened else ZERO
                more = {"entering": entering, "counted_from": entry.counted_from}
                self._say(self.BookingEntered, at, batch_id=batch_id, **facts, **more)
        self._reprice(at, 0, rules, least, self.revenue)

    def reimburse(
        self, at: datetime, line_id: int, booking_id: int, batch_id: int, reimbursed: Cents, *, is_correction: bool
    ) -> None:
        """The line's transfer was sent, or it needed none."""
        kind = self.CorrectionReimbursed if is_correction else self.BookingReimbursed
        self._say(kind, at, line_id=line_id, booking_id=booking_id, batch_id=batch_id, reimbursed=reimbursed)

    def _revenue_before(self, place: int) -> Cents:
        """Of what is frozen and of the open lines before a place in the order, added up from its nearer end."""
        if self.since is None and 2 * place < len(self.order):
            return Cents(self.fixed_revenue + self._entering(self.order[:place]))
        return Cents(self.revenue - self._entering(self.order[place:]))

    def _entering(self, places: Iterable[tuple[datetime, int, int]]) -> int:
        return sum(self.open[line_id].entering for _, _, line_id in places)

    def _reprice(self, at: datetime, place: int, rules: Sequence[CustomRule], least: Cents, most: Cents) -> None:
        """From a place on, after revenues have moved there: none was, or is, below ``least`` or above ``most``."""
        if place == len(self.order) or not depends_on(least, most):
            return
        revenue = self._revenue_before(place)
        for _, _, line_id in self.order[place:]:
            line = self.open[line_id]
            revenue = Cents(revenue + line.entering)
            fresh = price(line.booking.priceable(), revenue, rules)
            if not fresh.pays_as(line.price):
                self._price_again(at, line, fresh)

    def _say_revenue(self, at: datetime, line: OpenLine) -> None:
        """For the last time, when it is another than at the line's pricing."""
        revenue = Cents(self.revenue_up_to(line.place) + line.entering)
        if revenue != line.price.revenue:
            self._price_again(at, line, replace(line.price, revenue=revenue))

    def _price_again(self, at: datetime, line: OpenLine, fresh: Price) -> None:
        self._void(at, line, "repriced")
        self._price(at, line.line_id, line.booking, fresh)

    def _price(self, at: datetime, line_id: int, booking: Validation, fresh: Price) -> None:
        assert fresh.reimbursed + fresh.contribution == booking.total, "a price splits its booking's total"
        self._say(self.Priced, at, line_id=line_id, booking=booking, price=fresh)

    def _void(self, at: datetime, line: OpenLine, reason: str) -> None:
        self._say(
            self.Voided,
            at,
            line_id=line.line_id,
            booking_id=line.booking.booking_id,
            amount=line.booking.total,
            entering=line.entering,
            reimbursed=line.price.reimbursed,
            reason=reason,
        )

    def _say(self, kind: Any, at: datetime, **facts: Any) -> None:
        self.trigger_event(kind, timestamp=at, establishment=self.establishment, year=self.year, **facts)

    def _add(self, line: OpenLine) -> None:
        self.open[line.line_id] = line
        insort(self.order, line.place)

    def _remove(self, line_id: int) -> OpenLine:
        line = self.open.pop(line_id)
        del self.order[bisect_left(self.order, line.place)]
        return line
