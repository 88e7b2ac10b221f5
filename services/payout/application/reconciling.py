"""The identities over everything that happened, at one vector of positions, folded from the logs.

Payout's figures come from its own log, folded anew beside the live rows; booking's and wallet's from their ``ledger``
queries. Each consumer is held against booking's log up to the position that it has handled; what is further on is in
flight, and listed with the instant since when. Live rows that are not what the log says are differences too.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.payout.domain import ledger
from services.payout.domain.custom_rules import CustomRule
from services.payout.domain.ledger import Difference, Identity, LedgerLine, Payments, PriceChain, Sums, Told
from services.payout.domain.pricing import price
from services.payout.files.transfers_xml import transfers_xml
from services.payout.projections import projections
from services.payout.refusals import FileNotValid
from services.payout.storage import bank_details, batches, custom_rules
from services.payout.storage.replay import replayed
from services.payout.storage.tables import batch_accounts, batch_lines, carried, lines, transfers
from services.payout.storage.tables import batches as batch_table
from services.payout.storage.years import validation
from shared.contracts.calls import payout as calls
from shared.eventstore import Store
from shared.eventstore.outcomes import Call
from shared.eventstore.tables import tracking
from shared.kernel.money import Cents
from shared.kernel.time import paris_day
from shared.messaging.bus import Bus

ASK_SECONDS = 100.0
MAX_ROW_DIFFERENCES = 100
_PAGE = 2000


@dataclass(slots=True)
class _Own:
    """What payout's own log and rows say."""

    position: int
    heard: int
    sums: Sums
    differences: list[Difference]


class Reconciling:
    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    def reconcile(self, _call: Call[calls.Reconciliation]) -> dict[str, Any]:
        """``{balanced, days, differences, positions, inFlight}``. Raises Unavailable when a service does not answer."""
        own = self._own()
        wallet = self._ask("wallet", "ledger", {})
        wallet_heard = wallet["sources"]["booking"] or 0
        booking = self._ask("booking", "ledger", {"position": own.heard})
        for_wallet = booking
        if wallet_heard != own.heard:
            for_wallet = self._ask("booking", "ledger", {"position": wallet_heard})
        told = (_told(wallet, "spent"), _told(for_wallet, "validated"), _told(booking, "validated"))
        days = ledger.identities_by_day(*told, own.sums)
        differences = [
            *ledger.differences_by_booking(*told, own.sums),
            *(one for day, identities in days for one in ledger.differences_of(day, identities)),
            *ledger.differences_of("all credits", [_granted(wallet["totals"])]),
            *_rows_of("wallet", wallet["rowDifferences"]),
            *_rows_of("booking", booking["rowDifferences"]),
            *own.differences,
        ]
        heard = {"payout": own.heard, "wallet": wallet_heard}
        return {
            "balanced": not differences,
            "days": [{"day": day, "identities": [_identity(one) for one in found]} for day, found in days],
            "differences": [_difference(one) for one in differences],
            "positions": {"payout": own.position, "wallet": wallet["position"], "booking": heard},
            "inFlight": [flying for name, at in heard.items() for flying in self._in_flight(name, at)],
        }

    def _own(self) -> _Own:
        chain, payments = PriceChain(), Payments()

        def watch(event: Any) -> None:
            chain.take(event)
            payments.take(event)

        with (
            self._store.snapshot() as connection,
            replayed(self._store, connection, watching=watch) as folded,
        ):
            sums = _sums(folded, payments, chain.revenues())
            heard = connection.execute(sa.select(tracking.c.position).where(tracking.c.source == "booking")).scalar()
            return _Own(
                position=self._store.log.head(connection),
                heard=heard or 0,
                sums=sums,
                differences=[
                    *chain.differences(),
                    *_batch_differences(folded, sums),
                    *_row_differences(folded, connection),
                ],
            )

    def _in_flight(self, consumer: str, heard: int) -> Iterator[dict[str, Any]]:
        waiting = self._ask("booking", "log", {"after": heard, "limit": 1})["messages"]
        for message in waiting:
            yield {"consumer": consumer, "source": "booking", "after": heard, "since": message["recordedAt"]}

    def _ask(self, service: str, name: str, data: dict[str, Any]) -> Any:
        return self._bus.query(service, name, data, timeout=ASK_SECONDS)


def _told(answer: dict[str, Any], name: str) -> Told:
    days = {day: sums.get(name, 0) for day, sums in answer["days"].items()}
    return Told(days, {int(number): cents for number, cents in answer["bookings"].items()})


def _granted(totals: dict[str, int]) -> Identity:
    parts = sum(totals[name] for name in ("available", "reserved", "spent", "lapsed"))
    return Identity(ledger.GRANTED, totals["granted"], parts)


def _sums(folded: sa.Connection, payments: Payments, revenues: Mapping[int, Cents]) -> Sums:
    """``revenues``: of the open lines."""
    sums, rules = Sums(), custom_rules.all_rules(folded)
    payable = _payable_venues(folded)
    for number, row in enumerate(folded.execute(sa.select(lines).order_by(lines.c.line_id)).yield_per(_PAGE)):
        revenue = revenues.get(row.line_id, Cents(row.revenue_cents))
        sums.take(_ledger_line(row, payable, rules, revenue, payments.of_line[row.line_id]))
        if number % _PAGE == 0:
            time.sleep(0)  # others of this process get their turn
    return sums


def _payable_venues(folded: sa.Connection) -> set[int]:
    owners = dict(folded.execute(sa.select(lines.c.venue_id, lines.c.offerer_id).distinct()).tuples().all())
    return set(bank_details.accounts_of(folded, owners))


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


def _batch_differences(folded: sa.Connection, sums: Sums) -> Iterator[Difference]:
    for batch in folded.execute(sa.select(batch_table).where(batch_table.c.status == "closed")).all():
        yield from ledger.differences_of(f"batch {batch.batch_id}", _of_batch(folded, batch))
        yield from _of_file(folded, batch)
    yield from ledger.differences_of("all lines", [_of_all_lines(folded, sums)])
    yield from _of_accounts(folded)
    yield from _of_transfers(folded, sums)


def _of_batch(folded: sa.Connection, batch: Any) -> list[Identity]:
    in_batch = batch_lines.c.batch_id == batch.batch_id
    joined = lines.join(batch_lines, batch_lines.c.line_id == lines.c.line_id)
    of_lines = _total(folded, sa.select(sa.func.sum(lines.c.reimbursed_cents)).select_from(joined).where(in_batch))
    accounts = batch_accounts.c.batch_id == batch.batch_id
    moved = batch_accounts.c.carried_cents - batch_accounts.c.brought_forward_cents
    forward = _total(folded, sa.select(sa.func.sum(moved)).where(accounts))
    paid = _total(
        folded, sa.select(sa.func.sum(transfers.c.amount_cents)).where(transfers.c.batch_id == batch.batch_id)
    )
    counted = _total(folded, sa.select(sa.func.count()).select_from(batch_lines).where(in_batch))
    contribution = _total(
        folded, sa.select(sa.func.sum(lines.c.contribution_cents)).select_from(joined).where(in_batch)
    )
    return [
        Identity(ledger.BATCH_LINES, of_lines, paid + forward),
        Identity(ledger.BATCH_LINES, batch.total_cents, of_lines),
        Identity(ledger.BATCH_LINES, batch.transferred_cents + batch.carried_cents, of_lines),
        Identity("contribution of a batch = that of its lines", batch.contribution_cents, contribution),
        Identity("lines of a batch, counted", batch.lines, counted),
    ]


def _of_file(folded: sa.Connection, batch: Any) -> Iterator[Difference]:
    """The file is written again, and has to be the one whose checksum the close wrote down."""
    records = batches.transfer_records(folded, batch.batch_id)
    try:
        checksum = hashlib.sha256(transfers_xml(batches.record(batch), records)).hexdigest() if records else None
    except FileNotValid as error:
        yield Difference(ledger.BATCH_FILE, f"batch {batch.batch_id}", None, None, detail=error.detail)
        return
    if checksum != batch.checksum:
        yield Difference(ledger.BATCH_FILE, f"batch {batch.batch_id}", None, None, detail="another checksum")


def _of_all_lines(folded: sa.Connection, sums: Sums) -> Identity:
    at_bank = sa.select(sa.func.sum(transfers.c.amount_cents)).where(transfers.c.status == "pending")
    of_accounts = sa.select(sa.func.sum(carried.c.carried_cents))
    return ledger.of_all_lines(sums, _total(folded, at_bank), _total(folded, of_accounts))


def _of_accounts(folded: sa.Connection) -> Iterator[Difference]:
    """An account carries forward what its lines that were not transferred add up to."""
    key = (lines.c.iban, lines.c.bic)
    query = sa.select(*key, sa.func.sum(lines.c.reimbursed_cents)).where(lines.c.status == "carried-forward")
    of_lines = {(iban, bic): cents for iban, bic, cents in folded.execute(query.group_by(*key))}
    of_accounts: dict[tuple[str, str], int] = dict(batches.carried_by(folded))
    for iban, bic in sorted({*of_lines, *of_accounts}):
        one = Identity(ledger.CARRIED, of_lines.get((iban, bic), 0), of_accounts.get((iban, bic), 0))
        yield from ledger.differences_of(f"account {iban} {bic}", [one])


def _of_transfers(folded: sa.Connection, sums: Sums) -> Iterator[Difference]:
    """A transfer is the sum of the lines that it pays (of what was told of them as reimbursed, once it was), and the
    bank's answer was about that amount."""
    for row in folded.execute(sa.select(transfers).order_by(transfers.c.end_to_end_id)):
        asked = row.amount_cents if row.answered_cents is None else row.answered_cents
        # the lines of a rejected transfer may be in a later one by now
        of_lines = row.amount_cents if row.status == "rejected" else sums.transfers[row.end_to_end_id]
        identities = [
            Identity(ledger.BATCH_SENT, row.amount_cents, of_lines),
            Identity(ledger.BATCH_SENT, asked, row.amount_cents),
        ]
        yield from ledger.differences_of(
            f"transfer {row.end_to_end_id}", identities, _bookings_of(folded, row.end_to_end_id)
        )


def _bookings_of(folded: sa.Connection, end_to_end_id: str) -> tuple[int, ...]:
    query = sa.select(lines.c.booking_id).where(lines.c.end_to_end_id == end_to_end_id).order_by(lines.c.booking_id)
    return tuple(folded.execute(query.limit(ledger.MAX_BOOKINGS)).scalars())


def _total(connection: sa.Connection, query: sa.Select[Any]) -> int:
    return int(connection.execute(query).scalar() or 0)


def _row_differences(folded: sa.Connection, live: sa.Connection) -> Iterator[Difference]:
    """Live rows against the fold of the log, table by table."""
    found = 0
    for table in replayed_tables():
        for difference in _of_table(table, folded, live):
            yield difference
            found += 1
            if found == MAX_ROW_DIFFERENCES:
                return


def _of_table(table: sa.Table, folded: sa.Connection, live: sa.Connection) -> Iterator[Difference]:
    key = [column.name for column in table.primary_key]
    expected = {tuple(row[name] for name in key): dict(row) for row in folded.execute(sa.select(table)).mappings()}
    for row in live.execute(sa.select(table)).mappings():
        number = tuple(row[name] for name in key)
        folds_to = expected.pop(number, None)
        if folds_to != dict(row):
            yield _row_difference(table, number, dict(row), folds_to)
    for number, folds_to in expected.items():
        yield _row_difference(table, number, None, folds_to)


def _row_difference(table: sa.Table, key: tuple[Any, ...], row: Any, folds_to: Any) -> Difference:
    known = row or folds_to
    bookings = (known["booking_id"],) if "booking_id" in known else ()
    if row is None or folds_to is None:
        detail = "no such row" if row is None else "no event leads to this row"
    else:
        detail = ", ".join(f"{name}: {row[name]} ≠ {folds_to[name]}" for name in row if row[name] != folds_to[name])
    where = f"payout.{table.name} {'/'.join(str(part) for part in key)}"
    return Difference("rows = fold of the log", where, None, None, bookings, detail)


def replayed_tables() -> Iterator[sa.Table]:
    """Those that follow from payout's own log."""
    for projection in projections():
        yield from projection.tables


def _rows_of(service: str, found: list[dict[str, Any]]) -> Iterator[Difference]:
    """What another service's ledger reports of its own rows."""
    for one in found:
        bookings = (one["bookingId"],) if one.get("bookingId") else ()
        detail = ", ".join(f"{name}: {value}" for name, value in one.items())
        yield Difference("rows = fold of the log", f"{service}.{one.get('table', '?')}", None, None, bookings, detail)


def _identity(one: Identity) -> dict[str, Any]:
    return {"name": one.name, "left": one.left, "right": one.right, "difference": one.difference}


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "identity": one.identity,
        "where": one.where,
        "left": one.left,
        "right": one.right,
        "detail": one.detail,
        "bookings": list(one.bookings),
    }
