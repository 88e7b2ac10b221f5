"""Previews and closes the period that ends with a cut-off.

A close is a chain of bounded transactions: the batch opens, its lines enter page by page in the streams of their
years, and it closes. Each transaction looks for the work that is left, so the same command again, or the recovery task
after a crash, goes on where the chain stopped. Row locks decide which lines enter a batch.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.payout.application import requests, shapes
from services.payout.domain.bank_calendar import next_working_day
from services.payout.domain.bank_details import Account
from services.payout.domain.batches import (
    AccountDue,
    AccountName,
    Debt,
    PayoutBatch,
    Share,
    Totals,
    debts_to_move,
    net,
)
from services.payout.domain.establishment_year import Entry
from services.payout.domain.periods import Period, PeriodKind, period_ending
from services.payout.domain.records import Batch, Debtor, Transfer, VenuePaid
from services.payout.domain.refusals import BatchNotClosed, CutoffInTheFuture, EarlierThanLastBatch, NotCaughtUp
from services.payout.files.refusals import FileNotValid
from services.payout.files.transfers_xml import transfers_xml
from services.payout.storage import batches, details, lines, references
from services.payout.storage.years import Years
from shared.eventstore import Connection, Store, Transaction
from shared.eventstore.outcomes import Outcome
from shared.kernel.errors import DomainError, Unavailable
from shared.kernel.identifiers import stream_id
from shared.kernel.money import ZERO, Cents
from shared.kernel.time import instant_text, paris_day
from shared.messaging import dead_letters
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

    def preview(self, connection: Connection, call: Call) -> dict[str, Any]:
        """The figures that a close would have with the lines known now. The cut-off may lie in the future."""
        period = period_ending(requests.day(call.data, "cutoff"), self._terms.period)
        closed = batches.by_cutoff(connection, period.last)
        if closed is not None and closed.status == "closed":
            return shapes.preview(closed.label, closed.cutoff, batches.totals(closed))
        self._refuse_earlier(connection, period, closed)
        return shapes.preview(period.label, period.last, _forecast(connection, period))

    def close(self, calls: Sequence[Call]) -> list[Outcome]:
        """One batch per cut-off, however often it is called. See ``_close``."""
        return [self._outcome(call) for call in calls]

    def resume(self) -> None:
        """The recovery task: finishes interrupted closes and announcements of reimbursements."""
        with self._store.reading() as connection:
            open_batches = batches.closing(connection)
        try:
            for batch_id in open_batches:
                self._enter_and_close(batch_id)
                metrics.saga_recoveries.labels("payout").inc()
        finally:
            self.announce_reimbursed()  # a close that fails must not delay the lines that the bank has paid

    def announce_reimbursed(self) -> None:
        """Publishes the reimbursement of every line that has been paid."""
        for _ in range(MAX_PAGES):
            if not self._store.run(self._announce_page):
                return

    def _outcome(self, call: Call) -> Outcome:
        try:
            result: Outcome = self._close(call)
        except Unavailable:
            raise
        except (NotCaughtUp, BatchNotClosed, FileNotValid) as refusal:
            return refusal  # not stored: the same key may succeed a moment, or a repair, later
        except DomainError as refusal:
            result = refusal
        return self._store.record(call, result)

    def _close(self, call: Call) -> dict[str, Any]:
        """Raises EndsNoPeriod, CutoffInTheFuture, EarlierThanLastBatch, NotCaughtUp; BatchNotClosed while another batch
        is being closed; Unavailable when booking does not answer."""
        period = period_ending(requests.day(call.data, "cutoff"), self._terms.period)
        if self._store.clock.now() < period.cutoff:
            raise CutoffInTheFuture(f"the period ends at {instant_text(period.cutoff)}")
        with self._store.reading() as connection:
            found = batches.by_cutoff(connection, period.last)
            self._refuse_earlier(connection, period, found)
            unfinished = batches.closing(connection)
        if found is None:
            for earlier in unfinished:
                self._enter_and_close(earlier)
            position = self._wait_for_validations(period.cutoff)
            wallet_position = self._wallet_position(position)
            batch_id = self._store.run(lambda tx: self._open(tx, period, wallet_position))
        else:
            batch_id = int(found.batch_id)
        if found is None or found.status == "closing":
            self._enter_and_close(batch_id)
        self.announce_reimbursed()
        with self._store.reading() as connection:
            return shapes.batch_by_id(connection, batch_id)

    @staticmethod
    def _refuse_earlier(connection: Connection, period: Period, found: Any) -> None:
        last = batches.last_cutoff(connection)
        if found is None and last is not None and period.last < last:
            raise EarlierThanLastBatch(f"the period that ends on {last} is closed already")

    def _wait_for_validations(self, cutoff: datetime) -> int:
        """Has booking run the automatic validations that are due, and waits until payout has handled all of them.

        Returns the position of booking's log up to which payout has.
        """
        until = {"until": instant_text(cutoff)}
        position: int = self._bus.command("booking", "validate-due", until, timeout=ASK_SECONDS).result["position"]
        self._wait_for("payout", position)
        with self._store.reading() as connection:
            waiting = dead_letters.count_waiting(connection, "booking")
        if waiting:
            raise NotCaughtUp(f"{waiting} messages of booking are among the dead letters: replay or discard them first")
        return position

    def _wallet_position(self, position: int) -> int:
        """The end of wallet's log once wallet has handled the same validations."""
        self._wait_for("wallet", position)
        found: int = self._bus.query("wallet", "balances", {"limit": 1}, timeout=ASK_SECONDS)["position"]
        return found

    def _wait_for(self, service: str, position: int) -> None:
        wanted = {"source": "booking", "position": position, "seconds": CATCH_UP_SECONDS}
        try:
            self._bus.query(service, "reached", wanted, timeout=CATCH_UP_SECONDS + 5)
        except Unavailable as error:
            raise NotCaughtUp(f"a validation up to the cut-off has not reached {service}") from error

    def _open(self, tx: Transaction, period: Period, wallet_position: int) -> int:
        """Repeats the checks of ``_close`` under the lock that lets one batch open at a time."""
        batches.lock_opening(tx.connection)
        found = batches.by_cutoff(tx.connection, period.last)
        if found is not None:
            return int(found.batch_id)
        self._refuse_earlier(tx.connection, period, found)
        for unfinished in batches.closing(tx.connection):
            raise BatchNotClosed(f"batch {unfinished} is still being closed")
        number = tx.next_number("batch")
        last_line = lines.last_line_id(tx.connection)
        terms = (period.label, period.last, last_line, self._terms.debtor, wallet_position)
        tx.save(PayoutBatch.begin(tx.now, number, *terms))
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
        """Up to PAGE lines enter; returns how many candidates there were, 0 when the batch is complete."""
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
        """Closes the batch and returns the day of execution; None when another process has closed it."""
        row = batches.locked(tx.connection, batch_id)
        if row.status != "closing":
            return None
        batch = tx.get(PayoutBatch, stream_id("payout-batch", batch_id))
        assert batch is not None, "the row of a batch has its stream"
        cutoff = Period(self._terms.period, batch.cutoff).cutoff
        for debt in _debts_to_move(tx.connection):
            batch.move_debt(tx.now, debt)
        tx.save(batch)
        tx.flush()  # this batch sets off the debts that have just moved
        accounts = net(batch_id, batch.label, _dues(tx.connection, batch_id))
        venues, contribution = _venues(tx.connection, batch_id)
        due = lines.due_by_venue(tx.connection, cutoff, row.last_line_id)
        without = _without_account(due, _accounts_of(tx.connection, due))
        totals = Totals.of(accounts, sum(venue.lines for venue in venues), contribution, without)
        batch.list_payments(tx.now, accounts, venues, totals)
        tx.save(batch)
        tx.flush()
        execution = next_working_day(paris_day(tx.now))
        record = _record(batch, totals, execution, tx.now, row.form)
        batch.close(tx.now, totals, execution, _checksum(record, batches.transfer_records(tx.connection, batch_id)))
        tx.save(batch)
        return execution

    def _announce_page(self, tx: Transaction) -> int:
        candidates = lines.next_to_announce(tx.connection, PAGE)
        if not candidates:
            return 0
        years = self._years.load(tx, lines.keys_of(tx.connection, candidates), since=tx.now)  # no price changes
        for line in lines.to_announce(tx.connection, candidates):
            year = years[line.establishment, line.year]
            facts = (line.line_id, line.booking_id, line.batch_id, Cents(line.reimbursed_cents))
            year.reimburse(tx.now, *facts, is_correction=line.corrects is not None)
        tx.save(*years.values())
        return len(candidates)


def _accounts_of(connection: Connection, rows: Iterable[Any]) -> dict[int, Account]:
    """The accounts on which the venues of rows are paid."""
    return details.accounts_of(connection, {row.venue_id: row.offerer_id for row in rows})


def _entries(connection: Connection, rows: Sequence[Any]) -> list[tuple[Any, Entry]]:
    """Lines with the accounts on which they are paid."""
    accounts = _accounts_of(connection, rows)
    found = []
    for row in rows:
        account = accounts.get(row.venue_id) if row.reimbursed_cents else None
        assert account is not None or row.reimbursed_cents == 0, "only a line that can be paid enters a batch"
        iban, bic = (account.iban, account.bic) if account else (None, None)
        counted_from = paris_day(row.starts or row.used_at) if row.corrects is None else None
        entry = Entry(row.line_id, row.booking_id, row.corrects is not None, iban, bic, counted_from)
        found.append((row, entry))
    return found


def _debts_to_move(connection: Connection) -> list[Debt]:
    rows = lines.carried_by_venue(connection)
    accounts = {venue: (account.iban, account.bic) for venue, account in _accounts_of(connection, rows).items()}
    return debts_to_move(
        Share((row.iban, row.bic), row.venue_id, Cents(row.reimbursed), accounts.get(row.venue_id)) for row in rows
    )


def _dues(connection: Connection, batch_id: int) -> list[AccountDue]:
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


def _forecast(connection: Connection, period: Period) -> Totals:
    """The totals that ``_finish`` would record if the period closed now."""
    due = lines.due_by_venue(connection, period.cutoff)
    paid_on = _accounts_of(connection, due)
    payable = [row for row in due if row.is_zero or row.venue_id in paid_on]
    lines_total: Counter[AccountName] = Counter()
    for row in payable:
        if not row.is_zero:
            lines_total[paid_on[row.venue_id].iban, paid_on[row.venue_id].bic] += row.reimbursed
    brought_forward = Counter(batches.carried_by(connection, [iban for iban, _ in lines_total]))
    for debt in _debts_to_move(connection):
        brought_forward[debt.account] -= debt.amount
        brought_forward[debt.to] += debt.amount
    dues = [
        AccountDue(iban, bic, "", "", 0, Cents(total), Cents(brought_forward[iban, bic]))
        for (iban, bic), total in lines_total.items()
    ]
    return Totals.of(
        net(0, period.label, dues),
        sum(row.lines for row in payable),
        Cents(sum(row.contribution for row in payable)),
        _without_account(due, paid_on),
    )


def _venues(connection: Connection, batch_id: int) -> tuple[list[VenuePaid], Cents]:
    """The venues of a batch with their present names, and the contribution of all its lines."""
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


def _without_account(due: Iterable[Any], paid_on: dict[int, Account]) -> tuple[int, Cents]:
    """(lines, total) of the due lines that cannot be paid, for want of bank details."""
    without = [row for row in due if not row.is_zero and row.venue_id not in paid_on]
    return sum(row.lines for row in without), Cents(sum(row.reimbursed for row in without))


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


def _checksum(batch: Batch, transfers: list[Transfer]) -> str | None:
    """SHA-256 of the file that the bank is given; None when nothing is transferred."""
    return hashlib.sha256(transfers_xml(batch, transfers)).hexdigest() if transfers else None
