"""What a batch amounts to, account by account and venue by venue: when it closes, and in a preview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from services.payout.domain.bank_details import Account
from services.payout.domain.batches import (
    AccountDue,
    AccountName,
    Debt,
    NetAccount,
    Share,
    debts_to_move,
    net,
    totals_of,
)
from services.payout.domain.periods import Period
from services.payout.domain.records import Totals, VenuePaid
from services.payout.storage import bank_details, batch_lines, debts, entering, references
from shared.eventstore import Connection
from shared.kernel.money import ZERO, Cents


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that a batch records at its close."""

    accounts: list[NetAccount]
    venues: list[VenuePaid]
    totals: Totals


def of_batch(connection: Connection, batch: Any, period: Period) -> Figures:
    """The figures of a batch whose lines have all entered. ``batch``: its row."""
    accounts = net(batch.batch_id, batch.label, _dues(connection, batch.batch_id))
    venues, contribution = _venues(connection, batch.batch_id)
    due = entering.due_by_venue(connection, period.cutoff, batch.last_line_id)
    unpayable = _without_account(due, accounts_paying(connection, due))
    return Figures(accounts, venues, totals_of(accounts, sum(venue.lines for venue in venues), contribution, unpayable))


def forecast(connection: Connection, period: Period) -> Totals:
    """The totals that ``of_batch`` would give if the period closed now."""
    due = entering.due_by_venue(connection, period.cutoff)
    paid_on = accounts_paying(connection, due)
    payable = [row for row in due if row.is_zero or row.venue_id in paid_on]
    lines_total: Counter[AccountName] = Counter()
    for row in payable:
        if not row.is_zero:
            lines_total[paid_on[row.venue_id].name] += row.reimbursed
    brought_forward = Counter(debts.by_account(connection, [iban for iban, _ in lines_total]))
    for debt in moving_debts(connection):
        brought_forward[debt.account] -= debt.amount
        brought_forward[debt.to] += debt.amount
    dues = [
        AccountDue(iban, bic, "", "", 0, Cents(total), Cents(brought_forward[iban, bic]))
        for (iban, bic), total in lines_total.items()
    ]
    return totals_of(
        net(0, period.label, dues),
        sum(row.lines for row in payable),
        Cents(sum(row.contribution for row in payable)),
        _without_account(due, paid_on),
    )


def accounts_paying(connection: Connection, rows: Iterable[Any]) -> dict[int, Account]:
    """The accounts that pay the venues of rows; a venue without one is absent."""
    return bank_details.accounts_of(connection, {row.venue_id: row.offerer_id for row in rows})


def moving_debts(connection: Connection) -> list[Debt]:
    """The debts that move to other accounts before the next batch is netted."""
    rows = debts.lines_by_venue(connection)
    accounts = accounts_paying(connection, rows)
    return debts_to_move(
        Share(
            (row.iban, row.bic),
            row.venue_id,
            Cents(row.reimbursed),
            accounts[row.venue_id].name if row.venue_id in accounts else None,
        )
        for row in rows
    )


def _dues(connection: Connection, batch_id: int) -> list[AccountDue]:
    rows = batch_lines.by_account(connection, batch_id)
    ibans = [row.iban for row in rows]
    holders = bank_details.holders(connection, ibans)
    carried = debts.by_account(connection, ibans)
    return [
        AccountDue(
            iban=row.iban,
            bic=row.bic,
            holder=holders[row.iban, row.bic][0],
            siren=holders[row.iban, row.bic][1],
            lines=row.lines,
            lines_total=Cents(row.reimbursed),
            brought_forward=carried.get((row.iban, row.bic), ZERO),
        )
        for row in rows
    ]


def _venues(connection: Connection, batch_id: int) -> tuple[list[VenuePaid], Cents]:
    """The venues of a batch with their present names, and the contribution of all its lines."""
    rows = batch_lines.by_venue(connection, batch_id)
    named = references.venues_named(connection, [row.venue_id for row in rows])
    venues = [_venue(row, named.get(row.venue_id)) for row in rows]
    venues.sort(key=lambda venue: (venue.venue_id, venue.iban or "", venue.bic or ""))
    return venues, Cents(sum(row.contribution for row in rows))


def _venue(row: Any, named: Any | None) -> VenuePaid:
    return VenuePaid(
        venue_id=row.venue_id,
        venue_name=named.name if named else "",
        siret=named.siret if named else None,
        address=(named.address or named.offerer_address) if named else "",
        offerer_id=named.offerer_id if named else 0,
        offerer_name=named.offerer_name if named else "",
        siren=named.siren if named else "",
        iban=row.iban,
        bic=row.bic,
        lines=row.lines,
        total=Cents(row.reimbursed),
    )


def _without_account(due: Iterable[Any], paid_on: dict[int, Account]) -> tuple[int, Cents]:
    """(lines, total) of the due lines that no account can pay."""
    unpayable = [row for row in due if not row.is_zero and row.venue_id not in paid_on]
    return sum(row.lines for row in unpayable), Cents(sum(row.reimbursed for row in unpayable))
