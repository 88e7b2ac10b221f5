"""The identities between the services' figures, and the differences where one does not hold (ARCHITECTURE.md §8).

An identity compares two sums in cents: per civil day of use in Paris, per batch or in total. A difference names the
bookings that cause it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from services.payout.domain.establishment_year import EstablishmentYear, OpenLine
from shared.kernel.money import Cents

SPENT = "spent (wallet) = validated (booking)"
VALIDATED = "validated (booking) = priced (payout)"
PRICED = "priced = reimbursed + contribution"
REIMBURSED = "reimbursed = paid + to pay + unpayable for want of bank details + carried forward"
GRANTED = "granted = available + reserved + spent + lapsed"
BATCH_LINES = "lines of a batch = transfers + carried"
BATCH_FILE = "transfers of a batch = control sum of its file"
BATCH_SENT = "transfers sent = lines paid by them"
CARRIED = "lines carried forward = what accounts carry forward"
RULE = "reimbursed = what the rule gives"
ROWS = "rows = fold of the log"
STREAM = "the events of a stream agree"
CHAIN = "revenue of a price = revenue before it + what its booking adds"
MAX_BOOKINGS = 100


@dataclass(frozen=True, slots=True)
class Identity:
    name: str
    left: int
    right: int

    @property
    def difference(self) -> int:
        return self.left - self.right


@dataclass(frozen=True, slots=True)
class Difference:
    """An identity that does not hold. ``where``: the day, batch, account or table that it is about."""

    identity: str
    where: str
    left: int | None
    right: int | None
    bookings: tuple[int, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """A line, folded from the log. ``state``: ``paid``, ``to-pay``, ``unpayable`` or ``carried``."""

    booking_id: int
    day: date
    amount: int
    reimbursed: int
    contribution: int
    state: str
    by_rule: int
    """The reimbursement that its rule gives for its price and revenue; that of the line, for a correction."""
    paid: int = 0
    """The amount published as reimbursed."""
    end_to_end_id: str | None = None
    awaits_bank: bool = False
    """Whether its transfer is at the bank, which has not answered."""


@dataclass(slots=True)
class Sums:
    """Lines added up per day, per booking and per transfer.

    ``paid``: the amounts published as reimbursed. ``open``: amounts that only the lines record, because they are not
    paid, not in a transfer at the bank, and not carried forward by an account.
    """

    days: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    bookings: Counter[int] = field(default_factory=Counter)
    transfers: Counter[str] = field(default_factory=Counter)
    reimbursed: int = 0
    paid: int = 0
    open: int = 0
    broken_prices: list[int] = field(default_factory=list)
    broken_payments: list[int] = field(default_factory=list)
    broken_rules: list[int] = field(default_factory=list)

    def add(self, line: LedgerLine) -> None:
        day = self.days[line.day.isoformat()]
        day["priced"] += line.amount
        day["reimbursed"] += line.reimbursed
        day["contribution"] += line.contribution
        day["paid"] += line.paid
        due = line.reimbursed if line.state != "paid" else 0
        if due:
            day[line.state] += due
        self.bookings[line.booking_id] += line.amount
        self.reimbursed += line.reimbursed
        self.paid += line.paid
        if line.state != "carried" and not line.awaits_bank:
            self.open += due
        if line.end_to_end_id is not None:
            self.transfers[line.end_to_end_id] += line.paid + due
        if line.paid + due != line.reimbursed:
            self.broken_payments.append(line.booking_id)
        if line.amount != line.reimbursed + line.contribution:
            self.broken_prices.append(line.booking_id)
        if line.by_rule != line.reimbursed:
            self.broken_rules.append(line.booking_id)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of another service's ledger, per day and per booking."""

    days: Mapping[str, int]
    bookings: Mapping[int, int]


def identities_by_day(
    spent: Figure, validated_for_wallet: Figure, validated: Figure, sums: Sums
) -> list[tuple[str, list[Identity]]]:
    """Each day's identities. Wallet and payout are each compared with booking up to their tracked position of it."""
    days = sorted({*spent.days, *validated_for_wallet.days, *validated.days, *sums.days})
    return [(day, _of_day(day, spent, validated_for_wallet, validated, sums)) for day in days]


def differences_by_booking(
    spent: Figure, validated_for_wallet: Figure, validated: Figure, sums: Sums
) -> list[Difference]:
    """Bookings whose figures differ between the services, and lines that do not add up."""
    found = []
    for name, left, right in (
        (SPENT, spent.bookings, validated_for_wallet.bookings),
        (VALIDATED, validated.bookings, sums.bookings),
    ):
        differing = [number for number in sorted({*left, *right}) if left.get(number, 0) != right.get(number, 0)]
        if differing:
            found.append(
                Difference(
                    name,
                    "bookings",
                    sum(left.get(number, 0) for number in differing),
                    sum(right.get(number, 0) for number in differing),
                    tuple(differing[:MAX_BOOKINGS]),
                )
            )
    broken = ((PRICED, sums.broken_prices), (REIMBURSED, sums.broken_payments), (RULE, sums.broken_rules))
    for name, numbers in broken:
        if numbers:
            found.append(Difference(name, "lines", None, None, tuple(sorted(numbers)[:MAX_BOOKINGS])))
    return found


def differences_of(where: str, identities: Iterable[Identity], bookings: tuple[int, ...] = ()) -> list[Difference]:
    """The identities that do not hold."""
    return [Difference(one.name, where, one.left, one.right, bookings) for one in identities if one.difference]


def of_all_lines(sums: Sums, at_bank: int, carried: int) -> Identity:
    """Compares the lines with the batches' own records, which no day has.

    ``at_bank``: the sum of transfers without an answer. ``carried``: the sum of the debts of accounts.
    """
    return Identity(REIMBURSED, sums.reimbursed, sums.paid + sums.open + at_bank + carried)


class Payments:
    """Follows the log: the amount published as reimbursed, line by line."""

    def __init__(self) -> None:
        self.of_line: Counter[int] = Counter()

    def follow(self, event: Any) -> None:
        """Takes the next event of the log, of any kind."""
        if isinstance(event, EstablishmentYear.Paid):
            self.of_line[event.line_id] += event.reimbursed


class PriceChain:
    """Follows the log: checks the revenue of every price, superseded ones too, and of every line that enters a batch.

    It must be the revenue of the year's earlier lines plus what the booking adds.
    """

    def __init__(self) -> None:
        self._years: dict[UUID, EstablishmentYear] = {}
        self.broken: list[int] = []

    def follow(self, event: Any) -> None:
        """Takes the next event of the log, of any kind."""
        if not isinstance(event, EstablishmentYear.Event):
            return
        year = self._years.get(event.originator_id)
        if year is not None:
            line = _line_to_check(year, event)
            if line is not None and line.price.revenue != year.revenue_before(line.sort_key) + line.entering:
                self.broken.append(line.booking.booking_id)
        after: Any = event.mutate(year)
        self._years[event.originator_id] = after

    def revenues(self) -> dict[int, Cents]:
        """Open line → its current revenue, which may have moved since the line was priced."""
        return {line_id: revenue for year in self._years.values() for line_id, revenue in year.open_revenues()}

    def differences(self) -> list[Difference]:
        numbers = tuple(sorted(set(self.broken))[:MAX_BOOKINGS])
        return [Difference(CHAIN, "prices", None, None, numbers)] if numbers else []


def _line_to_check(year: EstablishmentYear, event: EstablishmentYear.Event) -> OpenLine | None:
    """The line that an event prices, or that enters its first batch."""
    if isinstance(event, EstablishmentYear.Priced):
        return OpenLine(event.line_id, event.booking, event.price)
    return year.open.get(event.line_id) if isinstance(event, EstablishmentYear.BookingEntered) else None


def _of_day(day: str, spent: Figure, validated_for_wallet: Figure, validated: Figure, sums: Sums) -> list[Identity]:
    of_lines = sums.days.get(day, Counter())
    states = sum(of_lines[state] for state in ("paid", "to-pay", "unpayable", "carried"))
    return [
        Identity(SPENT, spent.days.get(day, 0), validated_for_wallet.days.get(day, 0)),
        Identity(VALIDATED, validated.days.get(day, 0), of_lines["priced"]),
        Identity(PRICED, of_lines["priced"], of_lines["reimbursed"] + of_lines["contribution"]),
        Identity(REIMBURSED, of_lines["reimbursed"], states),
    ]
