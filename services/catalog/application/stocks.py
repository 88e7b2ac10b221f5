"""Adding, changing and withdrawing stocks.

A new quantity is booking's to accept. It is written down first, then asked, then recorded, so that a crash anywhere is
finished by ``finish_requests``: booking answers the same request the same way for ever.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from services.catalog import storage
from services.catalog.application import access, views
from services.catalog.application.offers import own_offer
from services.catalog.domain.offers import Offer
from services.catalog.domain.refusals import PriceAgreed
from services.catalog.domain.stocks import QuantityRequest, Stock
from shared.contracts.calls import catalog as calls
from shared.contracts.calls import platform
from shared.eventstore import Store, Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError, NotFound, Unavailable
from shared.kernel.identifiers import stream_id
from shared.messaging.bus import Bus
from shared.observability import metrics

MAX_ROUNDS = 5
REQUESTS_AT_ONCE = 50
AGREEMENT_SECONDS = 3.0


def add_stock(tx: Transaction, call: Call[calls.AddStock]) -> dict[str, Any]:
    """The whole stock. The first one submits the offer.

    Raises NotFound, OffererClosed, OfferInReview, OfferRejected, Invalid, DateInThePast.
    """
    body = call.body
    offer = own_offer(tx, call.caller, body.offer_id)
    access.open_offerer(tx.connection, offer.facts.offerer_id)
    offer.check_takes_stocks()
    fields = body.values(calls.StockFields) | {"activation_codes": body.activation_codes}
    stock = Stock.add(tx.now, tx.next_number("stock"), offer.facts, fields)
    offer.submit(tx.now, stock.facts.price)
    tx.save(offer, stock)  # the offer first: whoever hears of the stock knows its offer
    return _shown(tx, stock)


def withdraw_stock(tx: Transaction, call: Call[calls.WithdrawStock]) -> dict[str, Any]:
    """The whole stock. Raises NotFound, PreconditionFailed, WithdrawalTooLate."""
    stock = own_stock(tx, call.caller, call.body.stock_id)
    access.check_version(stock, call.body.if_match)
    stock.withdraw(tx.now)
    tx.save(stock)
    return _shown(tx, stock)


def own_stock(tx: Transaction, caller: Caller | None, stock_id: int) -> Stock:
    """A stock of one of the caller's structures."""
    stock = tx.get(Stock, stream_id("stock", stock_id))
    if stock is None:
        raise NotFound("There is no such stock.")
    access.check_belongs(tx.connection, caller, stock.facts.offerer_id)
    return stock


@dataclass(frozen=True, slots=True)
class _Done:
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Asks:
    """Booking has to answer a request first; ``is_ours`` when it is the one of this very call."""

    request: QuantityRequest
    is_ours: bool


class StockChanges:
    """Changes of stocks, quantity included: a saga with booking."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    def change(self, batch: Sequence[Call[calls.ChangeStock]]) -> list[Outcome]:
        """The whole stock, for each.

        Raises NotFound, OffererClosed, PreconditionFailed, OfferInReview, OfferRejected, StockWithdrawn, EventPassed,
        PriceAgreed, Invalid, DateInThePast, and what booking refuses a quantity with (``quantity-below-booked``).
        """
        return [self._change(call) for call in batch]

    def finish_requests(self) -> None:
        """Asks booking again for what it has not answered: what a crash or a time-out left open."""
        with self._store.reading() as connection:
            stock_ids = storage.asking_stocks(connection, REQUESTS_AT_ONCE)
        for stock_id in stock_ids:
            with self._store.transaction() as tx:
                stock = tx.get(Stock, stream_id("stock", stock_id))
                request = stock.request if stock else None
            if request is not None:
                self._settle(stock_id, request)
                metrics.saga_recoveries.labels("catalog").inc()

    def _change(self, call: Call[calls.ChangeStock]) -> Outcome:
        try:
            return self._decide(call)
        except Unavailable as refusal:
            return refusal
        except DomainError as refusal:
            with self._store.transaction() as tx:
                tx.outcomes.store(call, refusal)
            return refusal

    def _decide(self, call: Call[calls.ChangeStock]) -> Outcome:
        stock_id, changes = call.body.stock_id, call.body.changes()
        if "price" in changes:
            self._check_agreement(call, stock_id, changes["price"])
        for _ in range(MAX_ROUNDS):
            step = self._store.run(lambda tx: self._begin(tx, call, stock_id, dict(changes)))
            if isinstance(step, _Done):
                return step.outcome
            refusal = self._ask(stock_id, step.request)
            if step.is_ours:
                return self._end(call, stock_id, changes, step.request, refusal)
            self._record(stock_id, step.request, refusal)
        raise Unavailable("Too many are changing the quantity of this stock.")

    def _check_agreement(self, call: Call[calls.ChangeStock], stock_id: int, price: Any) -> None:
        """What is reimbursed for an offer by an agreement goes with the price that it was made for (domain.md §3.1).

        Raises PriceAgreed; Unavailable without payout.
        """
        with self._store.transaction() as tx:
            facts = own_stock(tx, call.caller, stock_id).facts
        if facts.price != price:
            rule = self._bus.query("payout", "offer-rule", {"offerId": facts.offer_id}, timeout=AGREEMENT_SECONDS)
            if rule["agreed"]:
                raise PriceAgreed("The reimbursement of this offer was agreed for its price.")

    def _begin(
        self, tx: Transaction, call: Call[calls.ChangeStock], stock_id: int, changes: dict[str, Any]
    ) -> _Done | _Asks:
        stock = own_stock(tx, call.caller, stock_id)
        access.open_offerer(tx.connection, stock.facts.offerer_id)
        if stock.request is not None and "quantity" in changes:
            return _Asks(stock.request, is_ours=False)
        access.check_version(stock, call.body.if_match)
        offer = _offer_of(tx, stock)
        offer.check_takes_stocks()
        stock.check_changeable(tx.now)
        asks = "quantity" in changes
        quantity = changes.pop("quantity", None)
        if asks and quantity != stock.facts.quantity:
            copy.deepcopy(stock).change(
                tx.now, offer.facts, changes
            )  # refused now, or not at all: booking is asked next
            stock.request_quantity(tx.now, quantity)
            tx.save(stock)
            assert stock.request is not None
            return _Asks(stock.request, is_ours=True)
        stock.change(tx.now, offer.facts, changes)
        return _Done(self._finished(tx, call, stock))

    def _end(
        self,
        call: Call[calls.ChangeStock],
        stock_id: int,
        changes: dict[str, Any],
        request: QuantityRequest,
        refusal: DomainError | None,
    ) -> Outcome:
        """Booking's answer is recorded, and with it what else was to change."""
        rest = {name: value for name, value in changes.items() if name != "quantity"}

        def end(tx: Transaction) -> Outcome:
            stock = own_stock(tx, None, stock_id)
            stock.settle_quantity(tx.now, request.number, refusal.code if refusal else None)
            outcome = refusal or _change_rest(tx, stock, rest)
            if outcome is None:
                return self._finished(tx, call, stock)
            tx.save(stock)
            tx.outcomes.store(call, outcome)
            return outcome

        outcome: Outcome = self._store.run(end)
        return outcome

    def _finished(self, tx: Transaction, call: Call[calls.ChangeStock], stock: Stock) -> dict[str, Any]:
        tx.save(stock)
        result = _shown(tx, stock)
        tx.outcomes.store(call, result)
        return result

    def _settle(self, stock_id: int, request: QuantityRequest) -> None:
        self._record(stock_id, request, self._ask(stock_id, request))

    def _record(self, stock_id: int, request: QuantityRequest, refusal: DomainError | None) -> None:
        def record(tx: Transaction) -> None:
            stock = own_stock(tx, None, stock_id)
            stock.settle_quantity(tx.now, request.number, refusal.code if refusal else None)
            tx.save(stock)

        self._store.run(record)

    def _ask(self, stock_id: int, request: QuantityRequest) -> DomainError | None:
        """None when booking accepts, else its refusal. Raises Unavailable when its answer is not known."""
        # a stock that was added a moment ago must have reached booking before its quantity can be changed there
        position = self._store.published_head()
        self._bus.query(platform.Reached(source="catalog", position=position), to="booking")
        key = f"stock-{stock_id}-quantity-{request.number}"
        try:
            data = {"stockId": stock_id, "quantity": request.quantity}
            answer = self._bus.command("booking", "set-quantity", data, key=key)
        except Unavailable:
            raise
        except DomainError as refusal:
            if refusal.status >= 500:
                raise Unavailable("booking cannot answer now") from None
            return refusal
        self._hear(answer.position)
        return None

    def _hear(self, position: int | None) -> None:
        """Lets booking's word on what is left arrive, so that the stock is answered with its right status."""
        if position is None:
            return
        with suppress(Unavailable):  # the quantity is accepted all the same
            self._bus.query(platform.Reached(source="booking", position=position), to="catalog")


def _offer_of(tx: Transaction, stock: Stock) -> Offer:
    offer = tx.get(Offer, stream_id("offer", stock.facts.offer_id))
    assert offer is not None, "a stock has an offer"
    return offer


def _change_rest(tx: Transaction, stock: Stock, rest: dict[str, Any]) -> DomainError | None:
    """Withdrawn meanwhile, or its event has begun: then the quantity stands and the rest does not."""
    try:
        if rest:
            stock.change(tx.now, _offer_of(tx, stock).facts, rest)
    except DomainError as late:
        return late
    return None


def _shown(tx: Transaction, stock: Stock) -> dict[str, Any]:
    tx.flush()
    return views.one_stock(tx.connection, stock.facts.stock_id, tx.now)
