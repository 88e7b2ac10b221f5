"""Reads the catalogue: one public offer, and the search of ``GET /v1/offers`` with keyset pagination.

The search finds what can be booked now. A page begins after the sort keys of the last item of the page before; the
cursor carries them, with the filters.
"""

from __future__ import annotations

import operator
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import orjson
import sqlalchemy as sa

from services.gateway.projections.catalogue import cursors, places
from services.gateway.projections.catalogue.cursors import CursorInvalid
from services.gateway.projections.catalogue.rendering import RENDERING, current_part, stored_body
from services.gateway.projections.catalogue.tables import offerers, offers, stocks, tags, venues, words
from services.gateway.projections.catalogue.words import MAX_WORDS_OF_QUERY, after_prefix, plain, words_of_query
from shared.contracts.subcategories import CATEGORIES, SUBCATEGORIES
from shared.eventstore import Connection, sql
from shared.eventstore.sql import Instant
from shared.kernel.errors import Invalid
from shared.kernel.money import MAX_CENTS
from shared.kernel.time import instant_text, parse_instant

PAGE = 20
MAX_PAGE = 100
MAX_STOCKS = 200
SORTS = ("relevance", "distance", "soonest", "newest", "price")
KINDS = ("event", "thing", "digital")
_WORD = re.compile(r"\w{1,32}")
_NOWHERE = 9.0  # greater than every squared chord (at most 4): offers without a place come last
_NEVER = datetime(2200, 1, 1, tzinfo=UTC)  # later than every date: offers without one come last


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters and the order of a search. Instants are text, as a cursor carries them."""

    words: tuple[str, ...] | None = None
    lat: float | None = None
    lon: float | None = None
    radius_km: float | None = None
    category: str | None = None
    subcategory: str | None = None
    kind: str | None = None
    is_free: bool | None = None
    is_duo: bool | None = None
    price_min: int | None = None
    price_max: int | None = None
    since: str | None = None
    until: str | None = None
    tag: str | None = None
    sort: str = "relevance"

    @property
    def has_place(self) -> bool:
        return self.lat is not None and self.lon is not None


def search(connection: Connection, given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """``{items, nextCursor}`` of public offers.

    ``given`` has the names of the query (``q, lat, lon, radiusKm, ..., sort, cursor, limit``), values checked for
    their types. A cursor brings its filters; others beside it are refused. Raises Invalid, CursorInvalid.
    """
    filters = _filters_of(given)
    position: list[Any] | None = None
    if given.get("cursor") is not None:
        values, position = cursors.decode(given["cursor"])
        repeated, filters = filters, _filters_of_cursor(values)
        if repeated not in (Filters(), filters):
            raise CursorInvalid("Ce curseur appartient à une autre recherche.")
    _check(filters)
    limit = min(max(given.get("limit") or PAGE, 1), MAX_PAGE)
    query = _Query(filters, now)
    rows = connection.execute(query.page(position, limit + 1)).all()
    shown, more = rows[:limit], len(rows) > limit
    return {
        "items": _items(connection, shown, now),
        "nextCursor": cursors.encode(astuple(filters), query.position_of(shown[-1])) if more else None,
    }


def offer_json(connection: Connection, offer_id: int, now: datetime) -> bytes | None:
    """One published offer as JSON, bookable or not; None if there is none. The stored part is not parsed."""
    rows = connection.execute(_OFFER, {"offer_id": offer_id, "now": now}).all()
    if not rows:
        return None
    shown = [row for row in rows if row.stock_id is not None]
    had_past = not shown and _had_stocks(connection, offer_id)
    stored, current = _bodies(connection, rows[:1])[offer_id], current_part(shown, had_past, now)
    return bytes(stored.encode()[:-1] + b"," + orjson.dumps(current)[1:])


_OFFER = (
    sa.select(
        offers.c.offer_id,
        offers.c.body,
        offers.c.rendering,
        stocks.c.stock_id,
        stocks.c.price_cents,
        stocks.c.beginning_at,
        stocks.c.booking_limit_at,
        stocks.c.remaining,
    )
    .select_from(
        offers.join(offerers, offerers.c.offerer_id == offers.c.offerer_id).outerjoin(
            stocks,
            sa.and_(
                stocks.c.offer_id == offers.c.offer_id,
                ~stocks.c.is_withdrawn,
                sa.or_(stocks.c.beginning_at.is_(None), stocks.c.beginning_at > sa.bindparam("now", type_=Instant)),
            ),
        )
    )
    .where(offers.c.offer_id == sa.bindparam("offer_id"), offers.c.is_published, offerers.c.is_open)
    .order_by(stocks.c.beginning_at, stocks.c.stock_id)
    .limit(MAX_STOCKS)
)
"""One offer with the stocks that are shown, in one round trip. Built once: no query runs more often."""


def _bodies(connection: Connection, rows: Sequence[sa.Row[Any]]) -> dict[int, str]:
    """The stored parts by offer. Those that an older release rendered are rendered again."""
    bodies = {row.offer_id: row.body for row in rows}
    if stale := [row.offer_id for row in rows if row.rendering != RENDERING]:
        facts = sa.select(offers.c.offer_id, offers.c.facts, venues.c.facts.label("of_venue"))
        query = facts.join(venues, venues.c.venue_id == offers.c.venue_id).where(sql.among(offers.c.offer_id, stale))
        for row in connection.execute(query):
            bodies[row.offer_id] = stored_body(row.facts, row.of_venue)
    return bodies


def _filters_of(given: Mapping[str, Any]) -> Filters:
    return Filters(
        words=None if given.get("q") is None else tuple(words_of_query(given["q"])),
        lat=given.get("lat"),
        lon=given.get("lon"),
        radius_km=given.get("radiusKm"),
        category=given.get("category"),
        subcategory=given.get("subcategory"),
        kind=given.get("kind"),
        is_free=given.get("isFree"),
        is_duo=given.get("isDuo"),
        price_min=given.get("priceMinCents"),
        price_max=given.get("priceMaxCents"),
        since=given.get("from"),
        until=given.get("to"),
        tag=None if given.get("tag") is None else plain(given["tag"]),
        sort=given.get("sort") or "relevance",
    )


def _filters_of_cursor(values: list[Any]) -> Filters:
    """The filters that a cursor carries. A client may have written it, so its values are checked like a query's."""
    if len(values) != len(fields(Filters)):
        raise CursorInvalid
    by_name = dict(zip((field.name for field in fields(Filters)), values, strict=True))
    for name, is_valid in _CHECKS.items():
        if by_name[name] is not None and not is_valid(by_name[name]):
            raise CursorInvalid
    if by_name["sort"] not in SORTS:
        raise CursorInvalid
    if by_name["words"] is not None:
        by_name["words"] = tuple(by_name["words"])
    return Filters(**by_name)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_cents(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_CENTS


def _is_instant(value: Any) -> bool:
    try:
        return isinstance(value, str) and parse_instant(value) is not None
    except ValueError:
        return False


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MAX_WORDS_OF_QUERY and all(map(_is_word, value))


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "words": _are_words,
    "lat": lambda value: _is_number(value) and -90 <= value <= 90,
    "lon": lambda value: _is_number(value) and -180 <= value <= 180,
    "radius_km": lambda value: _is_number(value) and 0 <= value <= 40_000,
    "category": lambda value: isinstance(value, str) and value in CATEGORIES,
    "subcategory": lambda value: isinstance(value, str) and value in SUBCATEGORIES,
    "kind": lambda value: value in KINDS,
    "is_free": lambda value: isinstance(value, bool),
    "is_duo": lambda value: isinstance(value, bool),
    "price_min": _is_cents,
    "price_max": _is_cents,
    "since": _is_instant,
    "until": _is_instant,
    "tag": lambda value: isinstance(value, str) and value.isprintable() and len(value) <= 200,
}


def _check(filters: Filters) -> None:
    if not filters.has_place and (filters.lat, filters.lon) != (None, None):
        raise Invalid("Il manque une coordonnée.", errors={"lat": ["Donnez lat et lon ensemble."]})
    if not filters.has_place and (filters.radius_km is not None or filters.sort == "distance"):
        raise Invalid("Il manque un lieu.", errors={"lat": ["Donnez lat et lon."]})


class _Query:
    """One search as SQL: conditions, sort keys, and the condition that begins a page."""

    def __init__(self, filters: Filters, now: datetime) -> None:
        self._filters = filters
        self._now = now
        self._source: Any = offers.join(offerers, offerers.c.offerer_id == offers.c.offerer_id)
        self._conditions: list[sa.ColumnElement[bool]] = [offers.c.is_published, offerers.c.is_open]
        self._chord = self._squared_chord()
        self._score = self._match_words()
        self._match_offer()
        self._match_place()
        self._of_stocks = self._match_stocks()
        self._keys = self._sort_keys()

    def page(self, position: list[Any] | None, limit: int) -> sa.Select[Any]:
        """The rows of a page: offer, body, squared chord, and the sort keys ``key0``, ``key1``, …"""
        found = (
            sa.select(
                offers.c.offer_id,
                offers.c.body,
                offers.c.rendering,
                self._chord.label("chord"),
                *(key.label(f"key{index}") for index, (key, _) in enumerate(self._keys)),
            )
            .select_from(self._source)
            .where(*self._conditions)
            .subquery("found")
        )
        columns = [found.c[f"key{index}"] for index in range(len(self._keys))]
        query = sa.select(found)
        if position is not None:
            query = query.where(self._after(columns, position))
        descending = [is_descending for _, is_descending in self._keys]
        order = [c.desc() if down else c.asc() for c, down in zip(columns, descending, strict=True)]
        return query.order_by(*order).limit(limit)

    def position_of(self, row: sa.Row[Any]) -> list[Any]:
        values = [getattr(row, f"key{index}") for index in range(len(self._keys))]
        return [instant_text(value) if isinstance(value, datetime) else value for value in values]

    def _after(self, columns: Sequence[Any], position: list[Any]) -> sa.ColumnElement[bool]:
        """The rows after a position: later by the first key, or equal and later by the next."""
        values = self._typed(columns, position)
        condition: sa.ColumnElement[bool] = sa.false()
        keys = list(zip(columns, values, self._keys, strict=True))
        for column, value, (_, is_descending) in reversed(keys):
            beyond = column < value if is_descending else column > value
            condition = sa.or_(beyond, sa.and_(column == value, condition))
        return condition

    @staticmethod
    def _typed(columns: Sequence[Any], position: list[Any]) -> list[Any]:
        if len(position) != len(columns):
            raise CursorInvalid
        typed: list[Any] = []
        for column, value in zip(columns, position, strict=True):
            if isinstance(column.type, Instant):
                if not _is_instant(value):
                    raise CursorInvalid
                typed.append(sa.literal(parse_instant(value), Instant))
            elif isinstance(column.type, sa.Double):
                typed.append(sa.literal(float(cursors.number(value)), sa.Double))
            else:
                typed.append(sa.literal(_whole(value), sa.BigInteger))
        return typed

    def _sort_keys(self) -> list[tuple[Any, bool]]:
        """(key, whether it descends). The offer's number breaks ties."""
        newest = (offers.c.published_at, True)
        last = (offers.c.offer_id, True)
        if self._filters.sort == "distance":
            return [(self._chord, False), last]
        if self._of_stocks is not None:
            return [(self._of_stocks, False), last]
        if self._filters.sort == "relevance" and self._score is not None:
            return [(self._score, True), newest, last]
        return [newest, last]

    def _match_words(self) -> Any:
        """Every word, or one that begins with it, must be there. The score is the sum of their weights."""
        if self._filters.words is None:
            return None
        if not self._filters.words:
            self._conditions.append(sa.false())  # only stop words were given: nothing is found
            return None
        scores = []
        for index, word in enumerate(self._filters.words):
            weight = sa.case((words.c.word == word, words.c.weight * 2), else_=words.c.weight)
            hits = (
                sa.select(words.c.offer_id, sa.cast(sa.func.max(weight), sa.BigInteger).label("weight"))
                .where(words.c.word >= word, words.c.word < after_prefix(word))
                .group_by(words.c.offer_id)
                .subquery(f"word{index}")
            )
            self._source = self._source.join(hits, hits.c.offer_id == offers.c.offer_id)
            scores.append(hits.c.weight)
        return _sum(scores)

    def _match_offer(self) -> None:
        filters, column = self._filters, offers.c
        wanted = (
            (column.category, filters.category),
            (column.subcategory, filters.subcategory),
            (column.kind, filters.kind),
            (column.is_duo, filters.is_duo),
        )
        self._conditions += [column == value for column, value in wanted if value is not None]
        if filters.tag is not None:
            tagged = sa.select(sa.literal(1)).where(tags.c.tag == filters.tag, tags.c.offer_id == offers.c.offer_id)
            self._conditions.append(sa.exists(tagged.correlate(offers)))

    def _match_place(self) -> None:
        """First the bounding box, by index; then the circle, by arithmetic."""
        filters = self._filters
        if filters.lat is None or filters.lon is None or filters.radius_km is None:
            return
        radius = max(filters.radius_km, places.MIN_RADIUS_KM)
        box = places.box_around(filters.lat, filters.lon, radius)
        self._conditions.append(offers.c.lat.between(box.south, box.north))
        if box.lon is not None:
            west, east = box.lon
            inside = offers.c.lon.between(west, east)
            self._conditions.append(inside if west <= east else sa.or_(offers.c.lon >= west, offers.c.lon <= east))
        self._conditions.append(self._chord <= sa.literal(places.squared_chord(radius), sa.Double))

    def _match_stocks(self) -> Any:
        """At least one stock must match. Returns the sort key where the order depends on stocks."""
        if self._filters.sort not in ("soonest", "price"):
            some = sa.select(sa.literal(1)).where(stocks.c.offer_id == offers.c.offer_id, *self._stock_conditions())
            self._conditions.append(sa.exists(some.correlate(offers)))
            return None
        start = sa.func.coalesce(sa.func.min(stocks.c.beginning_at), sa.literal(_NEVER, Instant), type_=Instant)
        key = start if self._filters.sort == "soonest" else sa.func.min(stocks.c.price_cents)
        fitting = (
            sa.select(stocks.c.offer_id, key.label("key"))
            .where(*self._stock_conditions())
            .group_by(stocks.c.offer_id)
            .subquery("fitting")
        )
        self._source = self._source.join(fitting, fitting.c.offer_id == offers.c.offer_id)
        return fitting.c.key

    def _stock_conditions(self) -> list[sa.ColumnElement[bool]]:
        """A stock that can be booked now, with the price and the date of the filters."""
        filters, column = self._filters, stocks.c
        conditions = [
            ~column.is_withdrawn,
            sa.or_(column.remaining.is_(None), column.remaining > 0),
            sa.or_(column.booking_limit_at.is_(None), column.booking_limit_at > self._now),
        ]
        if filters.is_free is not None:
            conditions.append(column.price_cents == 0 if filters.is_free else column.price_cents > 0)
        if filters.price_min is not None:
            conditions.append(column.price_cents >= filters.price_min)
        if filters.price_max is not None:
            conditions.append(column.price_cents <= filters.price_max)
        if filters.since is not None:
            conditions.append(column.beginning_at >= parse_instant(filters.since))
        if filters.until is not None:
            conditions.append(column.beginning_at <= parse_instant(filters.until))
        return conditions

    def _squared_chord(self) -> Any:
        if self._filters.lat is None or self._filters.lon is None:
            return sa.literal(_NOWHERE, sa.Double)
        point = places.on_sphere(self._filters.lat, self._filters.lon)
        axes = zip((offers.c.x, offers.c.y, offers.c.z), point, strict=True)
        differences = [axis - sa.literal(value, sa.Double) for axis, value in axes]
        chord = _sum([each * each for each in differences])
        return sa.func.coalesce(chord, sa.literal(_NOWHERE, sa.Double), type_=sa.Double)


def _sum(terms: Sequence[Any]) -> Any:
    return reduce(operator.add, terms)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise CursorInvalid
    return int(cursors.number(value))


def _items(connection: Connection, rows: Sequence[sa.Row[Any]], now: datetime) -> list[dict[str, Any]]:
    shown = _stocks_of(connection, [row.offer_id for row in rows], now)
    bodies = _bodies(connection, rows)
    items = []
    for row in rows:
        item = {**orjson.loads(bodies[row.offer_id]), **current_part(shown[row.offer_id], False, now)}
        if row.chord < _NOWHERE:
            item["distanceKm"] = places.kilometres(row.chord)
        items.append(item)
    return items


def _stocks_of(connection: Connection, offer_ids: list[int], now: datetime) -> dict[int, list[sa.Row[Any]]]:
    """The stocks that are shown: not withdrawn, not past; the next 200 of each offer."""
    found: dict[int, list[sa.Row[Any]]] = defaultdict(list)
    if not offer_ids:
        return found
    column = stocks.c
    rank = sa.func.row_number().over(partition_by=column.offer_id, order_by=(column.beginning_at, column.stock_id))
    ahead = (
        sa.select(stocks, rank.label("rank"))
        .where(
            sql.among(column.offer_id, offer_ids),
            ~column.is_withdrawn,
            sa.or_(column.beginning_at.is_(None), column.beginning_at > now),
        )
        .subquery("ahead")
    )
    shown = sa.select(ahead).where(ahead.c.rank <= MAX_STOCKS).order_by(ahead.c.offer_id, ahead.c.rank)
    for row in connection.execute(shown):
        found[row.offer_id].append(row)
    return found


def _had_stocks(connection: Connection, offer_id: int) -> bool:
    query = sa.select(stocks.c.stock_id).where(stocks.c.offer_id == offer_id, ~stocks.c.is_withdrawn)
    return connection.execute(query.limit(1)).first() is not None
