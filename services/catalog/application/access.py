"""Which structures' resources a caller may see and change."""

from __future__ import annotations

from typing import TypeVar

from eventsourcing.domain import Aggregate

from services.catalog.domain.offers import Offer
from services.catalog.domain.stocks import Stock
from services.catalog.domain.venues import Venue
from services.catalog.refusals import OffererClosed, no_offer, no_offerer, no_stock, no_venue
from services.catalog.storage import offerers
from shared.eventstore import Connection, Transaction
from shared.kernel.callers import Caller
from shared.kernel.errors import NotFound, PreconditionFailed
from shared.kernel.identifiers import stream_id

STAFF = "staff"
A = TypeVar("A", Venue, Offer, Stock)


def visible_offerers(connection: Connection, caller: Caller | None) -> set[int] | None:
    """The structures whose resources a caller sees; None: all of them (staff, or the platform itself)."""
    if caller is None or STAFF in caller.roles:
        return None
    if caller.offerer_id is not None:
        return {caller.offerer_id}
    return offerers.of_account(connection, caller.account_id)


def check_visible(connection: Connection, caller: Caller | None, offerer_id: int, hidden: NotFound) -> None:
    """Raises ``hidden`` for another structure's resource, as if there were none (decision 21)."""
    visible = visible_offerers(connection, caller)
    if visible is not None and offerer_id not in visible:
        raise hidden


def check_version(aggregate: Aggregate, expected: int | None) -> None:
    """Optimistic lock: raises PreconditionFailed when the resource has changed since the caller read it."""
    if expected is not None and expected != aggregate.version:
        raise PreconditionFailed


def open_offerer(connection: Connection, offerer_id: int) -> offerers.Offerer:
    """The structure, validated or not yet. Raises NotFound, OffererClosed."""
    offerer = offerers.by_number(connection, offerer_id)
    if offerer is None:
        raise no_offerer()
    if offerer.status in ("rejected", "closed"):
        raise OffererClosed
    return offerer


def own_venue(tx: Transaction, caller: Caller | None, venue_id: int) -> Venue:
    """A venue of one of the caller's structures. Raises NotFound."""
    return _own(tx, caller, tx.get(Venue, stream_id("venue", venue_id)), no_venue())


def own_offer(tx: Transaction, caller: Caller | None, offer_id: int) -> Offer:
    """An offer of one of the caller's structures. Raises NotFound."""
    return _own(tx, caller, tx.get(Offer, stream_id("offer", offer_id)), no_offer())


def own_stock(tx: Transaction, caller: Caller | None, stock_id: int) -> Stock:
    """A stock of one of the caller's structures. Raises NotFound."""
    return _own(tx, caller, tx.get(Stock, stream_id("stock", stock_id)), no_stock())


def _own(tx: Transaction, caller: Caller | None, found: A | None, hidden: NotFound) -> A:
    if found is None:
        raise hidden
    check_visible(tx.connection, caller, found.facts.offerer_id, hidden)
    return found
