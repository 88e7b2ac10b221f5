"""Establishments' years for deciding: restored from rows instead of from their long streams.

A row is written in the transaction of its events and locked while something is decided on it; reconciliation proves
that rows are what the events say.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from services.payout.domain.custom_rules import CustomRule
from services.payout.domain.establishment_year import EstablishmentYear, OpenLine, Validation
from services.payout.domain.pricing import Price
from services.payout.storage.custom_rules import all_rules
from services.payout.storage.tables import establishment_years, lines
from shared.eventstore import Transaction, sql
from shared.kernel.money import Cents

Key = tuple[str, int]
"""An establishment and a civil year."""


@dataclass(slots=True)
class _Known:
    years: dict[UUID, EstablishmentYear] = field(default_factory=dict)
    bookings: set[int] = field(default_factory=set)
    rules: list[CustomRule] | None = None
    numbers: deque[int] = field(default_factory=deque)
    asked_for: int = 1


class Years:
    """Each year once per transaction: what was decided on it within the transaction is seen by what follows."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Transaction, _Known] = WeakKeyDictionary()

    def load(
        self, tx: Transaction, keys: Iterable[Key], *, since: datetime | None = None
    ) -> dict[Key, EstablishmentYear]:
        """Locks and restores them in two statements, with their open lines used at ``since`` or later (None: all).

        Those that do not exist yet begin now.
        """
        known = self._of(tx).years
        wanted = {EstablishmentYear.stream(*key): key for key in keys}
        unread = sorted(identifier for identifier in wanted if identifier not in known)
        if unread:
            known.update(_restored(tx, unread, since))
        for identifier in wanted:
            if identifier not in known:
                known[identifier] = EstablishmentYear.begin(tx.now, *wanted[identifier])
            _show_more(tx, known[identifier], since)
        return {key: known[identifier] for identifier, key in wanted.items()}

    def one(
        self, tx: Transaction, establishment: str, year: int, *, since: datetime | None = None
    ) -> EstablishmentYear:
        return self.load(tx, [(establishment, year)], since=since)[establishment, year]

    def rules(self, tx: Transaction) -> Sequence[CustomRule]:
        known = self._of(tx)
        if known.rules is None:
            known.rules = all_rules(tx.connection)
        return known.rules

    def next_line_id(self, tx: Transaction) -> int:
        """A number never given before. Asked for in blocks that double: a batch of messages asks a few times only."""
        known = self._of(tx)
        if not known.numbers:
            first = tx.next_number("line", known.asked_for)
            known.numbers.extend(range(first, first + known.asked_for))
            known.asked_for *= 2
        return known.numbers.popleft()

    def lines_of_booking(self, tx: Transaction, booking_id: int) -> Sequence[sa.Row[Any]]:
        """Its lines, what this transaction has decided included."""
        known = self._of(tx)
        if booking_id in known.bookings:
            tx.flush()
        known.bookings.add(booking_id)
        query = sa.select(lines).where(lines.c.booking_id == booking_id).order_by(lines.c.line_id)
        return tx.connection.execute(query).all()

    def _of(self, tx: Transaction) -> _Known:
        return self._known.setdefault(tx, _Known())


def by_id(connection: sa.Connection, year_id: UUID) -> sa.Row[Any] | None:
    """The row of an establishment's year."""
    return connection.execute(
        sa.select(establishment_years).where(establishment_years.c.year_id == year_id)
    ).one_or_none()


def _restored(tx: Transaction, identifiers: list[UUID], since: datetime | None) -> dict[UUID, EstablishmentYear]:
    chosen = sql.among(establishment_years.c.year_id, identifiers)
    heads = tx.connection.execute(
        sa.select(establishment_years).where(chosen).order_by(establishment_years.c.year_id).with_for_update()
    ).all()
    of_year: dict[UUID, list[OpenLine]] = defaultdict(list)
    for row in _provisional(tx.connection, [head.year_id for head in heads], since, None) if heads else ():
        of_year[row.year_id].append(open_line(row))
    return {
        head.year_id: EstablishmentYear.restore(
            head.establishment,
            head.year,
            version=head.version,
            fixed_revenue=Cents(head.fixed_revenue_cents),
            revenue=Cents(head.revenue_cents),
            lines=of_year[head.year_id],
            at=tx.now,
            since=since,
        )
        for head in heads
    }


def _show_more(tx: Transaction, year: EstablishmentYear, since: datetime | None) -> None:
    """Earlier lines, when they are needed. Nothing decided in this transaction has touched their rows: it came
    later."""
    if year.since is not None and (since is None or since < year.since):
        rows = _provisional(tx.connection, [year.id], since, year.since)
        year.load_earlier([open_line(row) for row in rows], since)


def _provisional(
    connection: sa.Connection, identifiers: list[UUID], since: datetime | None, before: datetime | None
) -> Sequence[sa.Row[Any]]:
    query = sa.select(lines).where(sql.among(lines.c.year_id, identifiers), lines.c.provisional)
    if since is not None:
        query = query.where(lines.c.used_at >= since)
    if before is not None:
        query = query.where(lines.c.used_at < before)
    return connection.execute(query).all()


def open_line(row: Any) -> OpenLine:
    price = Price(
        Cents(row.revenue_cents), row.rate, row.rule, Cents(row.reimbursed_cents), Cents(row.contribution_cents)
    )
    return OpenLine(row.line_id, validation(row), price)


def validation(row: Any) -> Validation:
    """The booking of a line."""
    return Validation(
        booking_id=row.booking_id,
        attempt=row.attempt,
        person_id=row.person_id,
        stock_id=row.stock_id,
        offer_id=row.offer_id,
        offer_name=row.offer_name,
        venue_id=row.venue_id,
        offerer_id=row.offerer_id,
        subcategory=row.subcategory,
        countermark=row.countermark,
        quantity=row.quantity,
        unit_price=Cents(row.unit_price_cents),
        booked_at=row.booked_at,
        begins_at=row.begins_at,
        used_at=row.used_at,
    )
