"""Searching: every filter against a plain loop over the same offers, every order page by page, broken cursors."""

from __future__ import annotations

import base64
import json
import math
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from services.gateway.projections.catalogue import places
from services.gateway.projections.catalogue.words import words_of
from shared.contracts.subcategories import SUBCATEGORIES
from shared.kernel.errors import Invalid
from tests.unit.gateway_catalogue.shelf import PARIS, STRASBOURG, Shelf


def haversine(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Kilometres, by the other formula."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, place)) for place in (a, b))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * places.EARTH_KM * math.asin(math.sqrt(half))


def test_words_are_found_without_accents_capitals_or_plural(shelf: Shelf) -> None:
    shelf.concert()
    shelf.offer(2, name="L'École des femmes", subcategory="SPECTACLE_REPRESENTATION", description="De Molière")
    shelf.stock(2, 2)
    assert words_of("L’École des FEMMES, cœur_d'or") == ["ecole", "femme", "coeur", "or"]
    for q in ("ecole", "ÉCOLES", "femme école", "moliere", "Mol", "l'école des femmes"):
        assert shelf.find(q=q) == [2], q
    for q in ("ecole danse", "xyz", "des", "!!!", ""):
        assert shelf.find(q=q) == [], q
    assert shelf.find(q="strasbourg") == [2, 1]


def test_what_stands_in_the_name_comes_first(shelf: Shelf) -> None:
    shelf.concert()
    shelf.offer(2, name="Visite", description="avec un concert")
    shelf.offer(3, name="Concerto pour piano")
    shelf.offer(4, name="Jazz", tags=["concert"])
    for number in (2, 3, 4):
        shelf.stock(number, number)
    assert shelf.find(q="concert")[0] == 1, "the very word in the name"
    assert shelf.find(q="piano jazz") == []
    assert shelf.walk(1, q="concert") == shelf.find(q="concert")


def test_near_and_far(shelf: Shelf) -> None:
    shelf.concert()
    shelf.venue(2, **PARIS)
    shelf.offer(2, venueId=2)
    shelf.stock(2, 2)
    here = {"lat": 48.58, "lon": 7.75}
    near = shelf.search(**here, radiusKm=20)["items"]
    assert [item["offerId"] for item in near] == [1]
    assert near[0]["distanceKm"] == pytest.approx(haversine((48.58, 7.75), (48.5839, 7.7455)), abs=0.001)
    assert shelf.find(**here, sort="distance") == [1, 2]
    assert shelf.find(lat=48.86, lon=2.35, sort="distance") == [2, 1]
    assert "distanceKm" not in shelf.search()["items"][0]
    assert shelf.find(lat=STRASBOURG["lat"], lon=STRASBOURG["lon"], radiusKm=0) == [1], "a radius of 0 is a metre"


def test_over_the_180th_meridian_and_at_the_pole(shelf: Shelf) -> None:
    shelf.offerer()
    for number, (lat, lon) in enumerate([(-14.3, -178.1), (-14.3, 179.9), (89.9, 10.0), (89.9, -170.0)], start=1):
        shelf.venue(number, lat=lat, lon=lon)
        shelf.offer(number, venueId=number)
        shelf.stock(number, number)
    assert sorted(shelf.find(lat=-14.3, lon=-179.9, radiusKm=250)) == [1, 2]
    assert sorted(shelf.find(lat=-14.3, lon=179.95, radiusKm=10)) == [2]
    assert sorted(shelf.find(lat=90, lon=0, radiusKm=20)) == [3, 4]


def test_digital_offers_have_no_place_and_come_last(shelf: Shelf) -> None:
    shelf.concert()
    shelf.offer(2, isDigital=True, subcategory="JEU_EN_LIGNE", url="https://example.org")
    shelf.stock(2, 2, beginningAt=None)
    assert shelf.find(lat=48, lon=7, sort="distance") == [1, 2]
    assert shelf.find(lat=48, lon=7, radiusKm=1000) == [1]
    assert shelf.walk(1, lat=48, lon=7, sort="distance") == [1, 2]
    assert shelf.find(kind="digital") == [2]


@pytest.mark.parametrize("filters", [{"lat": 48.0}, {"radiusKm": 5}, {"sort": "distance"}])
def test_a_place_is_whole(shelf: Shelf, filters: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refusal:
        shelf.search(**filters)
    assert sorted(refusal.value.errors) == ["lat"]


@dataclass
class Described:
    """An offer as the plain loop knows it."""

    offer_id: int
    subcategory: str
    is_duo: bool
    is_digital: bool
    tag: str
    place: tuple[float, float]
    stocks: list[tuple[int, str | None, int]]  # price, beginning, remaining

    @property
    def kind(self) -> str:
        return "digital" if self.is_digital else "event" if SUBCATEGORIES[self.subcategory].is_event else "thing"

    def matching(self, asked: dict[str, Any]) -> list[tuple[int, str | None, int]]:
        checks: list[Callable[[int, str | None, int], bool]] = [lambda price, start, left: left > 0]
        if "isFree" in asked:
            checks.append(lambda price, start, left: (price == 0) is asked["isFree"])
        if "priceMinCents" in asked:
            checks.append(lambda price, start, left: price >= asked["priceMinCents"])
        if "priceMaxCents" in asked:
            checks.append(lambda price, start, left: price <= asked["priceMaxCents"])
        if "from" in asked:
            checks.append(lambda price, start, left: start is not None and start >= asked["from"])
        if "to" in asked:
            checks.append(lambda price, start, left: start is not None and start <= asked["to"])
        return [stock for stock in self.stocks if all(check(*stock) for check in checks)]

    def is_found(self, asked: dict[str, Any]) -> bool:
        one = SUBCATEGORIES[self.subcategory]
        wanted = {
            "category": one.category,
            "subcategory": one.id,
            "kind": self.kind,
            "isDuo": self.is_duo,
            "tag": self.tag,
        }
        if any(asked[name] != value for name, value in wanted.items() if name in asked):
            return False
        if "radiusKm" in asked:
            here = (asked["lat"], asked["lon"])
            if self.is_digital or haversine(here, self.place) > asked["radiusKm"]:
                return False
        return bool(self.matching(asked))


def a_hundred_offers(shelf: Shelf, chance: random.Random) -> list[Described]:
    shelf.offerer()
    for venue_id in range(1, 11):
        shelf.venue(
            venue_id, lat=round(chance.uniform(48, 49), 5), lon=round(chance.uniform(7, 8), 5), name=f"V{venue_id}"
        )
    sites = {}
    with shelf.store.reading() as connection:
        for facts in connection.exec_driver_sql("SELECT facts FROM catalogue_venues").scalars():
            venue = json.loads(facts) if isinstance(facts, str) else facts
            sites[venue["venueId"]] = (venue["lat"], venue["lon"])
    described = []
    for number in range(1, 101):
        one = SUBCATEGORIES[chance.choice(["CONCERT", "LIVRE_PAPIER", "JEU_EN_LIGNE", "SEANCE_CINE", "VISITE"])]
        venue_id = chance.randint(1, 10)
        offer = Described(
            number, one.id, chance.random() < 0.5, one.is_online_only, chance.choice("abc"), sites[venue_id], []
        )
        shelf.offer(
            number,
            venueId=venue_id,
            subcategory=one.id,
            isDuo=offer.is_duo,
            isDigital=offer.is_digital,
            tags=[offer.tag],
            publishedAt=f"2021-10-{chance.randint(1, 9):02d}T09:00:00Z",
        )
        for index in range(chance.randint(0, 3)):
            start = f"2021-11-{chance.randint(10, 28)}T19:00:00Z" if one.is_event else None
            stock = (chance.choice([0, 0, 500, 1000, 2000]), start, chance.choice([0, 1, 5]))
            offer.stocks.append(stock)
            shelf.stock(number * 10 + index, number, priceCents=stock[0], beginningAt=start, quantity=stock[2])
        described.append(offer)
    return described


def some_filters(chance: random.Random) -> dict[str, Any]:
    choices: dict[str, Callable[[], Any]] = {
        "category": lambda: chance.choice(["MUSIQUE_LIVE", "LIVRE", "MUSEE"]),
        "subcategory": lambda: chance.choice(["CONCERT", "SEANCE_CINE"]),
        "kind": lambda: chance.choice(["event", "thing", "digital"]),
        "isFree": lambda: chance.random() < 0.5,
        "isDuo": lambda: chance.random() < 0.5,
        "priceMinCents": lambda: chance.choice([0, 500, 1000]),
        "priceMaxCents": lambda: chance.choice([500, 1000, 2000]),
        "from": lambda: f"2021-11-{chance.randint(10, 20)}T00:00:00Z",
        "to": lambda: f"2021-11-{chance.randint(18, 28)}T00:00:00Z",
        "tag": lambda: chance.choice("abc"),
    }
    asked = {name: choices[name]() for name in chance.sample(sorted(choices), chance.randint(0, 3))}
    if chance.random() < 0.4:
        asked |= {"lat": 48.5, "lon": 7.5, "radiusKm": chance.choice([20, 40, 60])}
    return asked


def test_every_filter_and_every_page_as_a_plain_loop_finds_them(shelf: Shelf) -> None:
    chance = random.Random(20211102)
    described = {offer.offer_id: offer for offer in a_hundred_offers(shelf, chance)}
    sizes = set()
    for _ in range(60):
        asked = some_filters(chance)
        sort = chance.choice(["relevance", "soonest", "newest", "price"] + (["distance"] if "lat" in asked else []))
        expected = {number for number, offer in described.items() if offer.is_found(asked)}
        walked = shelf.walk(chance.choice([1, 3, 7]) if len(expected) < 30 else 11, **asked, sort=sort)
        assert len(walked) == len(set(walked)), "no offer on two pages"
        assert set(walked) == expected, asked
        sizes.add(len(expected))
        in_order = [sort_key(described[number], asked, sort) for number in walked]
        assert in_order == sorted(in_order)
    assert len(sizes) > 10, "the searches differ"


def sort_key(offer: Described, asked: dict[str, Any], sort: str) -> Any:
    if sort == "price":
        return min(price for price, _, _ in offer.matching(asked))
    if sort == "soonest":
        return min(start or "9999" for _, start, _ in offer.matching(asked))
    if sort == "distance":
        return math.inf if offer.is_digital else round(haversine((48.5, 7.5), offer.place), 3)
    return 0


def test_the_newest_come_first(shelf: Shelf) -> None:
    shelf.concert()
    for number in range(2, 8):
        shelf.offer(number)
        shelf.stock(number, number)
    assert shelf.find(sort="newest") == shelf.find() == [7, 6, 5, 4, 3, 2, 1]
    assert shelf.walk(2) == [7, 6, 5, 4, 3, 2, 1]


def test_what_is_published_meanwhile_shifts_no_page(shelf: Shelf) -> None:
    shelf.concert()
    for number in range(2, 6):
        shelf.offer(number)
        shelf.stock(number, number)
    first = shelf.search(limit=2)
    shelf.offer(6)
    shelf.stock(6, 6)
    second = shelf.search(limit=2, cursor=first["nextCursor"])
    assert [item["offerId"] for item in first["items"] + second["items"]] == [5, 4, 3, 2]


def test_a_cursor_belongs_to_its_search(shelf: Shelf) -> None:
    shelf.concert()
    shelf.offer(2)
    shelf.stock(2, 2)
    asked = {"q": "concert", "lat": 48.5, "lon": 7.7, "radiusKm": 50.0, "sort": "distance"}
    cursor = shelf.search(**asked, limit=1)["nextCursor"]
    assert shelf.find(cursor=cursor) == shelf.find(**asked, cursor=cursor)
    with pytest.raises(Invalid) as refusal:
        shelf.search(**{**asked, "radiusKm": 51.0}, cursor=cursor)
    assert refusal.value.code == "cursor-invalid"


def test_the_longest_search_has_a_cursor_that_the_api_takes(shelf: Shelf) -> None:
    shelf.concert()
    long = "".join(chr(0x4E00 + index) for index in range(30))
    shelf.offer(1, name=f"{long}", tags=["é" * 50])
    shelf.offer(2, name=f"{long}", tags=["é" * 50])
    shelf.stock(2, 2)
    place = {"lat": 48.5000001, "lon": 7.7000001, "radiusKm": 999.9}
    prices = {"priceMinCents": 1, "priceMaxCents": 10**12}
    dates = {"from": "2021-11-02T09:00:00.123456Z", "to": "2022-11-02T09:00:00.123456Z"}
    asked = {"q": long, "tag": "é" * 50, "sort": "price", "kind": "event", **place, **prices, **dates}
    cursor = shelf.search(**asked, limit=1)["nextCursor"]
    assert cursor is not None and len(cursor) < 1000
    assert shelf.find(cursor=cursor) == [1]


def forged(content: Any) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(content).encode())).decode().rstrip("=")


def test_broken_cursors_are_refused(shelf: Shelf) -> None:
    shelf.concert()
    shelf.offer(2)
    shelf.stock(2, 2)
    good = shelf.search(limit=1)["nextCursor"]
    _, filters, position = json.loads(zlib.decompress(base64.urlsafe_b64decode(good + "==")))
    broken = ["", "x", "%00%ff", good[:-3], good + "A" * 9, forged([]), forged({}), forged([2, filters, position])]
    broken += [
        forged([1, filters, bad])
        for bad in ([], ["x", 1], [position[0], "1"], [position[0], True], [position[0], 2**63], 7)
    ]
    broken += [forged([1, filters[:-1], position]), forged([1, [*filters[:-1], "backwards"], position])]
    for index in range(len(filters)):
        for wrong in ("\x00", {"a": 1}, [["x"]], -1e308):
            changed = [*filters]
            changed[index] = wrong
            broken.append(forged([1, changed, position]))
    broken.append(base64.urlsafe_b64encode(zlib.compress(b"[" * 10_000_000)).decode())
    for cursor in broken:
        with pytest.raises(Invalid) as refusal:
            shelf.search(cursor=cursor)
        assert refusal.value.code in ("cursor-invalid", "invalid"), cursor
