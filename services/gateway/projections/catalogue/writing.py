"""Writes the rows of the catalogue."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.gateway.projections.catalogue import rendering
from services.gateway.projections.catalogue.places import on_sphere
from services.gateway.projections.catalogue.tables import offers, stocks, tags, venues, words
from services.gateway.projections.catalogue.words import plain, weighted_words
from shared.contracts.subcategories import SUBCATEGORIES
from shared.eventstore import Connection, Store, Transaction, sql
from shared.kernel.time import parse_instant

PAGE = 200

_OUTDATED = sa.select(offers.c.offer_id).where(offers.c.rendering < rendering.RENDERING)


def render_again(store: Store) -> None:
    """Renders again every offer that an older release rendered, a page in a transaction."""
    while store.run(_render_page):
        pass


def count_outdated(connection: Connection) -> int:
    """How many offers of the next page wait to be rendered again."""
    return connection.execute(sa.select(sa.func.count()).select_from(_OUTDATED.limit(PAGE).subquery())).scalar_one()


def _render_page(tx: Transaction) -> int:
    """Returns how many offers it wrote. Row locks make a concurrent change of an offer come before or after."""
    page = tx.connection.scalars(_OUTDATED.order_by(offers.c.offer_id).limit(PAGE).with_for_update()).all()
    facts = sa.select(offers.c.facts, offers.c.is_published, venues.c.facts.label("of_venue"))
    query = facts.join(venues, venues.c.venue_id == offers.c.venue_id).where(sql.among(offers.c.offer_id, page))
    for row in tx.connection.execute(query.order_by(offers.c.offer_id)).all():
        write_offer(tx.connection, row.facts, row.of_venue, is_published=row.is_published)
    return len(page)


def write_venue(connection: Connection, venue: dict[str, Any]) -> None:
    """Writes the venue, and its offers again, for they show it."""
    sql.upsert(connection, venues, [{"venue_id": venue["venueId"], "facts": venue}])
    shown = sa.select(offers.c.facts, offers.c.is_published).where(offers.c.venue_id == venue["venueId"])
    for facts, is_published in connection.execute(shown).all():
        write_offer(connection, facts, venue, is_published=is_published)


def write_published_offer(connection: Connection, offer: dict[str, Any]) -> None:
    """The venue is known: catalog publishes it before its offers."""
    venue = connection.execute(sa.select(venues.c.facts).where(venues.c.venue_id == offer["venueId"])).scalar_one()
    write_offer(connection, offer, venue, is_published=True)


def withdraw_offer(connection: Connection, offer_id: int) -> None:
    connection.execute(sa.update(offers).where(offers.c.offer_id == offer_id).values(is_published=False))


def add_stock(connection: Connection, stock_id: int, quantity: int | None, **described: Any) -> None:
    """All places are left, unless booking has already published how many."""
    statement = sql.insert(connection, stocks).values(
        stock_id=stock_id, remaining=quantity, is_withdrawn=False, **described
    )
    connection.execute(statement.on_conflict_do_update(index_elements=["stock_id"], set_=described))


def update_stock(connection: Connection, stock_id: int, **values: Any) -> None:
    connection.execute(sa.update(stocks).where(stocks.c.stock_id == stock_id).values(**values))


def write_remaining(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Keeps the row with the highest ``remaining_position``."""
    sql.upsert(connection, stocks, rows, keeps=("is_withdrawn",), newest="remaining_position")


def write_offer(connection: Connection, offer: dict[str, Any], venue: dict[str, Any], *, is_published: bool) -> None:
    """The row that is sent and searched, its words and its tags."""
    subcategory = SUBCATEGORIES[offer["subcategory"]]
    lat, lon = (None, None) if offer["isDigital"] else (venue["lat"], venue["lon"])
    x, y, z = (None, None, None) if lat is None or lon is None else on_sphere(lat, lon)
    row = {
        "offer_id": offer["offerId"],
        "venue_id": offer["venueId"],
        "offerer_id": offer["offererId"],
        "is_published": is_published,
        "body": rendering.stored_body(offer, venue),
        "rendering": rendering.RENDERING,
        "facts": offer,
        "category": subcategory.category,
        "subcategory": subcategory.id,
        "kind": rendering.kind_of(offer),
        "is_duo": offer["isDuo"],
        "published_at": parse_instant(offer["publishedAt"]),
        "lat": lat,
        "lon": lon,
        "x": x,
        "y": y,
        "z": z,
    }
    sql.upsert(connection, offers, [row])
    _write_words(connection, offer, venue, subcategory.app_label)


def _write_words(connection: Connection, offer: dict[str, Any], venue: dict[str, Any], label: str) -> None:
    offer_id = offer["offerId"]
    place = " ".join(filter(None, (venue["name"], venue["city"])))
    weights = weighted_words(
        [(offer["name"], 8), (" ".join(offer["tags"]), 4), (label, 4), (place, 3), (offer["description"], 1)]
    )
    _replace(connection, words, offer_id, [{"word": word, "weight": weight} for word, weight in weights.items()])
    plain_tags = dict.fromkeys(plain(tag) for tag in offer["tags"])
    _replace(connection, tags, offer_id, [{"tag": tag} for tag in plain_tags])


def _replace(connection: Connection, table: sa.Table, offer_id: int, rows: list[dict[str, Any]]) -> None:
    connection.execute(sa.delete(table).where(table.c.offer_id == offer_id))
    if rows:
        connection.execute(table.insert(), [{"offer_id": offer_id, **row} for row in rows])
