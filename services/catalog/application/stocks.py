"""Adding and withdrawing stocks."""

from __future__ import annotations

from typing import Any

from services.catalog.answers import whole_stock
from services.catalog.application import access
from services.catalog.domain.stocks import Stock
from shared.contracts.calls import catalog as calls
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call


def add_stock(tx: Transaction, call: Call[calls.AddStock]) -> dict[str, Any]:
    """Answers with the whole stock. The first one submits the offer.

    Raises NotFound, OffererClosed, OfferInReview, OfferRejected, Invalid, DateInThePast.
    """
    body = call.body
    offer = access.own_offer(tx, call.caller, body.offer_id)
    access.open_offerer(tx.connection, offer.facts.offerer_id)
    offer.check_takes_stocks()
    fields = body.values(calls.StockFields) | {"activation_codes": body.activation_codes}
    stock = Stock.add(tx.now, tx.next_number("stock"), offer.facts, fields)
    offer.submit(tx.now, stock.facts.price)
    tx.save(offer, stock)  # the offer first: a consumer of the stock's message knows its offer
    return shown(tx, stock)


def withdraw_stock(tx: Transaction, call: Call[calls.WithdrawStock]) -> dict[str, Any]:
    """Answers with the whole stock. Raises NotFound, PreconditionFailed, WithdrawalTooLate."""
    stock = access.own_stock(tx, call.caller, call.body.stock_id)
    access.check_version(stock, call.body.if_match)
    stock.withdraw(tx.now)
    tx.save(stock)
    return shown(tx, stock)


def shown(tx: Transaction, stock: Stock) -> dict[str, Any]:
    """The answer of a saved stock as this transaction leaves it."""
    tx.flush()
    return whole_stock(tx.connection, stock.facts.stock_id, tx.now)
