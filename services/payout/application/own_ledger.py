"""Payout's own figures, folded from its log, and the checks that need no other service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.payout.domain import ledger
from services.payout.domain.custom_rules import CustomRule
from services.payout.domain.ledger import Difference, Identity, LedgerLine, Payments, PriceChain, Sums
from services.payout.domain.pricing import price
from services.payout.files.transfers_xml import checksum
from services.payout.refusals import FileNotValid
from services.payout.storage import bank_details, batch_lines, batches, custom_rules, debts, lines, transfers
from services.payout.storage.replay import replayed
from services.payout.storage.years import validation
from shared import green
from shared.eventstore import Connection, Store
from shared.kernel.money import Cents
from shared.kernel.time import paris_day
from shared.messaging.storage.positions import tracked_positions

PAGE = 1_000
"""Lines after which other green threads run."""


@dataclass(frozen=True, slots=True)
class OwnLedger:
    """``tracked``: payout's position in booking's log."""

    position: int
    tracked: int
    sums: Sums
    differences: list[Difference]


def own_ledger(store: Store) -> OwnLedger:
    """Folds the whole log, in one snapshot."""
    chain, payments = PriceChain(), Payments()

    def follow(event: Any) -> None:
        chain.follow(event)
        payments.follow(event)

    with store.snapshot() as connection, replayed(store, connection, watching=follow) as folded:
        sums = _sums(folded, payments, chain.revenues())
        return OwnLedger(
            position=store.log.head(connection),
            tracked=tracked_positions(connection).get("booking", 0),
            sums=sums,
            differences=[*chain.differences(), *_batch_differences(folded, sums)],
        )


def _sums(folded: Connection, payments: Payments, revenues: Mapping[int, Cents]) -> Sums:
    """``revenues``: those of the open lines."""
    sums, rules = Sums(), custom_rules.all_rules(folded)
    payable = set(bank_details.accounts_of(folded, lines.owners(folded)))
    for number, row in enumerate(lines.in_order(folded)):
        revenue = revenues.get(row.line_id, Cents(row.revenue_cents))
        sums.add(_ledger_line(row, payable, rules, revenue, payments.of_line[row.line_id]))
        if number % PAGE == 0:
            green.sleep(0)
    return sums


def _ledger_line(row: Any, payable: set[int], rules: list[CustomRule], revenue: Cents, paid: int) -> LedgerLine:
    by_rule = row.reimbursed_cents
    if row.corrects is None:
        by_rule = price(validation(row).priceable(), revenue, rules).reimbursed
    return LedgerLine(
        booking_id=row.booking_id,
        day=paris_day(row.used_at),
        amount=row.amount_cents,
        reimbursed=row.reimbursed_cents,
        contribution=row.contribution_cents,
        state=_state(row, payable),
        by_rule=by_rule,
        paid=paid,
        end_to_end_id=row.end_to_end_id,
        awaits_bank=row.status == "in-batch" and row.end_to_end_id is not None and not row.settling,
    )


def _state(row: Any, payable: set[int]) -> str:
    if row.status == "sent":
        return "paid"
    if row.status == "carried-forward":
        return "carried"
    if row.status == "in-batch" or row.reimbursed_cents == 0 or row.venue_id in payable:
        return "to-pay"
    return "unpayable"


def _batch_differences(folded: Connection, sums: Sums) -> Iterator[Difference]:
    for batch in batches.closed(folded):
        yield from ledger.differences_of(f"batch {batch.batch_id}", _of_batch(folded, batch))
        yield from _of_file(folded, batch)
    all_lines = ledger.of_all_lines(sums, transfers.total_pending(folded), debts.total_of_all(folded))
    yield from ledger.differences_of("all lines", [all_lines])
    yield from _of_accounts(folded)
    yield from _of_transfers(folded, sums)


def _of_batch(folded: Connection, batch: Any) -> list[Identity]:
    of_lines = batch_lines.sums(folded, batch.batch_id)
    paid_and_carried = transfers.total_of_batch(folded, batch.batch_id) + debts.added_by_batch(folded, batch.batch_id)
    return [
        Identity(ledger.BATCH_LINES, of_lines.reimbursed, paid_and_carried),
        Identity(ledger.BATCH_LINES, batch.total_cents, of_lines.reimbursed),
        Identity(ledger.BATCH_LINES, batch.transferred_cents + batch.carried_cents, of_lines.reimbursed),
        Identity("contribution of a batch = that of its lines", batch.contribution_cents, of_lines.contribution),
        Identity("lines of a batch, counted", batch.lines, of_lines.lines),
    ]


def _of_file(folded: Connection, batch: Any) -> Iterator[Difference]:
    """Writes the transfer file again: its checksum must be the one that the close recorded."""
    try:
        written = checksum(batches.record(batch), transfers.records(folded, batch.batch_id))
        detail = "" if written == batch.checksum else "another checksum"
    except FileNotValid as error:
        detail = error.detail
    if detail:
        yield Difference(ledger.BATCH_FILE, f"batch {batch.batch_id}", None, None, detail=detail)


def _of_accounts(folded: Connection) -> Iterator[Difference]:
    """An account carries forward the sum of its lines that were not transferred."""
    of_lines, of_accounts = debts.lines_by_account(folded), debts.by_account(folded)
    for iban, bic in sorted({*of_lines, *of_accounts}):
        identity = Identity(ledger.CARRIED, of_lines.get((iban, bic), 0), of_accounts.get((iban, bic), 0))
        yield from ledger.differences_of(f"account {iban} {bic}", [identity])


def _of_transfers(folded: Connection, sums: Sums) -> Iterator[Difference]:
    """A transfer is the sum of its lines, as published once they are reimbursed, and the bank's answer is about it."""
    for row in transfers.of_all_batches(folded):
        answered = row.amount_cents if row.answered_cents is None else row.answered_cents
        # a later transfer may pay the lines of a rejected one
        of_lines = row.amount_cents if row.status == "rejected" else sums.transfers[row.end_to_end_id]
        identities = [
            Identity(ledger.BATCH_SENT, row.amount_cents, of_lines),
            Identity(ledger.BATCH_SENT, answered, row.amount_cents),
        ]
        if any(identity.difference for identity in identities):
            bookings = batch_lines.bookings_of_transfer(folded, row.end_to_end_id, ledger.MAX_BOOKINGS)
            yield from ledger.differences_of(f"transfer {row.end_to_end_id}", identities, tuple(bookings))
