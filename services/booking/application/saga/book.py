"""Transaction 1 of a booking: checks the requests of a batch in order, and opens those that it accepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.booking import refusals
from services.booking.application.saga.answer import Answering
from services.booking.application.saga.batch import Batch, command_of
from services.booking.domain import rules
from services.booking.domain.booking import Booking, Command, Terms
from services.booking.storage import activation_codes
from services.booking.storage.saga import OpeningState, read_to_open
from services.booking.storage.stocks import LockedStocks
from shared.contracts.calls import booking as calls
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.errors import DomainError
from shared.kernel.money import Cents


@dataclass(frozen=True, slots=True)
class BookingRequest:
    person_id: int
    stock_id: int
    quantity: int
    command: Command


def open_bookings(tx: Transaction, batch: Batch, answering: Answering) -> None:
    requests = [_request(call) for call in batch.calls]
    state = read_to_open(tx, batch.calls, [(one.person_id, one.stock_id) for one in requests])
    batch.resume(tx, state.keys)
    fresh = {index: requests[index] for index, _ in batch.fresh()}
    decided = _refusals(tx.now, state, fresh)
    accepted = {index: one for index, one in fresh.items() if index not in decided}
    bookings = dict(zip(accepted, _record(tx, state.stocks, list(accepted.values())), strict=True))
    decided |= answering.open(tx, state.stocks, bookings)
    batch.decide(tx, bookings, decided)


def _request(call: Call[calls.Book]) -> BookingRequest:
    person_id = call.caller.account_id if call.caller is not None else 0
    return BookingRequest(person_id, call.body.stock_id, call.body.quantity, command_of(call))


def _refusals(now: datetime, state: OpeningState, requests: dict[int, BookingRequest]) -> dict[int, Outcome]:
    """Decides in order, in memory, under the locks of the stocks; sets the places of accepted requests aside."""
    refused: dict[int, Outcome] = {}
    for index, one in requests.items():
        refusal = _refusal(now, state, one)
        if refusal is None:
            state.claimed.add((one.person_id, state.stocks[one.stock_id].row.offer_id))
        else:
            refused[index] = refusal
    return refused


def _refusal(now: datetime, state: OpeningState, one: BookingRequest) -> DomainError | None:
    stock = state.stocks.get(one.stock_id)
    if one.person_id not in state.beneficiaries:
        return refusals.NotABeneficiary()
    if stock is None:
        return refusals.UnknownStock()
    if (one.person_id, stock.row.offer_id) in state.claimed:
        return refusals.AlreadyBooked()
    if one.quantity > (rules.MAX_PLACES if stock.row.is_duo else 1):
        return refusals.QuantityInvalid()
    if not _is_bookable(stock.row, now) or not state.stocks.set_aside(one.stock_id, one.quantity):
        return refusals.StockNotBookable()
    return None


def _is_bookable(row: Any, now: datetime) -> bool:
    """Released, not withdrawn, and before its booking limit and its start (domain.md §3.1, decision 36)."""
    open_until = min((end for end in (row.booking_limit_at, row.beginning_at) if end is not None), default=None)
    known = row.establishment is not None and row.is_released
    return bool(known) and not row.is_withdrawn and (open_until is None or now < open_until)


def _record(tx: Transaction, stocks: LockedStocks, requests: Sequence[BookingRequest]) -> list[Booking]:
    if not requests:
        return []
    first = tx.next_number("booking", len(requests))
    numbered = list(enumerate(requests, start=first))
    codes = _give_codes(tx, stocks, numbered)
    return [
        Booking.request(
            tx.now,
            booking_id=number,
            person_id=one.person_id,
            terms=_terms(stocks[one.stock_id].row, one.quantity),
            command=one.command,
            with_code=stocks[one.stock_id].row.with_codes,
            activation_code=codes.get(number),
        )
        for number, one in numbered
    ]


def _give_codes(
    tx: Transaction, stocks: LockedStocks, numbered: Sequence[tuple[int, BookingRequest]]
) -> dict[int, str]:
    codes: dict[int, str] = {}
    for stock_id in sorted({one.stock_id for _, one in numbered if stocks[one.stock_id].row.with_codes}):
        booking_ids = [number for number, one in numbered if one.stock_id == stock_id]
        codes |= activation_codes.give(tx.connection, stock_id, booking_ids)
    return codes


def _terms(row: Any, quantity: int) -> Terms:
    return Terms(
        stock_id=row.stock_id,
        offer_id=row.offer_id,
        venue_id=row.venue_id,
        offerer_id=row.offerer_id,
        establishment=row.establishment,
        subcategory=row.subcategory,
        offer_name=row.offer_name,
        is_digital=row.is_digital,
        quantity=quantity,
        unit_price=Cents(row.price),
        beginning_at=row.beginning_at,
    )
