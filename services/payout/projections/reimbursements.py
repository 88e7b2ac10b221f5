"""Lines, batches and transfers: what every validated booking is reimbursed."""

from __future__ import annotations

from datetime import date
from typing import Any

import sqlalchemy as sa

from services.payout.domain.batches import PayoutBatch
from services.payout.domain.establishment_year import CORRECTION, EstablishmentYear, Validation
from services.payout.projections.gathering import UNPAID, YEAR_SUMS, GatheredRows
from services.payout.storage import tables
from services.payout.storage.batches import TOTALS_COLUMNS, VENUE_COLUMNS
from services.payout.storage.years import BOOKING_COLUMNS
from shared.eventstore import sql
from shared.projections import Projection, on


class Reimbursements(Projection):
    """What is every validated booking reimbursed, and in which batch and transfer?"""

    name = "reimbursements"
    version = 1
    rows = GatheredRows
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
    def opened(self, rows: GatheredRows, event: EstablishmentYear.Opened) -> None:
        rows.opened[event.originator_id] = {
            "year_id": event.originator_id,
            "establishment": event.establishment,
            "year": event.year,
            "version": 1,
            **dict.fromkeys(YEAR_SUMS, 0),
        }

    @on(EstablishmentYear.Priced)
    def priced(self, rows: GatheredRows, event: EstablishmentYear.Priced) -> None:
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
        rows.put_line(row)
        sums = {"revenue": booking.entering, "amount": booking.total}
        rows.add_to_year(event, **sums, reimbursed=price.reimbursed, contribution=price.contribution)

    @on(EstablishmentYear.Corrected)
    def corrected(self, rows: GatheredRows, event: EstablishmentYear.Corrected) -> None:
        correction = event.correction
        row = _line(event, correction.line_id, event.booking) | {
            "corrects": correction.corrects,
            "amount_cents": correction.amount,
            "entering_cents": correction.entering,
            "revenue_cents": correction.entering,
            "rate": None,
            "rule": CORRECTION,
            "reimbursed_cents": correction.reimbursed,
            "contribution_cents": correction.contribution,
            "reason": correction.reason,
            "provisional": False,
        }
        rows.put_line(row)
        sums = {"revenue": correction.entering, "fixed_revenue": correction.entering, "amount": correction.amount}
        rows.add_to_year(event, **sums, reimbursed=correction.reimbursed, contribution=correction.contribution)

    @on(EstablishmentYear.Voided)
    def voided(self, rows: GatheredRows, event: EstablishmentYear.Voided) -> None:
        rows.remove_line(event.line_id)
        contribution = event.amount - event.reimbursed
        sums = {"revenue": -event.entering, "amount": -event.amount}
        rows.add_to_year(event, **sums, reimbursed=-event.reimbursed, contribution=-contribution)

    @on(EstablishmentYear.BookingEntered)
    def booking_entered(self, rows: GatheredRows, event: EstablishmentYear.BookingEntered) -> None:
        rows.add_to_year(event, fixed_revenue=event.entering)
        self._entered(rows, event, event.counted_from)

    @on(EstablishmentYear.CorrectionEntered)
    def correction_entered(self, rows: GatheredRows, event: EstablishmentYear.CorrectionEntered) -> None:
        rows.add_to_year(event)
        self._entered(rows, event, None)

    @on(EstablishmentYear.BookingReimbursed, EstablishmentYear.CorrectionReimbursed)
    def reimbursed(self, rows: GatheredRows, event: EstablishmentYear.Paid) -> None:
        rows.add_to_year(event, paid=event.reimbursed)
        rows.change_line(event.line_id, status="sent", settling=False)

    @on(PayoutBatch.Opened)
    def batch_opened(self, rows: GatheredRows, event: PayoutBatch.Opened) -> None:
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
                **dict.fromkeys(TOTALS_COLUMNS.values(), 0),
            }
        )

    @on(PayoutBatch.BalancesNoted)
    def balances_noted(self, rows: GatheredRows, event: PayoutBatch.BalancesNoted) -> None:
        _update(rows, tables.batches, "batch_id", event, wallet_position=event.wallet_position)

    @on(PayoutBatch.FormNoted)
    def form_noted(self, rows: GatheredRows, event: PayoutBatch.FormNoted) -> None:
        _update(rows, tables.batches, "batch_id", event, form=event.form)

    @on(PayoutBatch.DebtMoved)
    def debt_moved(self, rows: GatheredRows, event: PayoutBatch.DebtMoved) -> None:
        """The lines that make up the debt move with it: the account that sets it off pays them."""
        rows.write()
        lines, carried = tables.lines, tables.carried
        for iban, bic, more in ((event.iban, event.bic, -event.amount), (event.to_iban, event.to_bic, event.amount)):
            this = (carried.c.iban == iban) & (carried.c.bic == bic)
            before = rows.connection.execute(sa.select(carried.c.carried_cents).where(this)).scalar() or 0
            sql.upsert(rows.connection, carried, [{"iban": iban, "bic": bic, "carried_cents": before + more}])
        owing = (lines.c.iban == event.iban) & (lines.c.bic == event.bic) & (lines.c.status == "carried-forward")
        rows.connection.execute(lines.update().where(owing).values(iban=event.to_iban, bic=event.to_bic))

    @on(PayoutBatch.VenueListed)
    def venue_listed(self, rows: GatheredRows, event: PayoutBatch.VenueListed) -> None:
        venue = event.venue
        rows.rows[tables.batch_venues].append(
            {
                "batch_id": event.batch_id,
                **{name: getattr(venue, name) for name in VENUE_COLUMNS},
                "iban": venue.iban or "",
                "bic": venue.bic or "",
                "total_cents": venue.total,
            }
        )

    @on(PayoutBatch.AccountListed)
    def account_listed(self, rows: GatheredRows, event: PayoutBatch.AccountListed) -> None:
        account, due = event.account, event.account.due
        rows.carried[account.name] = account.carried
        rows.payments[event.batch_id, account.payment].append(account.name)
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
    def batch_closed(self, rows: GatheredRows, event: PayoutBatch.Closed) -> None:
        _update(
            rows,
            tables.batches,
            "batch_id",
            event,
            status="closed",
            closed_at=event.timestamp,
            execution_date=event.execution_date,
            checksum=event.checksum,
            **{column: getattr(event.totals, name) for name, column in TOTALS_COLUMNS.items()},
        )
        # lines of 0 euros have no account
        free = (tables.lines.c.batch_id == event.batch_id) & tables.lines.c.iban.is_(None)
        rows.connection.execute(tables.lines.update().where(UNPAID, free).values(settling=True))

    @on(PayoutBatch.TransferSent)
    def transfer_sent(self, rows: GatheredRows, event: PayoutBatch.TransferSent) -> None:
        self._answered(rows, event, status="sent")
        _update(rows, tables.lines, "end_to_end_id", event, settling=True)

    @on(PayoutBatch.TransferRejected)
    def transfer_rejected(self, rows: GatheredRows, event: PayoutBatch.TransferRejected) -> None:
        self._answered(rows, event, status="rejected", reason=event.reason)
        _update(rows, tables.lines, "end_to_end_id", event, status="rejected")

    @staticmethod
    def _entered(rows: GatheredRows, event: EstablishmentYear.Entered, counted_from: date | None) -> None:
        account = {"iban": event.iban, "bic": event.bic}
        in_batch = {"status": "in-batch", "provisional": False, "settling": False, "end_to_end_id": None}
        rows.change_line(event.line_id, batch_id=event.batch_id, **account, **in_batch)
        entry = {"batch_id": event.batch_id, "line_id": event.line_id, **account, "counted_from": counted_from}
        rows.rows[tables.batch_lines].append(entry)

    @staticmethod
    def _answered(rows: GatheredRows, event: Any, **answer: str) -> None:
        answer_of = {"answered_at": event.timestamp, "answered_cents": event.amount}
        _update(rows, tables.transfers, "end_to_end_id", event, **answer_of, **answer)


def _update(rows: GatheredRows, table: sa.Table, key: str, event: Any, **values: Any) -> None:
    """Changes the stored rows with the event's ``key``, once the rows gathered so far are stored."""
    rows.write()
    rows.connection.execute(table.update().where(table.c[key] == getattr(event, key)).values(**values))


def _line(event: EstablishmentYear.Event, line_id: int, booking: Validation) -> dict[str, Any]:
    return {
        "line_id": line_id,
        "year_id": event.originator_id,
        "establishment": event.establishment,
        "year": event.year,
        **{name: getattr(booking, name) for name in BOOKING_COLUMNS},
        "unit_price_cents": booking.unit_price,
        "status": "waiting",
        "batch_id": None,
        "iban": None,
        "bic": None,
        "end_to_end_id": None,
        "settling": False,
    }
