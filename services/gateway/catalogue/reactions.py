"""How the read model follows catalog, booking and identity.

Messages of the three travel on their own: what one of them says never waits for another. A stock's remaining places are
booking's to say, everything else of it catalog's; whichever comes first makes the row.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.gateway.catalogue.tables import offerers, offers, stocks, tags, venues, words
from services.gateway.catalogue.writing import write_offer
from shared.eventstore import Message, Transaction, sql
from shared.kernel.time import parse_optional_instant
from shared.messaging.reactions import Reaction, Reactions
from shared.projections.followed import Followed


def reactions() -> Reactions:
    """Which message, in which version, changes the read model how."""
    return Reactions(
        {
            ("identity", "OffererValidated", 1): _offerer_is(is_open=True),
            ("identity", "OffererRejected", 1): _offerer_is(is_open=False),
            ("identity", "OffererClosed", 1): _offerer_is(is_open=False),
            ("catalog", "VenueOpened", 1): venue_told,
            ("catalog", "VenueChanged", 1): venue_told,
            ("catalog", "OfferPublished", 1): offer_told,
            ("catalog", "OfferChanged", 1): offer_told,
            ("catalog", "OfferWithdrawn", 1): offer_withdrawn,
            ("catalog", "StockAdded", 1): stock_added,
            ("catalog", "StockChanged", 1): stock_changed,
            ("catalog", "EventRescheduled", 1): event_rescheduled,
            ("catalog", "StockWithdrawn", 1): stock_withdrawn,
            ("booking", "BookingCreated", 1): places_remain("stockRemaining"),
            ("booking", "BookingCancelled", 1): places_remain("stockRemaining"),
            ("booking", "BookingRestored", 1): places_remain("stockRemaining"),
            ("booking", "StockSoldOut", 1): places_remain("remaining"),
            ("booking", "StockAvailable", 1): places_remain("remaining"),
        }
    )


def followed() -> Followed:
    """The whole read model: it can be rebuilt from the messages of its sources."""
    return Followed("catalogue", 1, [offerers, venues, offers, words, tags, stocks], reactions())


def _offerer_is(*, is_open: bool) -> Reaction:
    def told(tx: Transaction, message: Message) -> None:
        sql.upsert(tx.connection, offerers, [{"offerer_id": message.data["offererId"], "is_open": is_open}])

    return told


def venue_told(tx: Transaction, message: Message) -> None:
    """Its offers show it: they are written anew."""
    venue = message.data
    sql.upsert(tx.connection, venues, [{"venue_id": venue["venueId"], "facts": venue}])
    shown = sa.select(offers.c.facts, offers.c.is_published).where(offers.c.venue_id == venue["venueId"])
    for facts, is_published in tx.connection.execute(shown).all():
        write_offer(tx.connection, facts, venue, is_published=is_published)


def offer_told(tx: Transaction, message: Message) -> None:
    offer = message.data
    venue = tx.connection.execute(
        sa.select(venues.c.facts).where(venues.c.venue_id == offer["venueId"])
    ).scalar_one()  # catalog told of the venue before
    write_offer(tx.connection, offer, venue, is_published=True)


def offer_withdrawn(tx: Transaction, message: Message) -> None:
    tx.connection.execute(
        sa.update(offers).where(offers.c.offer_id == message.data["offerId"]).values(is_published=False)
    )


def stock_added(tx: Transaction, message: Message) -> None:
    """All of it is there, unless booking has said before what remains."""
    data = message.data
    described = {
        "offer_id": data["offerId"],
        "price_cents": data["priceCents"],
        "beginning_at": parse_optional_instant(data["beginningAt"]),
        "booking_limit_at": parse_optional_instant(data["bookingLimitAt"]),
    }
    statement = sql.insert(tx.connection, stocks).values(
        stock_id=data["stockId"], remaining=data["quantity"], is_withdrawn=False, **described
    )
    tx.connection.execute(statement.on_conflict_do_update(index_elements=["stock_id"], set_=described))


def stock_changed(tx: Transaction, message: Message) -> None:
    data = message.data
    _update_stock(
        tx, data, price_cents=data["priceCents"], booking_limit_at=parse_optional_instant(data["bookingLimitAt"])
    )


def event_rescheduled(tx: Transaction, message: Message) -> None:
    data = message.data
    _update_stock(
        tx,
        data,
        beginning_at=parse_optional_instant(data["beginningAt"]),
        booking_limit_at=parse_optional_instant(data["bookingLimitAt"]),
    )


def stock_withdrawn(tx: Transaction, message: Message) -> None:
    _update_stock(tx, message.data, is_withdrawn=True)


def places_remain(field: str) -> Reaction:
    """Booking says how many places are left; null: there is no limit. Its last word counts, not what is heard last."""

    def told(tx: Transaction, message: Message) -> None:
        _PlacesLeft.of(tx).hear(message.data["stockId"], message.data[field], message.position)

    return told


class _PlacesLeft:
    """What booking's messages of one transaction say: of a hot stock many things, of which the last is written."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._rows: dict[int, dict[str, Any]] = {}

    @classmethod
    def of(cls, tx: Transaction) -> _PlacesLeft:
        known = tx.locals.get(cls)
        if known is None:
            known = tx.locals[cls] = cls(tx)
            tx.before_flush(known._write)
        return known

    def hear(self, stock_id: int, remaining: int | None, position: int) -> None:
        left = {"remaining": remaining, "remaining_position": position}
        self._rows[stock_id] = {"stock_id": stock_id, "is_withdrawn": False, **left}

    def _write(self) -> None:
        rows = [self._rows[stock_id] for stock_id in sorted(self._rows)]
        sql.upsert(self._tx.connection, stocks, rows, keeps=("is_withdrawn",), newest="remaining_position")


def _update_stock(tx: Transaction, data: dict[str, Any], **values: Any) -> None:
    tx.connection.execute(sa.update(stocks).where(stocks.c.stock_id == data["stockId"]).values(**values))
