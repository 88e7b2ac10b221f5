"""Payout's read models, folded from its log.

``Reimbursements`` writes in bulk: a close folds a hundred thousand events, so the changes of a flush are gathered row
by row and written with few statements, in the order of their keys.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.payout.domain.bank_details import BankDetails
from services.payout.domain.batches import AccountName, Payment, PayoutBatch
from services.payout.domain.custom_rules import Agreement
from services.payout.domain.establishment_year import CORRECTION, EstablishmentYear, Validation
from services.payout.storage import tables
from shared.eventstore import sql
from shared.projections import Projection, Rows, on

_YEAR_SUMS = (
    "fixed_revenue_cents",
    "revenue_cents",
    "amount_cents",
    "reimbursed_cents",
    "contribution_cents",
    "paid_cents",
)
_BATCH_FIGURES = (
    "lines",
    "transfers",
    "total_cents",
    "contribution_cents",
    "transferred_cents",
    "carried_cents",
    "without_bank_details_lines",
    "without_bank_details_cents",
)
_UNPAID = (
    tables.lines.c.status.in_(["in-batch", "carried-forward"])
    & tables.lines.c.end_to_end_id.is_(None)
    & ~tables.lines.c.settling
)
"""Lines of this batch, and lines that earlier batches carried forward."""


class _Rows(Rows):
    """The rows that the events of a flush change, until they are written."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._clear()

    def _clear(self) -> None:
        self.lines: dict[int, dict[str, Any]] = {}
        self.patches: dict[int, dict[str, Any]] = {}
        self.gone: set[int] = set()
        self.opened: dict[UUID, dict[str, Any]] = {}
        self.sums: dict[UUID, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_YEAR_SUMS, 0))
        self.versions: dict[UUID, int] = {}
        self.rows: dict[sa.Table, list[dict[str, Any]]] = defaultdict(list)
        self.carried: dict[AccountName, int] = {}
        self.paid: dict[tuple[int, Payment], list[AccountName]] = defaultdict(list)

    def line(self, row: dict[str, Any]) -> None:
        self.gone.discard(row["line_id"])
        self.lines[row["line_id"]] = row

    def patch(self, line_id: int, **values: Any) -> None:
        if line_id in self.lines:
            self.lines[line_id].update(values)
        else:
            self.patches.setdefault(line_id, {}).update(values)

    def drop(self, line_id: int) -> None:
        self.lines.pop(line_id, None)
        self.patches.pop(line_id, None)
        self.gone.add(line_id)

    def add(self, event: EstablishmentYear.Event, **sums: int) -> None:
        """Adds to the sums of an establishment's year."""
        self.versions[event.originator_id] = event.originator_version
        kept = self.sums[event.originator_id]
        for name, amount in sums.items():
            kept[f"{name}_cents"] += amount

    def write(self) -> None:
        self._write_lines()
        self._write_years()
        for table, rows in self.rows.items():
            self.connection.execute(table.insert(), rows)
        if self.carried:
            rows = [{"iban": iban, "bic": bic, "carried_cents": cents} for (iban, bic), cents in self.carried.items()]
            sql.upsert(self.connection, tables.carried, rows)
        for (batch_id, payment), accounts in self.paid.items():
            self._pay(batch_id, payment, accounts)
        self._clear()  # the handlers of later events may read these rows

    def _write_lines(self) -> None:
        lines, line_id = tables.lines, tables.lines.c.line_id
        if self.gone:
            self.connection.execute(lines.delete().where(sql.among(line_id, sorted(self.gone))))
        if self.lines:
            sql.upsert(self.connection, lines, [row for _, row in sorted(self.lines.items())])
        alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for number, values in sorted(self.patches.items()):
            alike[tuple(sorted(values.items()))].append(number)
        for changes, numbers in alike.items():
            chosen = sql.among(line_id, numbers)
            self.connection.execute(lines.update().where(chosen).values(**dict(changes)))

    def _pay(self, batch_id: int, payment: Payment, accounts: Sequence[AccountName]) -> None:
        """Marks the unpaid lines of accounts as a close pays them."""
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
        self.connection.execute(lines.update().where(_UNPAID, named).values(values), {"ibans": ibans, "bics": bics})

    def _write_years(self) -> None:
        years = tables.establishment_years
        if self.opened:
            self.connection.execute(years.insert(), [row for _, row in sorted(self.opened.items())])
        if not self.versions:
            return
        changed = {name: years.c[name] + sa.bindparam(f"more_{name}") for name in _YEAR_SUMS}
        statement = years.update().where(years.c.year_id == sa.bindparam("key"))
        self.connection.execute(
            statement.values(version=sa.bindparam("to_version"), **changed),
            [
                {"key": key, "to_version": version, **{f"more_{name}": more for name, more in self.sums[key].items()}}
                for key, version in sorted(self.versions.items())
            ],
        )


class Reimbursements(Projection):
    """What is every validated booking reimbursed, and in which batch and transfer?"""

    name = "reimbursements"
    version = 1
    rows = _Rows
    tables = (
        tables.lines,
        tables.establishment_years,
        tables.batches,
        tables.batch_lines,
        tables.batch_accounts,
        tables.batch_venues,
        tables.transfers,
        tables.carried,
    )

    @on(EstablishmentYear.Opened)
    def opened(self, rows: _Rows, event: EstablishmentYear.Opened) -> None:
        rows.opened[event.originator_id] = {
            "year_id": event.originator_id,
            "establishment": event.establishment,
            "year": event.year,
            "version": 1,
            **dict.fromkeys(_YEAR_SUMS, 0),
        }

    @on(EstablishmentYear.Priced)
    def priced(self, rows: _Rows, event: EstablishmentYear.Priced) -> None:
        booking, price = event.booking, event.price
        row = _line(event, event.line_id, booking) | {
            "corrects": None,
            "amount_cents": booking.total,
            "entering_cents": booking.entering,
            "revenue_cents": price.revenue,
            "rate": price.rate,
            "rule": price.rule,
            "reimbursed_cents": price.reimbursed,
            "contribution_cents": price.contribution,
            "reason": None,
            "provisional": True,
        }
        rows.line(row)
        sums = {"revenue": booking.entering, "amount": booking.total}
        rows.add(event, **sums, reimbursed=price.reimbursed, contribution=price.contribution)

    @on(EstablishmentYear.Corrected)
    def corrected(self, rows: _Rows, event: EstablishmentYear.Corrected) -> None:
        fix = event.correction
        row = _line(event, fix.line_id, event.booking) | {
            "corrects": fix.corrects,
            "amount_cents": fix.amount,
            "entering_cents": fix.entering,
            "revenue_cents": fix.entering,
            "rate": None,
            "rule": CORRECTION,
            "reimbursed_cents": fix.reimbursed,
            "contribution_cents": fix.contribution,
            "reason": fix.reason,
            "provisional": False,
        }
        rows.line(row)
        sums = {"revenue": fix.entering, "fixed_revenue": fix.entering, "amount": fix.amount}
        rows.add(event, **sums, reimbursed=fix.reimbursed, contribution=fix.contribution)

    @on(EstablishmentYear.Voided)
    def voided(self, rows: _Rows, event: EstablishmentYear.Voided) -> None:
        rows.drop(event.line_id)
        contribution = event.amount - event.reimbursed
        sums = {"revenue": -event.entering, "amount": -event.amount}
        rows.add(event, **sums, reimbursed=-event.reimbursed, contribution=-contribution)

    @on(EstablishmentYear.BookingEntered)
    def booking_entered(self, rows: _Rows, event: EstablishmentYear.BookingEntered) -> None:
        rows.add(event, fixed_revenue=event.entering)
        self._entered(rows, event, event.counted_from)

    @on(EstablishmentYear.CorrectionEntered)
    def correction_entered(self, rows: _Rows, event: EstablishmentYear.CorrectionEntered) -> None:
        rows.add(event)
        self._entered(rows, event, None)

    @on(EstablishmentYear.BookingReimbursed, EstablishmentYear.CorrectionReimbursed)
    def reimbursed(self, rows: _Rows, event: EstablishmentYear.BookingReimbursed) -> None:
        rows.add(event, paid=event.reimbursed)
        rows.patch(event.line_id, status="sent", settling=False)

    @on(PayoutBatch.Opened)
    def batch_opened(self, rows: _Rows, event: PayoutBatch.Opened) -> None:
        rows.rows[tables.batches].append(
            {
                "batch_id": event.batch_id,
                "cutoff": event.cutoff,
                "label": event.label,
                "status": "closing",
                "last_line_id": event.last_line_id,
                "opened_at": event.timestamp,
                "debtor_name": event.debtor.name,
                "debtor_iban": event.debtor.iban,
                "debtor_bic": event.debtor.bic,
                **dict.fromkeys(_BATCH_FIGURES, 0),
            }
        )

    @on(PayoutBatch.BalancesNoted)
    def balances_noted(self, rows: _Rows, event: PayoutBatch.BalancesNoted) -> None:
        rows.write()
        batches = tables.batches
        noted = batches.update().where(batches.c.batch_id == event.batch_id)
        rows.connection.execute(noted.values(wallet_position=event.wallet_position))

    @on(PayoutBatch.FormNoted)
    def form_noted(self, rows: _Rows, event: PayoutBatch.FormNoted) -> None:
        rows.write()
        batches = tables.batches
        rows.connection.execute(batches.update().where(batches.c.batch_id == event.batch_id).values(form=event.form))

    @on(PayoutBatch.DebtMoved)
    def debt_moved(self, rows: _Rows, event: PayoutBatch.DebtMoved) -> None:
        """The lines that make up the debt move with it: they are paid where it is set off."""
        rows.write()
        lines, carried = tables.lines, tables.carried
        for iban, bic, more in (
            (event.iban, event.bic, -event.amount),
            (event.to_iban, event.to_bic, event.amount),
        ):
            this = (carried.c.iban == iban) & (carried.c.bic == bic)
            before = rows.connection.execute(sa.select(carried.c.carried_cents).where(this)).scalar() or 0
            sql.upsert(rows.connection, carried, [{"iban": iban, "bic": bic, "carried_cents": before + more}])
        owing = (lines.c.iban == event.iban) & (lines.c.bic == event.bic) & (lines.c.status == "carried-forward")
        rows.connection.execute(lines.update().where(owing).values(iban=event.to_iban, bic=event.to_bic))

    @on(PayoutBatch.VenueListed)
    def venue_listed(self, rows: _Rows, event: PayoutBatch.VenueListed) -> None:
        venue = event.venue
        rows.rows[tables.batch_venues].append(
            {
                "batch_id": event.batch_id,
                "venue_id": venue.venue_id,
                "iban": venue.iban or "",
                "bic": venue.bic or "",
                "venue_name": venue.venue_name,
                "siret": venue.siret,
                "address": venue.address,
                "offerer_id": venue.offerer_id,
                "offerer_name": venue.offerer_name,
                "siren": venue.siren,
                "lines": venue.lines,
                "total_cents": venue.total,
            }
        )

    @on(PayoutBatch.AccountListed)
    def account_listed(self, rows: _Rows, event: PayoutBatch.AccountListed) -> None:
        account, due = event.account, event.account.due
        rows.carried[account.name] = account.carried
        rows.paid[event.batch_id, account.payment].append(account.name)
        rows.rows[tables.batch_accounts].append(
            {
                "batch_id": event.batch_id,
                "iban": due.iban,
                "bic": due.bic,
                "lines": due.lines,
                "lines_cents": due.lines_total,
                "brought_forward_cents": due.brought_forward,
                "transferred_cents": account.transferred,
                "carried_cents": account.carried,
                "end_to_end_id": account.end_to_end_id,
            }
        )
        if account.end_to_end_id is not None:
            rows.rows[tables.transfers].append(
                {
                    "end_to_end_id": account.end_to_end_id,
                    "batch_id": event.batch_id,
                    "amount_cents": account.transferred,
                    "iban": due.iban,
                    "bic": due.bic,
                    "holder": due.holder,
                    "siren": due.siren,
                    "remittance": account.remittance,
                    "status": "pending",
                }
            )

    @on(PayoutBatch.Closed)
    def batch_closed(self, rows: _Rows, event: PayoutBatch.Closed) -> None:
        rows.write()
        totals, batches = event.totals, tables.batches
        rows.connection.execute(
            batches.update()
            .where(batches.c.batch_id == event.batch_id)
            .values(
                status="closed",
                closed_at=event.timestamp,
                execution_date=event.execution_date,
                lines=totals.lines,
                transfers=totals.transfers,
                total_cents=totals.total,
                contribution_cents=totals.contribution,
                transferred_cents=totals.transferred,
                carried_cents=totals.carried,
                without_bank_details_lines=totals.without_bank_details_lines,
                without_bank_details_cents=totals.without_bank_details_total,
                checksum=event.checksum,
            )
        )
        # lines of 0 euros have no account
        free = (tables.lines.c.batch_id == event.batch_id) & tables.lines.c.iban.is_(None)
        rows.connection.execute(tables.lines.update().where(_UNPAID, free).values(settling=True))

    @on(PayoutBatch.TransferSent)
    def transfer_sent(self, rows: _Rows, event: PayoutBatch.TransferSent) -> None:
        self._answered(rows, event, "sent", None)
        lines = tables.lines
        paid = lines.c.end_to_end_id == event.end_to_end_id
        rows.connection.execute(lines.update().where(paid).values(settling=True))

    @on(PayoutBatch.TransferRejected)
    def transfer_rejected(self, rows: _Rows, event: PayoutBatch.TransferRejected) -> None:
        self._answered(rows, event, "rejected", event.reason)
        lines = tables.lines
        unpaid = lines.c.end_to_end_id == event.end_to_end_id
        rows.connection.execute(lines.update().where(unpaid).values(status="rejected"))

    @staticmethod
    def _entered(rows: _Rows, event: Any, counted_from: date | None) -> None:
        account = {"iban": event.iban, "bic": event.bic}
        fresh = {"status": "in-batch", "provisional": False, "settling": False, "end_to_end_id": None}
        rows.patch(event.line_id, batch_id=event.batch_id, **account, **fresh)
        entry = {"batch_id": event.batch_id, "line_id": event.line_id, **account, "counted_from": counted_from}
        rows.rows[tables.batch_lines].append(entry)

    @staticmethod
    def _answered(rows: _Rows, event: Any, status: str, reason: str | None) -> None:
        rows.write()
        transfers = tables.transfers
        rows.connection.execute(
            transfers.update()
            .where(transfers.c.end_to_end_id == event.end_to_end_id)
            .values(status=status, reason=reason, answered_at=event.timestamp, answered_cents=event.amount)
        )


class BankDetailsByOwner(Projection):
    """On which account is a venue paid, and which submissions wait for staff?"""

    name = "bank_details"
    version = 1
    tables = (tables.bank_details, tables.documents)

    @on(BankDetails.Submitted)
    def submitted(self, connection: sa.Connection, event: BankDetails.Submitted) -> None:
        connection.execute(
            tables.bank_details.insert().values(
                bank_details_id=event.bank_details_id,
                offerer_id=event.offerer_id,
                venue_id=event.venue_id,
                iban=event.account.iban,
                bic=event.account.bic,
                holder=event.account.holder,
                status="pending",
                submitted_at=event.timestamp,
            )
        )

    @on(BankDetails.DocumentAdded)
    def document_added(self, connection: sa.Connection, event: BankDetails.DocumentAdded) -> None:
        connection.execute(
            tables.documents.insert().values(
                document_id=event.document_id,
                bank_details_id=event.bank_details_id,
                kind=event.document.kind,
                media_type=event.document.media_type,
                size=event.document.size,
                sha256=event.document.sha256,
                added_at=event.timestamp,
            )
        )

    @on(BankDetails.Accepted)
    def accepted(self, connection: sa.Connection, event: BankDetails.Accepted) -> None:
        self._decided(connection, event, status="accepted")

    @on(BankDetails.Rejected)
    def rejected(self, connection: sa.Connection, event: BankDetails.Rejected) -> None:
        self._decided(connection, event, status="rejected", reason=event.reason)

    @staticmethod
    def _decided(connection: sa.Connection, event: BankDetails.Event, **values: str) -> None:
        chosen = tables.bank_details.c.bank_details_id == event.bank_details_id
        connection.execute(tables.bank_details.update().where(chosen).values(decided_at=event.timestamp, **values))


class CustomRules(Projection):
    """Which custom rules were agreed?"""

    name = "custom_rules"
    version = 1
    tables = (tables.custom_rules,)

    @on(Agreement.Agreed)
    def agreed(self, connection: sa.Connection, event: Agreement.Agreed) -> None:
        rule = event.rule
        connection.execute(
            tables.custom_rules.insert().values(
                rule_id=rule.rule_id,
                offer_id=rule.offer_id,
                offerer_id=rule.offerer_id,
                amount_cents=rule.amount,
                rate=rule.rate,
                subcategories=list(rule.subcategories),
                starts_at=rule.start,
                ends_at=rule.end,
            )
        )


def projections() -> tuple[Projection, ...]:
    """In the order in which they are written."""
    return (Reimbursements(), BankDetailsByOwner(), CustomRules())


def _line(event: EstablishmentYear.Event, line_id: int, booking: Validation) -> dict[str, Any]:
    return {
        "line_id": line_id,
        "year_id": event.originator_id,
        "establishment": event.establishment,
        "year": event.year,
        "booking_id": booking.booking_id,
        "attempt": booking.attempt,
        "person_id": booking.person_id,
        "stock_id": booking.stock_id,
        "offer_id": booking.offer_id,
        "offer_name": booking.offer_name,
        "venue_id": booking.venue_id,
        "offerer_id": booking.offerer_id,
        "subcategory": booking.subcategory,
        "countermark": booking.countermark,
        "quantity": booking.quantity,
        "unit_price_cents": booking.unit_price,
        "booked_at": booking.booked_at,
        "begins_at": booking.begins_at,
        "used_at": booking.used_at,
        "status": "waiting",
        "batch_id": None,
        "iban": None,
        "bic": None,
        "end_to_end_id": None,
        "settling": False,
    }
