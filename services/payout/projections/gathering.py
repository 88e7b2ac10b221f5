"""Gathers the rows of ``Reimbursements``: a close folds a hundred thousand events and writes them in few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.payout.domain.batches import AccountName, Payment
from services.payout.domain.establishment_year import EstablishmentYear
from services.payout.storage import tables
from shared.eventstore import sql
from shared.projections import Rows

YEAR_SUMS = (
    "fixed_revenue_cents",
    "revenue_cents",
    "amount_cents",
    "reimbursed_cents",
    "contribution_cents",
    "paid_cents",
)
UNPAID = (
    tables.lines.c.status.in_(["in-batch", "carried-forward"])
    & tables.lines.c.end_to_end_id.is_(None)
    & ~tables.lines.c.settling
)
"""Lines of the batch that closes, and lines that earlier batches carried forward."""


class GatheredRows(Rows):
    """The rows that the events of a flush change, until they are written."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._clear()

    def _clear(self) -> None:
        self.lines: dict[int, dict[str, Any]] = {}
        self.changes: dict[int, dict[str, Any]] = {}
        self.removed: set[int] = set()
        self.opened: dict[UUID, dict[str, Any]] = {}
        self.sums: dict[UUID, dict[str, int]] = defaultdict(lambda: dict.fromkeys(YEAR_SUMS, 0))
        self.versions: dict[UUID, int] = {}
        self.rows: dict[sa.Table, list[dict[str, Any]]] = defaultdict(list)
        self.carried: dict[AccountName, int] = {}
        self.payments: dict[tuple[int, Payment], list[AccountName]] = defaultdict(list)

    def put_line(self, row: dict[str, Any]) -> None:
        self.removed.discard(row["line_id"])
        self.lines[row["line_id"]] = row

    def change_line(self, line_id: int, **values: Any) -> None:
        if line_id in self.lines:
            self.lines[line_id].update(values)
        else:
            self.changes.setdefault(line_id, {}).update(values)

    def remove_line(self, line_id: int) -> None:
        self.lines.pop(line_id, None)
        self.changes.pop(line_id, None)
        self.removed.add(line_id)

    def add_to_year(self, event: EstablishmentYear.Event, **amounts: int) -> None:
        """Adds amounts to the sums of an establishment's year, and follows its version."""
        self.versions[event.originator_id] = event.originator_version
        sums = self.sums[event.originator_id]
        for name, amount in amounts.items():
            sums[f"{name}_cents"] += amount

    def write(self) -> None:
        """Writes the rows in the order of their keys, then gathers from empty: later handlers read them."""
        self._write_lines()
        self._write_years()
        for table, rows in self.rows.items():
            self.connection.execute(table.insert(), rows)
        if self.carried:
            rows = [{"iban": iban, "bic": bic, "carried_cents": cents} for (iban, bic), cents in self.carried.items()]
            sql.upsert(self.connection, tables.carried, rows)
        for (batch_id, payment), accounts in self.payments.items():
            self._apply_payment(batch_id, payment, accounts)
        self._clear()

    def _write_lines(self) -> None:
        lines, line_id = tables.lines, tables.lines.c.line_id
        if self.removed:
            self.connection.execute(lines.delete().where(sql.among(line_id, sorted(self.removed))))
        if self.lines:
            sql.upsert(self.connection, lines, [row for _, row in sorted(self.lines.items())])
        same_change: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for number, values in sorted(self.changes.items()):
            same_change[tuple(sorted(values.items()))].append(number)
        for changes, numbers in same_change.items():
            chosen = sql.among(line_id, numbers)
            self.connection.execute(lines.update().where(chosen).values(**dict(changes)))

    def _apply_payment(self, batch_id: int, payment: Payment, accounts: Sequence[AccountName]) -> None:
        """Sets the payment status of the unpaid lines of accounts at a close."""
        lines, listed = tables.lines, tables.batch_accounts
        ibans, bics = zip(*accounts, strict=True)
        of_account = (listed.c.batch_id == batch_id) & (listed.c.iban == lines.c.iban) & (listed.c.bic == lines.c.bic)
        transfer = sa.select(listed.c.end_to_end_id).where(of_account).scalar_subquery()
        values: dict[str, Any] = {"settling": True}
        if payment is Payment.BY_TRANSFER:
            values = {"status": "in-batch", "end_to_end_id": transfer}
        elif payment is Payment.CARRIED_FORWARD:
            values = {"status": "carried-forward"}
        named = sql.pair_among_given(lines.c.iban, lines.c.bic, ("ibans", "bics"))
        self.connection.execute(lines.update().where(UNPAID, named).values(values), {"ibans": ibans, "bics": bics})

    def _write_years(self) -> None:
        years = tables.establishment_years
        if self.opened:
            self.connection.execute(years.insert(), [row for _, row in sorted(self.opened.items())])
        if not self.versions:
            return
        changed = {name: years.c[name] + sa.bindparam(f"more_{name}") for name in YEAR_SUMS}
        statement = years.update().where(years.c.year_id == sa.bindparam("key"))
        self.connection.execute(
            statement.values(version=sa.bindparam("to_version"), **changed),
            [
                {"key": key, "to_version": version, **{f"more_{name}": more for name, more in self.sums[key].items()}}
                for key, version in sorted(self.versions.items())
            ],
        )
