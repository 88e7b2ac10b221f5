"""Establishments' years for decisions: restored from rows instead of from their long streams.

The rows are written in the transaction of the events and locked while a decision is made on them; reconciliation proves
that they are what the events lead to.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.payout.domain.custom_rules import CustomRule
from services.payout.domain.establishment_year import EstablishmentYear, OpenLine, Validation
from services.payout.domain.pricing import Price
from services.payout.storage.custom_rules import all_rules
from services.payout.storage.lines import among
from services.payout.storage.tables import establishment_years, lines
from shared.eventstore import Transaction, sql
from shared.kernel.money import Cents

BOOKING_COLUMNS = tuple(field.name for field in fields(Validation) if field.name != "unit_price")
"""The columns of ``lines`` that have the name of a field of the booking."""

Key = tuple[str, int]
"""An establishment and a civil year."""


class Years:
    """The years of one transaction, each loaded once: a decision sees the earlier ones of the same transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._years: dict[UUID, EstablishmentYear] = {}
        self._bookings: set[int] = set()
        self._line_ids: deque[int] = deque()
        self._block = 1

    @classmethod
    def of(cls, tx: Transaction) -> Years:
        found: Years | None = tx.locals.get(cls)
        if found is None:
            found = tx.locals[cls] = cls(tx)
        return found

    def load(self, keys: Iterable[Key], *, since: datetime | None = None) -> dict[Key, EstablishmentYear]:
        """Locks and restores years in two statements, with their open lines used at ``since`` or later (None: all).

        A year that does not exist begins now.
        """
        wanted = {EstablishmentYear.stream(*key): key for key in keys}
        unread = sorted(identifier for identifier in wanted if identifier not in self._years)
        if unread:
            self._years.update(_restored(self._tx, unread, since))
        for identifier, key in wanted.items():
            if identifier not in self._years:
                self._years[identifier] = EstablishmentYear.begin(self._tx.now, *key)
            _load_earlier(self._tx, self._years[identifier], since)
        return {key: self._years[identifier] for identifier, key in wanted.items()}

    def one(self, key: Key, *, since: datetime | None = None) -> EstablishmentYear:
        return self.load([key], since=since)[key]

    @cached_property
    def rules(self) -> Sequence[CustomRule]:
        """Every custom rule."""
        return all_rules(self._tx.connection)

    def next_line_id(self) -> int:
        """A number never given before. Numbers are drawn in blocks that double: few statements for many messages."""
        if not self._line_ids:
            first = self._tx.next_number("line", self._block)
            self._line_ids.extend(range(first, first + self._block))
            self._block *= 2
        return self._line_ids.popleft()

    def lines_of_booking(self, booking_id: int) -> Sequence[sa.Row[Any]]:
        """The lines of a booking, with those that this transaction has decided."""
        if booking_id in self._bookings:
            self._tx.flush()
        self._bookings.add(booking_id)
        query = sa.select(lines).where(lines.c.booking_id == booking_id).order_by(lines.c.line_id)
        return self._tx.connection.execute(query).all()


def by_id(connection: sa.Connection, year_id: UUID) -> sa.Row[Any] | None:
    """The row of an establishment's year."""
    return connection.execute(
        sa.select(establishment_years).where(establishment_years.c.year_id == year_id)
    ).one_or_none()


def keys_of_lines(connection: sa.Connection, line_ids: Iterable[int]) -> list[Key]:
    """The years that lines belong to."""
    query = sa.select(lines.c.establishment, lines.c.year).distinct()
    return list(connection.execute(query.where(among(line_ids))).tuples())


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


def _load_earlier(tx: Transaction, year: EstablishmentYear, since: datetime | None) -> None:
    """Loads earlier open lines where a decision needs them.

    Their rows are current: decisions of this transaction concerned later lines only.
    """
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
    copied = {name: getattr(row, name) for name in BOOKING_COLUMNS}
    return Validation(unit_price=Cents(row.unit_price_cents), **copied)
