"""A period, previewed and closed.

A close is a chain of bounded transactions: the batch opens, its lines enter page by page in the streams of their
years, and it closes. Each step finds what is left to do, so whoever comes next (the same command again, the task after
a crash) goes on where it stopped; what enters a batch is decided by rows locked at that moment.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from services.payout.application import requests, shapes
from services.payout.domain.bank_calendar import next_working_day
from services.payout.domain.batches import (
    AccountDue,
    AccountSettled,
    Debt,
    PayoutBatch,
    Share,
    Totals,
    debts_to_move,
    settle,
)
from services.payout.domain.establishment_year import Entry
from services.payout.domain.periods import Period, PeriodKind, period_ending
from services.payout.domain.records import Batch, Debtor, Transfer, VenuePaid
from services.payout.domain.refusals import BatchNotClosed, CutoffInTheFuture, EarlierThanLastBatch, NotCaughtUp
from services.payout.files.refusals import FileNotValid
from services.payout.files.transfers_xml import transfers_xml
from services.payout.storage import batches, details, lines, references
from services.payout.storage.years import Years
from shared.eventstore import Store, Transaction
from shared.eventstore.outcomes import Outcome
from shared.eventstore.tables import dead_letters
from shared.kernel.errors import DomainError, Unavailable
from shared.kernel.identifiers import stream_id
from shared.kernel.money import ZERO, Cents
from shared.kernel.time import instant_text, paris_day
from shared.messaging.bus import Bus
from shared.messaging.calls import Call
from shared.observability import metrics

PAGE = 1000
MAX_PAGES = 100_000
ASK_SECONDS = 30.0
CATCH_UP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Terms:
    """How this platform pays."""

    period: PeriodKind
    debtor: Debtor


class Closing:
    def __init__(self, store: Store, bus: Bus, years: Years, terms: Terms) -> None:
        self._store = store
        self._bus = bus
        self._years = years
        self._terms = terms

    def preview(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """What closing would do with what is known by now, changing nothing; the cut-off may lie ahead."""
        period = period_ending(requests.day(call.data, "cutoff"), self._terms.period)
        closed = batches.by_cutoff(connection, period.last)
        if closed is not None and closed.status == "closed":
            return shapes.preview_of(closed)
        self._refuse_earlier(connection, period, closed)
        return _forecast(connection, period)

    def close(self, calls: Sequence[Call]) -> list[Outcome]:
        """One batch per cut-off however often it is called. See ``_close``."""
        return [self._outcome(call) for call in calls]

    def resume(self) -> None:
        """Finishes what a crash interrupted: closes that were under way, reimbursements still to be told."""
        with self._store.reading() as connection:
            open_batches = batches.closing(connection)
        try:
            for batch_id in open_batches:
                self._enter_and_close(batch_id)
                metrics.saga_recoveries.labels("payout").inc()
        finally:
            self.settle()  # whatever holds a close up, what the bank has paid is told

    def settle(self) -> None:
        """Tells the reimbursement of every line that has been paid for."""
        for _ in range(MAX_PAGES):
            if not self._store.run(self._settle_page):
                return

    def _outcome(self, call: Call) -> Outcome:
        try:
            result: Outcome = self._close(call)
        except Unavailable:
            raise
        except (NotCaughtUp, BatchNotClosed, FileNotValid) as refusal:
            return refusal  # not kept under its key: a moment, or a repair, later the answer is another
        except DomainError as refusal:
            result = refusal
        return self._store.record(call, result)

    def _close(self, call: Call) -> dict[str, Any]:
        """Raises EndsNoPeriod, CutoffInTheFuture, EarlierThanLastBatch, NotCaughtUp, BatchNotClosed for one that is
        being closed meanwhile; Unavailable without booking."""
        period = period_ending(requests.day(call.data, "cutoff"), self._terms.period)
        if self._store.clock.now() < period.cutoff:
            raise CutoffInTheFuture(f"the period ends at {instant_text(period.cutoff)}")
        with self._store.reading() as connection:
            found = batches.by_cutoff(connection, period.last)
            self._refuse_earlier(connection, period, found)
            under_way = batches.closing(connection)
        if found is None:
            for earlier in under_way:
                self._enter_and_close(earlier)
            position = self._wait_for_validations(period.cutoff)
            wallet_position = self._wallet_position(position)
            batch_id = self._store.run(lambda tx: self._open(tx, period, wallet_position))
        else:
            batch_id = found.batch_id
        if found is None or found.status == "closing":
            self._enter_and_close(batch_id)
        self.settle()
        with self._store.reading() as connection:
            return shapes.batch_by_id(connection, batch_id)

    @staticmethod
    def _refuse_earlier(connection: sa.Connection, period: Period, found: Any) -> None:
        last = batches.last_cutoff(connection)
        if found is None and last is not None and period.last < last:
            raise EarlierThanLastBatch(f"the period that ends on {last} is closed already")

    def _wait_for_validations(self, cutoff: datetime) -> int:
        """Booking runs the automatic validations that are due, and payout hears of every one there is. Gives the
        position in booking's log up to which it has."""
        until = {"until": instant_text(cutoff)}
        position: int = self._bus.command("booking", "validate-due", until, timeout=ASK_SECONDS).result["position"]
        self._wait_for("payout", position)
        with self._store.reading() as connection:
            waiting = dead_letters.c.state.in_(["failed", "parked"]) & (dead_letters.c.source == "booking")
            stuck = connection.execute(sa.select(sa.func.count()).where(waiting)).scalar_one()
        if stuck:
            raise NotCaughtUp(f"{stuck} messages of booking are among the dead letters: replay or discard them first")
        return position

    def _wallet_position(self, heard: int) -> int:
        """Where wallet's log stands once it has heard of the same validations."""
        self._wait_for("wallet", heard)
        position: int = self._bus.query("wallet", "balances", {"limit": 1}, timeout=ASK_SECONDS)["position"]
        return position

    def _wait_for(self, service: str, position: int) -> None:
        wanted = {"source": "booking", "position": position, "seconds": CATCH_UP_SECONDS}
        try:
            self._bus.query(service, "reached", wanted, timeout=CATCH_UP_SECONDS + 5)
        except Unavailable as error:
            raise NotCaughtUp(f"a validation up to the cut-off has not reached {service}") from error

    def _open(self, tx: Transaction, period: Period, wallet_position: int) -> int:
        """What was seen of other batches before is looked at again, now that no other can open."""
        batches.in_turn(tx)
        found = batches.by_cutoff(tx.connection, period.last)
        if found is not None:
            return int(found.batch_id)
        self._refuse_earlier(tx.connection, period, found)
        for under_way in batches.closing(tx.connection):
            raise BatchNotClosed(f"batch {under_way} is still being closed")
        number = tx.next_number("batch")
        last_line = lines.last_line_id(tx.connection)
        terms = (period.label, period.last, last_line, self._terms.debtor, wallet_position)
        batch = PayoutBatch.begin(tx.now, number, *terms)
        tx.save(batch)
        return number

    def _enter_and_close(self, batch_id: int) -> None:
        for _ in range(MAX_PAGES):
            if not self._store.run(lambda tx: self._enter_page(tx, batch_id)):
                break
        execution = self._store.run(lambda tx: self._finish(tx, batch_id))
        if execution is not None:
            self._observe_delays(batch_id, execution)

    def _observe_delays(self, batch_id: int, execution: date) -> None:
        with self._store.reading() as connection:
            days = lines.counted_from(connection, batch_id)
        for day, count in days.items():
            for _ in range(count):
                metrics.payout_delays.observe((execution - day).days)

    def _enter_page(self, tx: Transaction, batch_id: int) -> int:
        """Up to PAGE lines enter; gives how many there were to look at."""
        batch = batches.locked(tx.connection, batch_id)
        if batch.status != "closing":
            return 0
        cutoff = Period(self._terms.period, batch.cutoff).cutoff
        candidates = lines.next_to_enter(tx.connection, cutoff, batch.last_line_id, PAGE)
        if not candidates:
            return 0
        years = self._years.load(tx, lines.keys_of(tx.connection, candidates))
        entering: dict[tuple[str, int], list[Entry]] = defaultdict(list)
        for line, entry in _entries(tx.connection, lines.entering(tx.connection, cutoff, candidates)):
            entering[line.establishment, line.year].append(entry)
        for key, entries in sorted(entering.items()):
            years[key].enter(tx.now, batch_id, entries, self._years.rules(tx))
            tx.save(years[key])
        return len(candidates)

    def _finish(self, tx: Transaction, batch_id: int) -> date | None:
        """Gives the day of execution, to whoever closes the batch."""
        row = batches.locked(tx.connection, batch_id)
        if row.status != "closing":
            return None
        batch = tx.get(PayoutBatch, stream_id("payout-batch", batch_id))
        assert batch is not None, "a row of a batch has its stream"
        cutoff = Period(self._terms.period, batch.cutoff).cutoff
        for debt in _moving(tx.connection):
            batch.move_debt(tx.now, debt)
        tx.save(batch)
        tx.flush()  # what has moved is set off in this very batch
        accounts = settle(batch_id, batch.label, _dues(tx.connection, batch_id))
        venues, contribution = _venues(tx.connection, batch_id)
        totals = _totals(accounts, venues, contribution, _unpayable(tx.connection, cutoff, row.last_line_id))
        execution = next_working_day(paris_day(tx.now))
        checksum = _checksum(_record(batch, totals, execution, tx.now, row.form), accounts)
        batch.close(tx.now, accounts, venues, totals, execution, checksum)
        tx.save(batch)
        return execution

    def _settle_page(self, tx: Transaction) -> int:
        candidates = lines.next_to_settle(tx.connection, PAGE)
        if not candidates:
            return 0
        years = self._years.load(tx, lines.keys_of(tx.connection, candidates), since=tx.now)  # no price is touched
        for line in lines.settling(tx.connection, candidates):
            year = years[line.establishment, line.year]
            facts = (line.line_id, line.booking_id, line.batch_id, Cents(line.reimbursed_cents))
            year.reimburse(tx.now, *facts, is_correction=line.corrects is not None)
        tx.save(*years.values())
        return len(candidates)


def _entries(connection: sa.Connection, rows: Sequence[Any]) -> list[tuple[Any, Entry]]:
    """Lines with the accounts that they are paid on."""
    accounts = details.accounts_of(connection, {row.venue_id: row.offerer_id for row in rows})
    found = []
    for row in rows:
        account = accounts.get(row.venue_id) if row.reimbursed_cents else None
        assert account is not None or row.reimbursed_cents == 0, "only what can be paid enters a batch"
        iban, bic = (account.iban, account.bic) if account else (None, None)
        counted_from = paris_day(row.starts or row.used_at) if row.corrects is None else None
        entry = Entry(row.line_id, row.booking_id, row.corrects is not None, iban, bic, counted_from)
        found.append((row, entry))
    return found


def _moving(connection: sa.Connection) -> list[Debt]:
    """What is carried forward by accounts on which whoever owes it is paid no longer."""
    rows = lines.carried_by_venue(connection)
    paid_on = details.accounts_of(connection, {row.venue_id: row.offerer_id for row in rows})
    accounts = {venue: (account.iban, account.bic) for venue, account in paid_on.items()}
    return debts_to_move(
        Share((row.iban, row.bic), row.venue_id, Cents(row.reimbursed), accounts.get(row.venue_id)) for row in rows
    )


def _dues(connection: sa.Connection, batch_id: int) -> list[AccountDue]:
    rows = lines.of_batch_by_account(connection, batch_id)
    ibans = [row.iban for row in rows]
    holders = details.holders(connection, ibans)
    carried = batches.carried_by(connection, ibans)
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


def _venues(connection: sa.Connection, batch_id: int) -> tuple[list[VenuePaid], Cents]:
    """The batch's venues with their names as they are now, and the contribution of all its lines."""
    rows = lines.of_batch_by_venue(connection, batch_id)
    named = references.venues_named(connection, [row.venue_id for row in rows])
    venues = [_venue(row, named.get(row.venue_id)) for row in rows]
    venues.sort(key=lambda venue: (venue.venue_id, venue.iban or "", venue.bic or ""))
    return venues, Cents(sum(row.contribution for row in rows))


def _venue(row: Any, named: Any) -> VenuePaid:
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


def _unpayable(connection: sa.Connection, cutoff: datetime, last_line_id: int | None = None) -> tuple[int, Cents]:
    """(lines, total) of what is due and has no bank details."""
    rows = [row for row in lines.due_by_venue(connection, cutoff, last_line_id) if not row.is_zero]
    accounts = details.accounts_of(connection, {row.venue_id: row.offerer_id for row in rows})
    without = [row for row in rows if row.venue_id not in accounts]
    return sum(row.lines for row in without), Cents(sum(row.reimbursed for row in without))


def _totals(
    accounts: list[AccountSettled], venues: list[VenuePaid], contribution: Cents, unpayable: tuple[int, Cents]
) -> Totals:
    brought = sum(account.due.brought_forward for account in accounts)
    return Totals(
        lines=sum(venue.lines for venue in venues),
        transfers=sum(1 for account in accounts if account.end_to_end_id),
        total=Cents(sum(venue.total for venue in venues)),
        contribution=contribution,
        transferred=Cents(sum(account.transferred for account in accounts)),
        carried=Cents(sum(account.carried for account in accounts) - brought),
        without_bank_details_lines=unpayable[0],
        without_bank_details_total=unpayable[1],
    )


def _record(batch: PayoutBatch, totals: Totals, execution: date, at: datetime, form: int | None) -> Batch:
    return Batch(
        batch_id=batch.batch_id,
        number=batches.number(batch.batch_id),
        label=batch.label,
        cutoff=batch.cutoff,
        closed_at=at,
        execution_date=execution,
        lines=totals.lines,
        transfers=totals.transfers,
        total=totals.total,
        contribution=totals.contribution,
        transferred=totals.transferred,
        carried=totals.carried,
        debtor=batch.debtor,
        form=form,
    )


def _checksum(batch: Batch, accounts: list[AccountSettled]) -> str | None:
    """SHA-256 of the file that the bank is given; None when nothing is transferred."""
    transfers = [
        Transfer(
            end_to_end_id=account.end_to_end_id,
            amount=account.transferred,
            iban=account.due.iban,
            bic=account.due.bic,
            holder=account.due.holder,
            siren=account.due.siren,
            remittance=account.remittance,
        )
        for account in accounts
        if account.end_to_end_id is not None
    ]
    return hashlib.sha256(transfers_xml(batch, transfers)).hexdigest() if transfers else None


def _forecast(connection: sa.Connection, period: Period) -> dict[str, Any]:
    rows = lines.due_by_venue(connection, period.cutoff)
    accounts = details.accounts_of(connection, {row.venue_id: row.offerer_id for row in rows})
    payable = [row for row in rows if row.is_zero or row.venue_id in accounts]
    per_account: dict[tuple[str, str], int] = defaultdict(int)
    for row in payable:
        if not row.is_zero:
            account = accounts[row.venue_id]
            per_account[account.iban, account.bic] += row.reimbursed
    brought: dict[tuple[str, str], int] = defaultdict(int)
    brought.update(batches.carried_by(connection, [iban for iban, _ in per_account]))
    for debt in _moving(connection):
        brought[debt.account] -= debt.amount
        brought[debt.to] += debt.amount
    nets = {key: total + brought.get(key, ZERO) for key, total in per_account.items()}
    total, transferred = sum(per_account.values()), sum(max(net, 0) for net in nets.values())
    without = _unpayable(connection, period.cutoff)
    return {
        "batchId": None,
        "label": period.label,
        "cutoff": period.last.isoformat(),
        "lines": sum(row.lines for row in payable),
        "transfers": sum(1 for net in nets.values() if net > 0),
        "totalCents": total,
        "contributionCents": sum(row.contribution for row in payable),
        "transferredCents": transferred,
        "carriedCents": total - transferred,
        "withoutBankDetails": {"lines": without[0], "totalCents": without[1]},
    }
