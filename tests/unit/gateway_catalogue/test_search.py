"""Search: every filter against a plain loop over the same offers, every order over all pages, invalid cursors."""

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
from tests.unit.gateway_catalogue.catalogue import PARIS, STRASBOURG, Catalogue


def haversine(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Kilometres, by another formula than the code's."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, place)) for place in (a, b))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * places.EARTH_KM * math.asin(math.sqrt(half))


def test_words_are_found_without_accents_capitals_or_plural(catalogue: Catalogue) -> None:
    catalogue.concert()
    catalogue.offer(2, name="L'École des femmes", subcategory="SPECTACLE_REPRESENTATION", description="De Molière")
    catalogue.stock(2, 2)
    assert words_of("L’École des FEMMES, cœur_d'or") == ["ecole", "femme", "coeur", "or"]
    for q in ("ecole", "ÉCOLES", "femme école", "moliere", "Mol", "l'école des femmes"):
        assert catalogue.find_ids(q=q) == [2], q
    for q in ("ecole danse", "xyz", "des", "!!!", ""):
        assert catalogue.find_ids(q=q) == [], q
    assert catalogue.find_ids(q="strasbourg") == [2, 1]


def test_a_match_in_the_name_ranks_first(catalogue: Catalogue) -> None:
    catalogue.concert()
    catalogue.offer(2, name="Visite", description="avec un concert")
    catalogue.offer(3, name="Concerto pour piano")
    catalogue.offer(4, name="Jazz", tags=["concert"])
    for number in (2, 3, 4):
        catalogue.stock(number, number)
    assert catalogue.find_ids(q="concert")[0] == 1, "an exact word of the name"
    assert catalogue.find_ids(q="piano jazz") == []
    assert catalogue.all_pages(1, q="concert") == catalogue.find_ids(q="concert")


def test_distance_filters_and_sorts(catalogue: Catalogue) -> None:
    catalogue.concert()
    catalogue.venue(2, **PARIS)
    catalogue.offer(2, venueId=2)
    catalogue.stock(2, 2)
    center = {"lat": 48.58, "lon": 7.75}
    near = catalogue.search(**center, radiusKm=20)["items"]
    assert [item["offerId"] for item in near] == [1]
    assert near[0]["distanceKm"] == pytest.approx(haversine((48.58, 7.75), (48.5839, 7.7455)), abs=0.001)
    assert catalogue.find_ids(**center, sort="distance") == [1, 2]
    assert catalogue.find_ids(lat=48.86, lon=2.35, sort="distance") == [2, 1]
    assert "distanceKm" not in catalogue.search()["items"][0]
    assert catalogue.find_ids(lat=STRASBOURG["lat"], lon=STRASBOURG["lon"], radiusKm=0) == [1], (
        "a radius of 0 means one metre"
    )


def test_distance_across_the_180th_meridian_and_at_the_pole(catalogue: Catalogue) -> None:
    catalogue.offerer()
    for number, (lat, lon) in enumerate([(-14.3, -178.1), (-14.3, 179.9), (89.9, 10.0), (89.9, -170.0)], start=1):
        catalogue.venue(number, lat=lat, lon=lon)
        catalogue.offer(number, venueId=number)
        catalogue.stock(number, number)
    assert sorted(catalogue.find_ids(lat=-14.3, lon=-179.9, radiusKm=250)) == [1, 2]
    assert sorted(catalogue.find_ids(lat=-14.3, lon=179.95, radiusKm=10)) == [2]
    assert sorted(catalogue.find_ids(lat=90, lon=0, radiusKm=20)) == [3, 4]


def test_digital_offers_have_no_distance_and_sort_last(catalogue: Catalogue) -> None:
    catalogue.concert()
    catalogue.offer(2, isDigital=True, subcategory="JEU_EN_LIGNE", url="https://example.org")
    catalogue.stock(2, 2, beginningAt=None)
    assert catalogue.find_ids(lat=48, lon=7, sort="distance") == [1, 2]
    assert catalogue.find_ids(lat=48, lon=7, radiusKm=1000) == [1]
    assert catalogue.all_pages(1, lat=48, lon=7, sort="distance") == [1, 2]
    assert catalogue.find_ids(kind="digital") == [2]


@pytest.mark.parametrize("filters", [{"lat": 48.0}, {"radiusKm": 5}, {"sort": "distance"}])
def test_latitude_and_longitude_are_required_together(catalogue: Catalogue, filters: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refusal:
        catalogue.search(**filters)
    assert sorted(refusal.value.errors) == ["lat"]


@dataclass
class PlainOffer:
    """An offer as the plain loop sees it."""

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

    def matching(self, filters: dict[str, Any]) -> list[tuple[int, str | None, int]]:
        checks: list[Callable[[int, str | None, int], bool]] = [lambda price, start, left: left > 0]
        if "isFree" in filters:
            checks.append(lambda price, start, left: (price == 0) is filters["isFree"])
        if "priceMinCents" in filters:
            checks.append(lambda price, start, left: price >= filters["priceMinCents"])
        if "priceMaxCents" in filters:
            checks.append(lambda price, start, left: price <= filters["priceMaxCents"])
        if "from" in filters:
            checks.append(lambda price, start, left: start is not None and start >= filters["from"])
        if "to" in filters:
            checks.append(lambda price, start, left: start is not None and start <= filters["to"])
        return [stock for stock in self.stocks if all(check(*stock) for check in checks)]

    def is_found(self, filters: dict[str, Any]) -> bool:
        one = SUBCATEGORIES[self.subcategory]
        wanted = {
            "category": one.category,
            "subcategory": one.id,
            "kind": self.kind,
            "isDuo": self.is_duo,
            "tag": self.tag,
        }
        if any(filters[name] != value for name, value in wanted.items() if name in filters):
            return False
        if "radiusKm" in filters:
            center = (filters["lat"], filters["lon"])
            if self.is_digital or haversine(center, self.place) > filters["radiusKm"]:
                return False
        return bool(self.matching(filters))


def a_hundred_offers(catalogue: Catalogue, chance: random.Random) -> list[PlainOffer]:
    catalogue.offerer()
    for venue_id in range(1, 11):
        catalogue.venue(
            venue_id, lat=round(chance.uniform(48, 49), 5), lon=round(chance.uniform(7, 8), 5), name=f"V{venue_id}"
        )
    positions = {}
    with catalogue.store.reading() as connection:
        for facts in connection.exec_driver_sql("SELECT facts FROM catalogue_venues").scalars():
            venue = json.loads(facts) if isinstance(facts, str) else facts
            positions[venue["venueId"]] = (venue["lat"], venue["lon"])
    plain = []
    for number in range(1, 101):
        one = SUBCATEGORIES[chance.choice(["CONCERT", "LIVRE_PAPIER", "JEU_EN_LIGNE", "SEANCE_CINE", "VISITE"])]
        venue_id = chance.randint(1, 10)
        offer = PlainOffer(
            number, one.id, chance.random() < 0.5, one.is_online_only, chance.choice("abc"), positions[venue_id], []
        )
        catalogue.offer(
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
            catalogue.stock(number * 10 + index, number, priceCents=stock[0], beginningAt=start, quantity=stock[2])
        plain.append(offer)
    return plain


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
    filters = {name: choices[name]() for name in chance.sample(sorted(choices), chance.randint(0, 3))}
    if chance.random() < 0.4:
        filters |= {"lat": 48.5, "lon": 7.5, "radiusKm": chance.choice([20, 40, 60])}
    return filters


def test_searches_find_the_same_as_a_plain_loop(catalogue: Catalogue) -> None:
    chance = random.Random(20211102)
    plain = {offer.offer_id: offer for offer in a_hundred_offers(catalogue, chance)}
    sizes = set()
    for _ in range(60):
        filters = some_filters(chance)
        sort = chance.choice(["relevance", "soonest", "newest", "price"] + (["distance"] if "lat" in filters else []))
        expected = {number for number, offer in plain.items() if offer.is_found(filters)}
        found = catalogue.all_pages(chance.choice([1, 3, 7]) if len(expected) < 30 else 11, **filters, sort=sort)
        assert len(found) == len(set(found)), "no offer on two pages"
        assert set(found) == expected, filters
        sizes.add(len(expected))
        in_order = [sort_key(plain[number], filters, sort) for number in found]
        assert in_order == sorted(in_order)
    assert len(sizes) > 10, "the searches differ"


def sort_key(offer: PlainOffer, filters: dict[str, Any], sort: str) -> Any:
    if sort == "price":
        return min(price for price, _, _ in offer.matching(filters))
    if sort == "soonest":
        return min(start or "9999" for _, start, _ in offer.matching(filters))
    if sort == "distance":
        return math.inf if offer.is_digital else round(haversine((48.5, 7.5), offer.place), 3)
    return 0


def test_the_newest_sort_first(catalogue: Catalogue) -> None:
    catalogue.concert()
    for number in range(2, 8):
        catalogue.offer(number)
        catalogue.stock(number, number)
    assert catalogue.find_ids(sort="newest") == catalogue.find_ids() == [7, 6, 5, 4, 3, 2, 1]
    assert catalogue.all_pages(2) == [7, 6, 5, 4, 3, 2, 1]


def test_a_new_offer_does_not_shift_the_next_page(catalogue: Catalogue) -> None:
    catalogue.concert()
    for number in range(2, 6):
        catalogue.offer(number)
        catalogue.stock(number, number)
    first = catalogue.search(limit=2)
    catalogue.offer(6)
    catalogue.stock(6, 6)
    second = catalogue.search(limit=2, cursor=first["nextCursor"])
    assert [item["offerId"] for item in first["items"] + second["items"]] == [5, 4, 3, 2]


def test_a_cursor_belongs_to_its_search(catalogue: Catalogue) -> None:
    catalogue.concert()
    catalogue.offer(2)
    catalogue.stock(2, 2)
    filters = {"q": "concert", "lat": 48.5, "lon": 7.7, "radiusKm": 50.0, "sort": "distance"}
    cursor = catalogue.search(**filters, limit=1)["nextCursor"]
    assert catalogue.find_ids(cursor=cursor) == catalogue.find_ids(**filters, cursor=cursor)
    with pytest.raises(Invalid) as refusal:
        catalogue.search(**{**filters, "radiusKm": 51.0}, cursor=cursor)
    assert refusal.value.code == "cursor-invalid"


def test_the_cursor_of_the_longest_search_fits_the_api(catalogue: Catalogue) -> None:
    catalogue.concert()
    longest = "".join(chr(0x4E00 + index) for index in range(30))
    catalogue.offer(1, name=longest, tags=["é" * 50])
    catalogue.offer(2, name=longest, tags=["é" * 50])
    catalogue.stock(2, 2)
    place = {"lat": 48.5000001, "lon": 7.7000001, "radiusKm": 999.9}
    prices = {"priceMinCents": 1, "priceMaxCents": 10**12}
    dates = {"from": "2021-11-02T09:00:00.123456Z", "to": "2022-11-02T09:00:00.123456Z"}
    filters = {"q": longest, "tag": "é" * 50, "sort": "price", "kind": "event", **place, **prices, **dates}
    cursor = catalogue.search(**filters, limit=1)["nextCursor"]
    assert cursor is not None and len(cursor) < 1000
    assert catalogue.find_ids(cursor=cursor) == [1]


def forged(content: Any) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(content).encode())).decode().rstrip("=")


def test_invalid_cursors_are_refused(catalogue: Catalogue) -> None:
    catalogue.concert()
    catalogue.offer(2)
    catalogue.stock(2, 2)
    good = catalogue.search(limit=1)["nextCursor"]
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
            catalogue.search(cursor=cursor)
        assert refusal.value.code in ("cursor-invalid", "invalid"), cursor
