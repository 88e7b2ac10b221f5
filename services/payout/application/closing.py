"""Previews and closes the period that ends with a cut-off.

A close is a saga of bounded transactions: the batch opens, its lines enter page by page in the streams of their years,
and it closes. Each transaction looks for the work that is left, so the same command again, or the recovery task after a
crash, continues where the saga stopped. Row locks decide which lines enter a batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.payout import answers
from services.payout.application import figures, payouts
from services.payout.application.announcing import announce_reimbursed
from services.payout.domain.bank_calendar import next_working_day
from services.payout.domain.batches import PayoutBatch
from services.payout.domain.establishment_year import Entry
from services.payout.domain.periods import Period, PeriodKind, period_ending
from services.payout.domain.records import Batch, Debtor
from services.payout.files.transfers_xml import checksum
from services.payout.neighbours import Booking, Consumers, Wallet
from services.payout.refusals import BatchNotClosed, CutoffInTheFuture, FileNotValid, NotCaughtUp
from services.payout.storage import batch_lines, batches, entering, transfers
from services.payout.storage.years import Years, keys_of_lines
from shared.contracts.calls import payout as calls
from shared.eventstore import Connection, Store, Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.errors import DomainError, Unavailable
from shared.kernel.identifiers import stream_id
from shared.kernel.time import paris_day
from shared.messaging.bus import Bus
from shared.messaging.storage import dead_letters
from shared.observability import metrics

PAGE = 1_000
MAX_PAGES = 100_000


@dataclass(frozen=True, slots=True)
class Terms:
    """How this platform pays."""

    period: PeriodKind
    debtor: Debtor


class Closing:
    def __init__(self, store: Store, bus: Bus, terms: Terms) -> None:
        self._store = store
        self._booking, self._wallet, self._consumers = Booking(bus), Wallet(bus), Consumers(bus)
        self._terms = terms

    def preview(self, connection: Connection, call: Call[calls.Preview]) -> dict[str, Any]:
        """The figures that a close would have with the lines known now. The cut-off may lie in the future.

        Raises EndsNoPeriod, EarlierThanLastBatch.
        """
        period = period_ending(call.body.cutoff, self._terms.period)
        batch = batches.by_cutoff(connection, period.last)
        if batch is not None and batch.status == "closed":
            return answers.preview(batch.label, batch.cutoff, batches.totals(batch))
        if batch is None:
            payouts.refuse_earlier(connection, period)
        return answers.preview(period.label, period.last, figures.forecast(connection, period))

    def close(self, batch: Sequence[Call[calls.Close]]) -> list[Outcome]:
        """The closed batch of each call: one per cut-off, however often it is called. See ``_close``."""
        return [self._outcome(call) for call in batch]

    def resume(self) -> None:
        """The recovery task: finishes interrupted closes and announcements of reimbursements."""
        with self._store.reading() as connection:
            unfinished = batches.closing(connection)
        try:
            for batch_id in unfinished:
                self._enter_and_close(batch_id)
                metrics.saga_recoveries.labels("payout").inc()
        finally:
            announce_reimbursed(self._store)  # a close that fails must not delay the lines that the bank has paid

    def _outcome(self, call: Call[calls.Close]) -> Outcome:
        try:
            result: Outcome = self._close(call.body.cutoff)
        except Unavailable:
            raise
        except (NotCaughtUp, BatchNotClosed, FileNotValid) as refusal:
            return refusal  # not stored: the same key may succeed later, or after a repair
        except DomainError as refusal:
            result = refusal
        return self._store.record(call, result)

    def _close(self, cutoff: date) -> dict[str, Any]:
        """Raises EndsNoPeriod, CutoffInTheFuture, EarlierThanLastBatch, NotCaughtUp; BatchNotClosed while another batch
        is being closed; Unavailable when booking does not answer."""
        period = period_ending(cutoff, self._terms.period)
        if self._store.clock.now() < period.cutoff:
            raise CutoffInTheFuture(
                f"La période n’est pas terminée : vous pourrez la clôturer après le {period.last:%d/%m/%Y}."
            )
        with self._store.reading() as connection:
            batch = batches.by_cutoff(connection, period.last)
            if batch is None:
                payouts.refuse_earlier(connection, period)
            unfinished = batches.closing(connection)
        if batch is None:
            for earlier in unfinished:
                self._enter_and_close(earlier)
            wallet_position = self._wait_for_validations(period.cutoff)
            batch_id = self._store.run(lambda tx: self._open(tx, period, wallet_position))
        else:
            batch_id = int(batch.batch_id)
        if batch is None or batch.status == "closing":
            self._enter_and_close(batch_id)
        announce_reimbursed(self._store)
        with self._store.reading() as connection:
            return payouts.one(connection, batch_id)

    def _wait_for_validations(self, cutoff: datetime) -> int:
        """Has booking run the automatic validations that are due, and waits until payout and wallet have handled them.

        Returns the end of wallet's log after that.
        """
        position = self._booking.validate_due(cutoff)
        self._consumers.wait_for("payout", position)
        with self._store.reading() as connection:
            waiting = dead_letters.count_waiting(connection, "booking")
        if waiting:
            raise NotCaughtUp(
                f"{waiting} messages de booking attendent parmi les messages en échec : "
                "demandez à un opérateur de les rejouer ou de les écarter, puis réessayez."
            )
        self._consumers.wait_for("wallet", position)
        return self._wallet.position()

    def _open(self, tx: Transaction, period: Period, wallet_position: int) -> int:
        """Repeats the checks of ``_close`` under the lock that lets one batch open at a time."""
        batches.lock_opening(tx.connection)
        batch = batches.by_cutoff(tx.connection, period.last)
        if batch is not None:
            return int(batch.batch_id)
        payouts.refuse_earlier(tx.connection, period)
        for unfinished in batches.closing(tx.connection):
            raise BatchNotClosed.of(unfinished)
        number = tx.next_number("batch")
        last_line = entering.last_line_id(tx.connection)
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
            days = batch_lines.counted_from(connection, batch_id)
        for day, count in days.items():
            for _ in range(count):
                metrics.payout_delays.observe((execution - day).days)

    def _enter_page(self, tx: Transaction, batch_id: int) -> int:
        """Enters up to PAGE lines; returns how many candidates there were, 0 when the batch is complete."""
        batch = batches.locked(tx.connection, batch_id)
        if batch.status != "closing":
            return 0
        cutoff = self._period(batch).cutoff
        candidates = entering.next_to_enter(tx.connection, cutoff, batch.last_line_id, PAGE)
        if not candidates:
            return 0
        years = Years.of(tx)
        loaded = years.load(keys_of_lines(tx.connection, candidates))
        entries_of: dict[tuple[str, int], list[Entry]] = defaultdict(list)
        for line, entry in _entries(tx.connection, entering.entering(tx.connection, cutoff, candidates)):
            entries_of[line.establishment, line.year].append(entry)
        for key, entries in sorted(entries_of.items()):
            loaded[key].enter(tx.now, batch_id, entries, years.rules)
            tx.save(loaded[key])
        return len(candidates)

    def _finish(self, tx: Transaction, batch_id: int) -> date | None:
        """Closes the batch and returns the day of execution; None when another process has closed it."""
        row = batches.locked(tx.connection, batch_id)
        if row.status != "closing":
            return None
        batch = tx.get(PayoutBatch, stream_id("payout-batch", batch_id))
        assert batch is not None, "the row of a batch has its stream"
        for debt in figures.moving_debts(tx.connection):
            batch.move_debt(tx.now, debt)
        tx.save(batch)
        tx.flush()  # this batch sets off the debts that have just moved
        found = figures.of_batch(tx.connection, row, self._period(row))
        batch.list_payments(tx.now, found.accounts, found.venues, found.totals)
        tx.save(batch)
        tx.flush()
        execution = next_working_day(paris_day(tx.now))
        record = Batch(batch_id, tx.now, execution, found.totals, batch.debtor, row.form)
        batch.close(tx.now, found.totals, execution, checksum(record, transfers.records(tx.connection, batch_id)))
        tx.save(batch)
        return execution

    def _period(self, batch: Any) -> Period:
        return Period(self._terms.period, batch.cutoff)


def _entries(connection: Connection, rows: Sequence[Any]) -> list[tuple[Any, Entry]]:
    """Lines with the accounts that pay them."""
    accounts = figures.accounts_paying(connection, rows)
    found = []
    for row in rows:
        account = accounts.get(row.venue_id) if row.reimbursed_cents else None
        assert account is not None or row.reimbursed_cents == 0, "only a line that can be paid enters a batch"
        iban, bic = account.name if account else (None, None)
        counted_from = paris_day(row.starts or row.used_at) if row.corrects is None else None
        entry = Entry(row.line_id, row.booking_id, row.corrects is not None, iban, bic, counted_from)
        found.append((row, entry))
    return found
