"""Changing stocks: a saga with booking, which owns their quantity.

A new quantity is recorded as a request first, then sent to booking, then recorded as accepted or refused. A crash in
between is finished by ``finish_requests``: booking gives the same answer to the same request.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.catalog.application import access
from services.catalog.application.stocks import shown
from services.catalog.domain.offers import Offer
from services.catalog.domain.stocks import QuantityRequest, Stock
from services.catalog.neighbours import Booking, Payout
from services.catalog.refusals import PriceAgreed
from services.catalog.storage import stocks
from shared.contracts.calls.catalog import ChangeStock
from shared.eventstore import Store, Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.errors import DomainError, Unavailable
from shared.kernel.identifiers import stream_id
from shared.observability import metrics

MAX_ROUNDS = 5
"""Open requests of other callers that one change finishes before its own."""
RECOVERY_BATCH = 50


@dataclass(frozen=True, slots=True)
class _Done:
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Booking must answer a request first; ``is_own`` when this very call made it."""

    request: QuantityRequest
    is_own: bool


class StockChanges:
    def __init__(self, store: Store, booking: Booking, payout: Payout) -> None:
        self._store, self._booking, self._payout = store, booking, payout

    def change(self, batch: Sequence[Call[ChangeStock]]) -> list[Outcome]:
        """Answers with the whole stock.

        Raises NotFound, OffererClosed, PreconditionFailed, OfferInReview, OfferRejected, StockWithdrawn, EventPassed,
        PriceAgreed, Invalid, DateInThePast, and booking's own refusal of a quantity (``quantity-below-booked``).
        """
        return [self._change(call) for call in batch]

    def finish_requests(self) -> None:
        """Recovery: sends again the requests that a crash or a time-out left open."""
        with self._store.reading() as connection:
            stock_ids = stocks.with_open_request(connection, RECOVERY_BATCH)
        for stock_id in stock_ids:
            with self._store.transaction() as tx:
                stock = tx.get(Stock, stream_id("stock", stock_id))
                request = stock.request if stock else None
            if request is not None:
                self._finish(stock_id, request)
                metrics.saga_recoveries.labels("catalog").inc()

    def _change(self, call: Call[ChangeStock]) -> Outcome:
        try:
            return self._decide(call)
        except Unavailable as refusal:
            return refusal
        except DomainError as refusal:
            return self._store.record(call, refusal)

    def _decide(self, call: Call[ChangeStock]) -> Outcome:
        stock_id, changes = call.body.stock_id, call.body.changes()
        if "price" in changes:
            self._check_price_may_change(call, changes["price"])
        for _ in range(MAX_ROUNDS):
            step = self._store.run(lambda tx: self._begin(tx, call, dict(changes)))
            if isinstance(step, _Done):
                return step.outcome
            if step.is_own:
                return self._end(call, changes, step.request, self._send(stock_id, step.request))
            self._finish(stock_id, step.request)
        raise Unavailable(reason="too many changes of this stock's quantity at once")

    def _check_price_may_change(self, call: Call[ChangeStock], price: Any) -> None:
        """A custom rule of an offer fixes the price that it was agreed for (domain.md §3.1).

        Raises PriceAgreed; Unavailable without payout.
        """
        with self._store.transaction() as tx:
            facts = access.own_stock(tx, call.caller, call.body.stock_id).facts
        if facts.price != price and self._payout.has_agreed_price(facts.offer_id):
            raise PriceAgreed

    @staticmethod
    def _begin(tx: Transaction, call: Call[ChangeStock], changes: dict[str, Any]) -> _Done | _Waiting:
        """Changes everything at once, or records the request of a new quantity and changes the rest afterwards."""
        stock = access.own_stock(tx, call.caller, call.body.stock_id)
        access.open_offerer(tx.connection, stock.facts.offerer_id)
        if stock.request is not None and "quantity" in changes:
            return _Waiting(stock.request, is_own=False)
        access.check_version(stock, call.body.if_match)
        offer = _offer_of(tx, stock)
        offer.check_takes_stocks()
        stock.check_changeable(tx.now)
        new_quantity = "quantity" in changes
        quantity = changes.pop("quantity", None)
        if not new_quantity or quantity == stock.facts.quantity:
            stock.change(tx.now, offer.facts, changes)
            return _Done(_finished(tx, call, stock))
        # a copy raises the refusals of the rest now: once booking has accepted the quantity it is too late
        copy.deepcopy(stock).change(tx.now, offer.facts, changes)
        stock.request_quantity(tx.now, quantity)
        tx.save(stock)
        assert stock.request is not None
        return _Waiting(stock.request, is_own=True)

    def _end(
        self, call: Call[ChangeStock], changes: dict[str, Any], request: QuantityRequest, refusal: DomainError | None
    ) -> Outcome:
        """Records booking's answer, and changes the rest in the same transaction."""
        rest = {name: value for name, value in changes.items() if name != "quantity"}

        def end(tx: Transaction) -> Outcome:
            stock = access.own_stock(tx, None, call.body.stock_id)
            stock.answer_quantity(tx.now, request.number, refusal.code if refusal else None)
            outcome = refusal or _change_rest(tx, stock, rest)
            if outcome is None:
                return _finished(tx, call, stock)
            tx.save(stock)
            tx.outcomes.store(call, outcome)
            return outcome

        outcome: Outcome = self._store.run(end)
        return outcome

    def _finish(self, stock_id: int, request: QuantityRequest) -> None:
        refusal = self._send(stock_id, request)

        def record(tx: Transaction) -> None:
            stock = access.own_stock(tx, None, stock_id)
            stock.answer_quantity(tx.now, request.number, refusal.code if refusal else None)
            tx.save(stock)

        self._store.run(record)

    def _send(self, stock_id: int, request: QuantityRequest) -> DomainError | None:
        return self._booking.set_quantity(stock_id, request, published=self._store.published_head())


def _offer_of(tx: Transaction, stock: Stock) -> Offer:
    offer = tx.get(Offer, stream_id("offer", stock.facts.offer_id))
    assert offer is not None, "a stock has an offer"
    return offer


def _change_rest(tx: Transaction, stock: Stock, rest: dict[str, Any]) -> DomainError | None:
    """A refusal if the stock was withdrawn or its event has begun since: only the quantity is changed."""
    try:
        if rest:
            stock.change(tx.now, _offer_of(tx, stock).facts, rest)
    except DomainError as too_late:
        return too_late
    return None


def _finished(tx: Transaction, call: Call[ChangeStock], stock: Stock) -> dict[str, Any]:
    tx.save(stock)
    answer = shown(tx, stock)
    tx.outcomes.store(call, answer)
    return answer
