"""An establishment's civil year: its validated bookings in order, each priced by the revenue up to it.

Open lines are ordered by (usedAt, booking number). Lines in a batch are frozen: they come first and never change
(decision 3). A change re-prices the later lines whose reimbursement or rule differs now, by appended events under the
same line number. A revenue that moves without changing the price is recorded once, when its line enters a batch. An
error found after the close becomes a correction: a line of its own that names the corrected one (decision 10).
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
from services.payout.domain.pricing import Price, Priceable, crosses_threshold, price
from services.payout.domain.revenue import enters_revenue
from shared.kernel.identifiers import stream_id
from shared.kernel.money import ZERO, Cents

CORRECTION = "Correction"
"""The rule of a line that corrects another."""

SortKey = tuple[datetime, int, int]
"""(used at, booking number, line number): the order of a year's open lines."""


@dataclass(frozen=True, slots=True)
class Validation:
    """A validated booking. Money in cents; ``begins_at`` is None for an offer without a date."""

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
        """The amount that it adds to its year's revenue."""
        return enters_revenue(self.priceable().kind, False, self.total, self.used_at)


@dataclass(frozen=True, slots=True)
class OpenLine:
    """A line in no batch yet: its price is provisional."""

    line_id: int
    booking: Validation
    price: Price
    """``price.revenue`` is the year's revenue at the time of pricing."""
    entering: Cents = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "entering", self.booking.entering)

    @property
    def sort_key(self) -> SortKey:
        return (self.booking.used_at, self.booking.booking_id, self.line_id)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that enters a batch, and the account that pays it (None for a line of 0 euros)."""

    line_id: int
    booking_id: int
    is_correction: bool
    iban: str | None
    bic: str | None
    counted_from: date | None = None
    """The day from which its payment delay counts: its event's or its validation's. None for a correction."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What is added to the price, the reimbursement and the revenue of a line in a closed batch."""

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
    """The lines of one establishment in one civil year: priced, frozen, reimbursed.

    The state holds only what decisions need: the revenue of the frozen lines, and the open lines in order. So
    ``restore`` builds it from rows instead of a long stream. A decision at one place in the order needs the lines from
    there on (``since``) and the ``revenue`` of the whole year.
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

    class Entered(Event):
        """Base of the events of lines that enter a batch."""

        line_id: int
        booking_id: int
        batch_id: int
        iban: str | None
        bic: str | None

    class BookingEntered(Entered):
        entering: Cents  # added to the frozen revenue: 0 for a line that was frozen earlier
        counted_from: date | None
        class_version = 2

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Events of version 1 do not record the delay."""
            state["counted_from"] = None

        def apply(self, year: EstablishmentYear) -> None:
            if self.line_id in year.open:  # a line whose transfer the bank rejected was frozen earlier
                year.fixed_revenue = Cents(year.fixed_revenue + year._remove(self.line_id).entering)

    class CorrectionEntered(Entered):
        pass

    class Corrected(Event):
        booking: Validation
        correction: Correction

        def apply(self, year: EstablishmentYear) -> None:
            year.fixed_revenue = Cents(year.fixed_revenue + self.correction.entering)
            year.revenue = Cents(year.revenue + self.correction.entering)

    class Paid(Event):
        """Base of the events of lines that are paid."""

        line_id: int
        booking_id: int
        batch_id: int
        reimbursed: Cents

    class BookingReimbursed(Paid):
        pass

    class CorrectionReimbursed(Paid):
        pass

    def __init__(self, *, establishment: str, year: int) -> None:
        self.establishment = establishment
        self.year = year
        self.fixed_revenue = ZERO
        self.revenue = ZERO
        self.since: datetime | None = None
        self.open: dict[int, OpenLine] = {}
        self._order: list[SortKey] = []

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
        """The state that the stream leads to, from its row.

        ``lines``: the open ones used at ``since`` or later (None: all of them). ``revenue``: that of the whole year.
        """
        found: EstablishmentYear = object.__new__(cls)
        found.__base_init__(cls.stream(establishment, year), version, at)
        cls.__init__(found, establishment=establishment, year=year)
        found.fixed_revenue, found.revenue = fixed_revenue, revenue
        found.load_earlier(lines, since)
        return found

    def load_earlier(self, lines: Iterable[OpenLine], since: datetime | None) -> None:
        """Adds the open lines used from ``since`` (None: the beginning) up to those already loaded."""
        for line in lines:
            self._add(line)
        self.since = since
        if since is None:
            entering = sum(line.entering for line in self.open.values())
            assert self.fixed_revenue + entering == self.revenue, "frozen and open lines make up the revenue"

    def open_lines(self) -> Iterator[OpenLine]:
        """In order."""
        return (self.open[line_id] for _, _, line_id in self._order)

    def revenue_before(self, key: SortKey) -> Cents:
        """The revenue of the frozen lines and of the open lines before a place in the order."""
        return self._revenue_before(bisect_left(self._order, key))

    def open_revenues(self) -> Iterator[tuple[int, Cents]]:
        """Every open line with the revenue up to it, itself included."""
        revenue = self.fixed_revenue
        for line in self.open_lines():
            revenue = Cents(revenue + line.entering)
            yield line.line_id, revenue

    def validate(self, at: datetime, line_id: int, booking: Validation, rules: Sequence[CustomRule]) -> None:
        """Prices a booking at its place in the order, and re-prices the later lines."""
        assert self.since is None or self.since <= booking.used_at, "the later lines are loaded"
        index = bisect_left(self._order, (booking.used_at, booking.booking_id, line_id))
        before = self._revenue_before(index)
        revenue = Cents(before + booking.entering)
        self._price(at, line_id, booking, price(booking.priceable(), revenue, rules))
        self._reprice(at, index + 1, rules, before, self.revenue)

    def invalidate(self, at: datetime, line_id: int, reason: str, rules: Sequence[CustomRule]) -> None:
        """Removes an open line, and re-prices the later ones."""
        line = self.open[line_id]
        index = bisect_left(self._order, line.sort_key)
        before, highest = self._revenue_before(index), self.revenue
        self._void(at, line, reason)
        self._reprice(at, index, rules, before, highest)

    def correct(self, at: datetime, booking: Validation, correction: Correction, rules: Sequence[CustomRule]) -> None:
        """Adds a line that corrects a frozen one, which stays as it is."""
        assert self.since is None, "every open line comes later and is loaded"
        lowest, highest = self.fixed_revenue, self.revenue
        self._trigger(self.Corrected, at, booking=booking, correction=correction)
        self._reprice(at, 0, rules, min(lowest, self.fixed_revenue), max(highest, self.revenue))

    def enter(self, at: datetime, batch_id: int, entries: Iterable[Entry], rules: Sequence[CustomRule]) -> None:
        """Freezes lines in a batch. Open lines that came before a frozen one now come after it."""
        assert self.since is None, "every open line is loaded"
        lowest = self.fixed_revenue
        for entry in entries:
            facts = {"line_id": entry.line_id, "booking_id": entry.booking_id, "iban": entry.iban, "bic": entry.bic}
            if entry.is_correction:
                self._trigger(self.CorrectionEntered, at, batch_id=batch_id, **facts)
            else:
                line = self.open.get(entry.line_id)
                if line is not None:
                    self._record_revenue(at, line)
                entering = line.entering if line else ZERO
                more = {"entering": entering, "counted_from": entry.counted_from}
                self._trigger(self.BookingEntered, at, batch_id=batch_id, **facts, **more)
        self._reprice(at, 0, rules, lowest, self.revenue)

    def reimburse(
        self, at: datetime, line_id: int, booking_id: int, batch_id: int, reimbursed: Cents, *, is_correction: bool
    ) -> None:
        """Records that the line's transfer was sent, or that it needed none."""
        kind = self.CorrectionReimbursed if is_correction else self.BookingReimbursed
        self._trigger(kind, at, line_id=line_id, booking_id=booking_id, batch_id=batch_id, reimbursed=reimbursed)

    def _revenue_before(self, index: int) -> Cents:
        """The revenue of the frozen lines and of the first ``index`` open ones, added up from the nearer end."""
        if self.since is None and 2 * index < len(self._order):
            return Cents(self.fixed_revenue + self._entering(self._order[:index]))
        return Cents(self.revenue - self._entering(self._order[index:]))

    def _entering(self, keys: Iterable[SortKey]) -> int:
        return sum(self.open[line_id].entering for _, _, line_id in keys)

    def _reprice(self, at: datetime, index: int, rules: Sequence[CustomRule], lowest: Cents, highest: Cents) -> None:
        """Re-prices the open lines from an index on.

        ``lowest`` and ``highest`` bound the revenues of these lines, before the change and after it.
        """
        if index == len(self._order) or not crosses_threshold(lowest, highest):
            return
        revenue = self._revenue_before(index)
        for _, _, line_id in self._order[index:]:
            line = self.open[line_id]
            revenue = Cents(revenue + line.entering)
            fresh = price(line.booking.priceable(), revenue, rules)
            if not fresh.pays_like(line.price):
                self._replace_price(at, line, fresh)

    def _record_revenue(self, at: datetime, line: OpenLine) -> None:
        """Records the line's final revenue, when it has moved since the line was priced."""
        revenue = Cents(self.revenue_before(line.sort_key) + line.entering)
        if revenue != line.price.revenue:
            self._replace_price(at, line, replace(line.price, revenue=revenue))

    def _replace_price(self, at: datetime, line: OpenLine, fresh: Price) -> None:
        self._void(at, line, "repriced")
        self._price(at, line.line_id, line.booking, fresh)

    def _price(self, at: datetime, line_id: int, booking: Validation, fresh: Price) -> None:
        assert fresh.reimbursed + fresh.contribution == booking.total, "a price splits its booking's total"
        self._trigger(self.Priced, at, line_id=line_id, booking=booking, price=fresh)

    def _void(self, at: datetime, line: OpenLine, reason: str) -> None:
        self._trigger(
            self.Voided,
            at,
            line_id=line.line_id,
            booking_id=line.booking.booking_id,
            amount=line.booking.total,
            entering=line.entering,
            reimbursed=line.price.reimbursed,
            reason=reason,
        )

    def _trigger(self, kind: Any, at: datetime, **facts: Any) -> None:
        self.trigger_event(kind, timestamp=at, establishment=self.establishment, year=self.year, **facts)

    def _add(self, line: OpenLine) -> None:
        self.open[line.line_id] = line
        insort(self._order, line.sort_key)

    def _remove(self, line_id: int) -> OpenLine:
        line = self.open.pop(line_id)
        del self._order[bisect_left(self._order, line.sort_key)]
        return line
