"""Lines, batches and transfers: what every validated booking is reimbursed."""

from __future__ import annotations

from datetime import date
from typing import Any

import sqlalchemy as sa

from services.payout.domain.batches import PayoutBatch
from services.payout.domain.establishment_year import CORRECTION, EstablishmentYear, Validation
from services.payout.projections.gathering import UNPAID, YEAR_SUMS, GatheredRows
from services.payout.storage import tables
from shared.eventstore import sql
from shared.projections import Projection, on

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
    def reimbursed(self, rows: GatheredRows, event: EstablishmentYear.BookingReimbursed) -> None:
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
                **dict.fromkeys(_BATCH_FIGURES, 0),
            }
        )

    @on(PayoutBatch.BalancesNoted)
    def balances_noted(self, rows: GatheredRows, event: PayoutBatch.BalancesNoted) -> None:
        rows.write()
        batches = tables.batches
        noted = batches.update().where(batches.c.batch_id == event.batch_id)
        rows.connection.execute(noted.values(wallet_position=event.wallet_position))

    @on(PayoutBatch.FormNoted)
    def form_noted(self, rows: GatheredRows, event: PayoutBatch.FormNoted) -> None:
        rows.write()
        batches = tables.batches
        rows.connection.execute(batches.update().where(batches.c.batch_id == event.batch_id).values(form=event.form))

    @on(PayoutBatch.DebtMoved)
    def debt_moved(self, rows: GatheredRows, event: PayoutBatch.DebtMoved) -> None:
        """The lines that make up the debt move with it: the account that sets it off pays them."""
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
    def venue_listed(self, rows: GatheredRows, event: PayoutBatch.VenueListed) -> None:
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
        rows.connection.execute(tables.lines.update().where(UNPAID, free).values(settling=True))

    @on(PayoutBatch.TransferSent)
    def transfer_sent(self, rows: GatheredRows, event: PayoutBatch.TransferSent) -> None:
        self._answered(rows, event, "sent", None)
        lines = tables.lines
        paid = lines.c.end_to_end_id == event.end_to_end_id
        rows.connection.execute(lines.update().where(paid).values(settling=True))

    @on(PayoutBatch.TransferRejected)
    def transfer_rejected(self, rows: GatheredRows, event: PayoutBatch.TransferRejected) -> None:
        self._answered(rows, event, "rejected", event.reason)
        lines = tables.lines
        unpaid = lines.c.end_to_end_id == event.end_to_end_id
        rows.connection.execute(lines.update().where(unpaid).values(status="rejected"))

    @staticmethod
    def _entered(rows: GatheredRows, event: Any, counted_from: date | None) -> None:
        account = {"iban": event.iban, "bic": event.bic}
        in_batch = {"status": "in-batch", "provisional": False, "settling": False, "end_to_end_id": None}
        rows.change_line(event.line_id, batch_id=event.batch_id, **account, **in_batch)
        entry = {"batch_id": event.batch_id, "line_id": event.line_id, **account, "counted_from": counted_from}
        rows.rows[tables.batch_lines].append(entry)

    @staticmethod
    def _answered(rows: GatheredRows, event: Any, status: str, reason: str | None) -> None:
        rows.write()
        transfers = tables.transfers
        rows.connection.execute(
            transfers.update()
            .where(transfers.c.end_to_end_id == event.end_to_end_id)
            .values(status=status, reason=reason, answered_at=event.timestamp, answered_cents=event.amount)
        )


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
