"""How the read model of the catalogue follows catalog, booking and identity.

Each of the three publishes in an order of its own: a reaction never waits for a message of another. A stock's remaining
places come from booking, everything else about it from catalog; whichever message comes first creates the row.
"""

from __future__ import annotations

from typing import Any

from services.gateway.projections.catalogue import writing
from services.gateway.projections.catalogue.tables import offerers, offers, stocks, tags, venues, words
from shared.eventstore import Message, Transaction
from shared.kernel.time import parse_optional_instant
from shared.messaging.reactions import Reaction, Reactions
from shared.projections.followed import Followed, keeps


def offerer_is(*, is_open: bool) -> Reaction:
    return keeps(offerers, lambda data: {"offerer_id": data["offererId"], "is_open": is_open})


def venue_changed(tx: Transaction, message: Message) -> None:
    writing.write_venue(tx.connection, message.data)


def offer_changed(tx: Transaction, message: Message) -> None:
    writing.write_published_offer(tx.connection, message.data)


def offer_withdrawn(tx: Transaction, message: Message) -> None:
    writing.withdraw_offer(tx.connection, message.data["offerId"])


def stock_added(tx: Transaction, message: Message) -> None:
    data = message.data
    writing.add_stock(
        tx.connection,
        data["stockId"],
        data["quantity"],
        offer_id=data["offerId"],
        price_cents=data["priceCents"],
        beginning_at=parse_optional_instant(data["beginningAt"]),
        booking_limit_at=parse_optional_instant(data["bookingLimitAt"]),
    )


def stock_changed(tx: Transaction, message: Message) -> None:
    data = message.data
    limit = parse_optional_instant(data["bookingLimitAt"])
    writing.update_stock(tx.connection, data["stockId"], price_cents=data["priceCents"], booking_limit_at=limit)


def event_rescheduled(tx: Transaction, message: Message) -> None:
    data = message.data
    beginning, limit = (parse_optional_instant(data[name]) for name in ("beginningAt", "bookingLimitAt"))
    writing.update_stock(tx.connection, data["stockId"], beginning_at=beginning, booking_limit_at=limit)


def stock_withdrawn(tx: Transaction, message: Message) -> None:
    writing.update_stock(tx.connection, message.data["stockId"], is_withdrawn=True)


def remaining_changed(field: str) -> Reaction:
    """``field`` says how many places are left, null if there is no limit. The message with the highest position counts,
    not the one that is handled last."""

    def react(tx: Transaction, message: Message) -> None:
        _RemainingPlaces.of(tx).note(message.data["stockId"], message.data[field], message.position)

    return react


class _RemainingPlaces:
    """The places left by stock, from the messages of one transaction: a hot stock has many, and the last is written."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._rows: dict[int, dict[str, Any]] = {}

    @classmethod
    def of(cls, tx: Transaction) -> _RemainingPlaces:
        known = tx.locals.get(cls)
        if known is None:
            known = tx.locals[cls] = cls(tx)
            tx.before_flush(known._write)
        return known

    def note(self, stock_id: int, remaining: int | None, position: int) -> None:
        left = {"remaining": remaining, "remaining_position": position}
        self._rows[stock_id] = {"stock_id": stock_id, "is_withdrawn": False, **left}

    def _write(self) -> None:
        writing.write_remaining(self._tx.connection, [self._rows[stock_id] for stock_id in sorted(self._rows)])


REACTIONS = Reactions(
    {
        ("identity", "OffererValidated", 1): offerer_is(is_open=True),
        ("identity", "OffererRejected", 1): offerer_is(is_open=False),
        ("identity", "OffererClosed", 1): offerer_is(is_open=False),
        ("catalog", "VenueOpened", 1): venue_changed,
        ("catalog", "VenueChanged", 1): venue_changed,
        ("catalog", "OfferPublished", 1): offer_changed,
        ("catalog", "OfferChanged", 1): offer_changed,
        ("catalog", "OfferWithdrawn", 1): offer_withdrawn,
        ("catalog", "StockAdded", 1): stock_added,
        ("catalog", "StockChanged", 1): stock_changed,
        ("catalog", "EventRescheduled", 1): event_rescheduled,
        ("catalog", "StockWithdrawn", 1): stock_withdrawn,
        ("booking", "BookingCreated", 1): remaining_changed("stockRemaining"),
        ("booking", "BookingCancelled", 1): remaining_changed("stockRemaining"),
        ("booking", "BookingRestored", 1): remaining_changed("stockRemaining"),
        ("booking", "StockSoldOut", 1): remaining_changed("remaining"),
        ("booking", "StockAvailable", 1): remaining_changed("remaining"),
    }
)

CATALOGUE = Followed("catalogue", 1, [offerers, venues, offers, words, tags, stocks], REACTIONS)
"""The read model as a whole: it can be rebuilt from the messages of its sources."""
