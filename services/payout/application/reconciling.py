"""Checks the identities over everything that ever happened, at one vector of positions (ARCHITECTURE.md §8).

Payout's figures are folded from its own log; booking and wallet give theirs in their ``ledger`` queries. Each consumer
is compared with booking's log up to its tracked position; later messages are in flight, and are listed with their age.
Every service also compares its read models with a second fold of its log, as for ``passculture verify``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.payout.domain import ledger
from services.payout.domain.custom_rules import CustomRule
from services.payout.domain.ledger import Difference, Identity, LedgerLine, Payments, PriceChain, Sums, Told
from services.payout.domain.pricing import price
from services.payout.files.transfers_xml import transfers_xml
from services.payout.refusals import FileNotValid
from services.payout.storage import bank_details, batches, custom_rules, lines
from services.payout.storage.replay import replayed
from services.payout.storage.years import validation
from shared import green
from shared.contracts.calls import booking as booking_calls
from shared.contracts.calls import payout as payout_calls
from shared.contracts.calls import platform as platform_calls
from shared.contracts.calls import wallet as wallet_calls
from shared.contracts.calls.contract import Query
from shared.eventstore import Connection, Store
from shared.eventstore.outcomes import Call
from shared.kernel.money import Cents
from shared.kernel.time import paris_day
from shared.messaging.bus import Bus
from shared.messaging.following import tracked_positions

ASK_SECONDS = 100.0
PAGE = 1000
"""Lines after which other greenlets run."""


@dataclass(slots=True)
class _Own:
    """The figures of payout's own log."""

    position: int
    tracked: int
    sums: Sums
    differences: list[Difference]


class Reconciling:
    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    def reconcile(self, _call: Call[payout_calls.Reconciliation]) -> dict[str, Any]:
        """``{balanced, days, differences, positions, inFlight}``. Raises Unavailable when a service does not answer."""
        own = self._own()
        wallet = self._ask(wallet_calls.Ledger())
        tracked = {"payout": own.tracked, "wallet": wallet["sources"]["booking"] or 0}
        booking = self._ask(booking_calls.Ledger(position=own.tracked))
        for_wallet = booking
        if tracked["wallet"] != own.tracked:
            for_wallet = self._ask(booking_calls.Ledger(position=tracked["wallet"]))
        told = (_told(wallet, "spent"), _told(for_wallet, "validated"), _told(booking, "validated"))
        days = ledger.identities_by_day(*told, own.sums)
        differences = [
            *ledger.differences_by_booking(*told, own.sums),
            *(one for day, identities in days for one in ledger.differences_of(day, identities)),
            *ledger.differences_of("all credits", [_granted(wallet["totals"])]),
            *_contradictions("wallet", wallet),
            *_contradictions("booking", booking),
            *own.differences,
            *self._row_differences(),
        ]
        return {
            "balanced": not differences,
            "days": [{"day": day, "identities": [_identity(one) for one in found]} for day, found in days],
            "differences": [_difference(one) for one in differences],
            "positions": {"payout": own.position, "wallet": wallet["position"], "booking": tracked},
            "inFlight": [message for name, position in tracked.items() for message in self._in_flight(name, position)],
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
            return _Own(
                position=self._store.log.head(connection),
                tracked=tracked_positions(connection).get("booking", 0),
                sums=sums,
                differences=[*chain.differences(), *_batch_differences(folded, sums)],
            )

    def _row_differences(self) -> Iterator[Difference]:
        """Live rows that differ from a second fold of their service's log."""
        for service in ("wallet", "booking", "payout"):
            compared = self._ask(platform_calls.CompareProjection(), to=service)
            for found in compared["differences"]:
                yield _row_difference(service, found)

    def _in_flight(self, consumer: str, position: int) -> Iterator[dict[str, Any]]:
        for message in self._ask(platform_calls.Log(after=position, limit=1), to="booking")["messages"]:
            yield {"consumer": consumer, "source": "booking", "after": position, "since": message["recordedAt"]}

    def _ask(self, query: Query, to: str = "") -> Any:
        return self._bus.query(query, to=to, timeout=ASK_SECONDS)


def _told(answer: dict[str, Any], name: str) -> Told:
    days = {day: sums.get(name, 0) for day, sums in answer["days"].items()}
    return Told(days, {int(number): cents for number, cents in answer["bookings"].items()})


def _granted(totals: dict[str, int]) -> Identity:
    parts = sum(totals[name] for name in ("available", "reserved", "spent", "lapsed"))
    return Identity(ledger.GRANTED, totals["granted"], parts)


def _sums(folded: Connection, payments: Payments, revenues: Mapping[int, Cents]) -> Sums:
    """``revenues``: of the open lines."""
    sums, rules = Sums(), custom_rules.all_rules(folded)
    payable = set(bank_details.accounts_of(folded, lines.owners(folded)))
    for number, row in enumerate(lines.in_order(folded)):
        revenue = revenues.get(row.line_id, Cents(row.revenue_cents))
        sums.take(_ledger_line(row, payable, rules, revenue, payments.of_line[row.line_id]))
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
    everything = ledger.of_all_lines(sums, batches.pending_total(folded), batches.carried_total(folded))
    yield from ledger.differences_of("all lines", [everything])
    yield from _of_accounts(folded)
    yield from _of_transfers(folded, sums)


def _of_batch(folded: Connection, batch: Any) -> list[Identity]:
    of_lines = lines.sums_of_batch(folded, batch.batch_id)
    paid_and_carried = batches.transferred(folded, batch.batch_id) + batches.carried_on(folded, batch.batch_id)
    return [
        Identity(ledger.BATCH_LINES, of_lines.reimbursed, paid_and_carried),
        Identity(ledger.BATCH_LINES, batch.total_cents, of_lines.reimbursed),
        Identity(ledger.BATCH_LINES, batch.transferred_cents + batch.carried_cents, of_lines.reimbursed),
        Identity("contribution of a batch = that of its lines", batch.contribution_cents, of_lines.contribution),
        Identity("lines of a batch, counted", batch.lines, of_lines.lines),
    ]


def _of_file(folded: Connection, batch: Any) -> Iterator[Difference]:
    """Writes the transfer file again: its checksum must be the one that the close recorded."""
    records = batches.transfer_records(folded, batch.batch_id)
    try:
        checksum = hashlib.sha256(transfers_xml(batches.record(batch), records)).hexdigest() if records else None
    except FileNotValid as error:
        yield Difference(ledger.BATCH_FILE, f"batch {batch.batch_id}", None, None, detail=error.detail)
        return
    if checksum != batch.checksum:
        yield Difference(ledger.BATCH_FILE, f"batch {batch.batch_id}", None, None, detail="another checksum")


def _of_accounts(folded: Connection) -> Iterator[Difference]:
    """An account carries forward the sum of its lines that were not transferred."""
    of_lines, of_accounts = lines.carried_by_account(folded), batches.carried_by(folded)
    for iban, bic in sorted({*of_lines, *of_accounts}):
        one = Identity(ledger.CARRIED, of_lines.get((iban, bic), 0), of_accounts.get((iban, bic), 0))
        yield from ledger.differences_of(f"account {iban} {bic}", [one])


def _of_transfers(folded: Connection, sums: Sums) -> Iterator[Difference]:
    """A transfer is the sum of its lines, as announced once they are reimbursed, and the bank's answer is about it."""
    for row in batches.all_transfers(folded):
        answered = row.amount_cents if row.answered_cents is None else row.answered_cents
        # a later transfer may pay the lines of a rejected one
        of_lines = row.amount_cents if row.status == "rejected" else sums.transfers[row.end_to_end_id]
        identities = [
            Identity(ledger.BATCH_SENT, row.amount_cents, of_lines),
            Identity(ledger.BATCH_SENT, answered, row.amount_cents),
        ]
        if any(one.difference for one in identities):
            bookings = lines.bookings_of_transfer(folded, row.end_to_end_id, ledger.MAX_BOOKINGS)
            yield from ledger.differences_of(f"transfer {row.end_to_end_id}", identities, tuple(bookings))


def _contradictions(service: str, answer: dict[str, Any]) -> Iterator[Difference]:
    for one in answer["contradictions"]:
        where = f"{service}: {one['stream']}"
        yield Difference(ledger.STREAM, where, None, None, tuple(one["bookings"]), one["detail"])


def _row_difference(service: str, found: dict[str, Any]) -> Difference:
    key, live, folded = found["key"], found["live"], found["folded"]
    booking = (live or folded).get("booking_id")
    if live is None or folded is None:
        detail = "no such row" if live is None else "no event leads to this row"
    else:
        detail = ", ".join(f"{name}: {live[name]} ≠ {folded[name]}" for name in live if live[name] != folded[name])
    name = "/".join(str(part) for part in key.values()) if [*key] != ["booking_id"] else ""
    where = f"{service}.{found['table']} {name}".rstrip()
    return Difference(ledger.ROWS, where, None, None, () if booking is None else (booking,), detail)


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
