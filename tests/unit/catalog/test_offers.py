"""Offers: their venues, their status, who sees them, and moderation by staff."""

from __future__ import annotations

from typing import Any

import pytest

from services.catalog.domain.moderation import Submission, judge
from shared.contracts.subcategories import SUBCATEGORIES
from shared.kernel.errors import DomainError
from shared.kernel.money import Cents
from tests.unit.catalog.world import BOOK, CONCERT, GAME, OTHER_PRO, PRO, STAFF, START, World, refused

SUSPICIOUS = {**BOOK, "name": "Carte Cadeau 50 €"}


def test_an_offer_is_a_draft_until_its_first_stock(world: World) -> None:
    offer = world.offer(world.venue()["venueId"])
    assert (offer["status"], offer["publishedAt"], offer["stocks"]) == ("draft", None, [])
    assert "OfferPublished" not in world.published_names()
    world.stock(offer["offerId"], beginningAt="2021-11-10T19:00:00Z", quantity=2)
    shown = world.query("offer", offerId=offer["offerId"])
    assert (shown["status"], shown["publishedAt"]) == ("active", "2021-11-02T09:00:00Z")
    assert (shown["kind"], shown["category"], shown["isDigital"]) == ("event", "MUSIQUE_LIVE", False)
    assert world.published_names()[-2:] == ["OfferPublished", "StockAdded"]


def test_a_second_stock_does_not_publish_the_offer_again(world: World) -> None:
    offer_id, _ = world.concert()
    world.stock(offer_id, beginningAt="2021-11-11T19:00:00Z")
    assert world.published_names().count("OfferPublished") == 1


@pytest.mark.parametrize(
    ("body", "changes", "fields"),
    [
        (CONCERT, {"subcategory": "CIRQUE_DU_SOLEIL"}, ["subcategory"]),
        (CONCERT, {"subcategory": "OEUVRE_ART"}, ["subcategory"]),
        (CONCERT, {"subcategory": "JEU_EN_LIGNE", "isDuo": False}, ["subcategory"]),
        (CONCERT, {"url": "https://example.org"}, ["url"]),
        (BOOK, {"isDuo": True}, ["isDuo"]),
        (BOOK, {"name": "x" * 91}, ["name"]),
        (BOOK, {"name": "two\nlines"}, ["name"]),
        (BOOK, {"url": "javascript:alert(1)"}, ["url"]),
        (BOOK, {"durationMinutes": 2**62}, ["durationMinutes"]),
        (BOOK, {"tags": ["x" * 51]}, ["tags.0"]),
        (BOOK, {"isDuo": "true"}, ["isDuo"]),
        (BOOK, {"bookingEmail": "lumière@example.org"}, ["bookingEmail"]),
        (BOOK, {"evil": 1}, ["evil"]),
    ],
)
def test_an_invalid_offer_of_a_physical_venue_is_refused(
    world: World, body: dict[str, Any], changes: dict[str, Any], fields: list[str]
) -> None:
    venue_id = world.venue()["venueId"]
    with pytest.raises(DomainError) as refusal:
        world.offer(venue_id, body, **changes)
    assert refused(refusal.value) == ("invalid", 422, fields)


def test_online_offers_need_the_digital_venue_and_a_url(world: World) -> None:
    digital = world.digital_venue()["venueId"]
    offer = world.offer(digital, GAME)
    assert (offer["isDigital"], offer["kind"]) == (True, "digital")
    for body, fields in (({**GAME, "url": None}, ["url"]), (BOOK, ["subcategory"])):
        with pytest.raises(DomainError) as refusal:
            world.offer(digital, body)
        assert refused(refusal.value) == ("invalid", 422, fields)


def test_every_selectable_subcategory_has_one_kind_of_venue(world: World) -> None:
    physical, digital = world.venue()["venueId"], world.digital_venue()["venueId"]
    for one in SUBCATEGORIES.values():
        if one.is_selectable:
            body = {"name": one.id, "subcategory": one.id, "isDuo": one.can_be_duo}
            online = {"url": "https://example.org"} if one.is_online_only else {}
            offer = world.offer(digital if one.is_online_only else physical, {**body, **online})
            assert offer["kind"] == ("digital" if one.is_online_only else "event" if one.is_event else "thing")


def test_a_change_is_published_unless_the_offer_is_a_draft(world: World) -> None:
    offer_id, _ = world.concert()
    changed = world.command("change-offer", offerId=offer_id, name="Grand concert", tags=["noël", "noël", "paris"])
    assert (changed["name"], changed["tags"], changed["isDuo"]) == ("Grand concert", ["noël", "paris"], True)
    name, data = world.published()[-1]
    assert (name, data["name"], data["publishedAt"]) == ("OfferChanged", "Grand concert", "2021-11-02T09:00:00Z")
    draft = world.offer(changed["venueId"], BOOK)
    world.command("change-offer", offerId=draft["offerId"], name="Un autre livre")
    assert world.published_names()[-1] == "OfferChanged", "the change of a draft is not published"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subcategory": "FESTIVAL_MUSIQUE"}, "subcategory"),
        ({"url": "https://example.org"}, "url"),
        ({"name": None}, "name"),
    ],
)
def test_fixed_fields_cannot_be_changed(world: World, changes: dict[str, Any], field: str) -> None:
    offer_id, _ = world.concert()
    with pytest.raises(DomainError) as refusal:
        world.command("change-offer", offerId=offer_id, **changes)
    assert refused(refusal.value) == ("invalid", 422, [field])


def test_an_offer_is_deactivated_and_activated_again(world: World) -> None:
    offer_id, _ = world.concert()
    assert world.command("deactivate-offer", offerId=offer_id)["status"] == "inactive"
    assert world.command("deactivate-offer", offerId=offer_id)["status"] == "inactive"
    assert world.published()[-1] == ("OfferWithdrawn", {"offerId": offer_id, "reason": "deactivated"})
    world.move_to("2021-11-03T09:00:00Z")
    again = world.command("activate-offer", offerId=offer_id)
    assert (again["status"], again["publishedAt"]) == ("active", "2021-11-02T09:00:00Z")
    assert world.published_names()[-2:] == ["OfferWithdrawn", "OfferPublished"]


def test_a_draft_cannot_be_activated(world: World) -> None:
    offer = world.offer(world.venue()["venueId"])
    with pytest.raises(DomainError) as refusal:
        world.command("activate-offer", offerId=offer["offerId"])
    assert refused(refusal.value) == ("offer-not-published", 409, [])


def test_a_suspicious_offer_is_pending_until_staff_approve_it(world: World) -> None:
    offer_id = world.offer(world.venue()["venueId"], SUSPICIOUS)["offerId"]
    world.stock(offer_id)
    shown = world.query("offer", offerId=offer_id)
    assert (shown["status"], shown["review"]["rules"]) == ("pending", ["money-in-disguise"])
    assert "OfferPublished" not in world.published_names()
    assert [item["offerId"] for item in world.query("pending-offers", STAFF)["items"]] == [offer_id]
    for name, data in (
        ("change-offer", {"name": "x"}),
        ("add-stock", {"priceCents": 1, "quantity": None}),
        ("activate-offer", {}),
    ):
        with pytest.raises(DomainError) as refusal:
            world.command(name, offerId=offer_id, **data)
        assert refused(refusal.value) == ("offer-in-review", 409, [])
    assert world.command("approve-offer", STAFF, offerId=offer_id)["status"] == "active"
    assert world.published_names()[-1] == "OfferPublished"
    assert world.query("pending-offers", STAFF)["items"] == []


def test_a_rejected_offer_cannot_be_changed(world: World) -> None:
    offer_id = world.offer(world.venue()["venueId"], SUSPICIOUS)["offerId"]
    world.stock(offer_id)
    rejected = world.command("reject-offer", STAFF, offerId=offer_id, reason="not culture")
    assert (rejected["status"], rejected["review"]["reason"]) == ("rejected", "not culture")
    assert "OfferWithdrawn" not in world.published_names(), "it was never published"
    with pytest.raises(DomainError) as refusal:
        world.command("change-offer", offerId=offer_id, name="x")
    assert refused(refusal.value) == ("offer-rejected", 409, [])


def test_rejecting_a_published_offer_withdraws_it(world: World) -> None:
    offer_id, _ = world.concert()
    world.command("reject-offer", STAFF, offerId=offer_id)
    assert world.published()[-1] == ("OfferWithdrawn", {"offerId": offer_id, "reason": "rejected"})


def test_a_published_offer_that_becomes_suspicious_is_withdrawn(world: World) -> None:
    offer_id, _ = world.concert()
    assert world.command("change-offer", offerId=offer_id, name="Chèque-cadeau, carte cadeau")["status"] == "pending"
    assert world.published()[-1] == ("OfferWithdrawn", {"offerId": offer_id, "reason": "in-review"})


def test_only_staff_may_reject(world: World) -> None:
    offer_id, _ = world.concert()
    with pytest.raises(DomainError) as refusal:
        world.command("reject-offer", offerId=offer_id)
    assert refusal.value.status == 403


def test_offers_of_another_structure_are_not_found(world: World) -> None:
    world.register(offerer_id=2, siren="800000028", account_id=8)
    offer_id, stock_id = world.concert()
    calls: list[tuple[str, dict[str, Any]]] = [
        ("change-offer", {"offerId": offer_id, "name": "x"}),
        ("activate-offer", {"offerId": offer_id}),
        ("deactivate-offer", {"offerId": offer_id}),
        ("add-stock", {"offerId": offer_id, "priceCents": 1, "quantity": None}),
        ("change-stock", {"stockId": stock_id, "priceCents": 1}),
        ("withdraw-stock", {"stockId": stock_id}),
    ]
    for name, data in calls:
        with pytest.raises(DomainError) as refusal:
            world.command(name, OTHER_PRO, **data)
        assert (refusal.value.code, refusal.value.status) == ("not-found", 404)
    with pytest.raises(DomainError, match="appartient à une autre structure"):
        world.query("offer", OTHER_PRO, offerId=offer_id)


def test_an_unknown_number_is_404_and_an_invalid_one_422(world: World) -> None:
    with pytest.raises(DomainError) as refusal:
        world.query("offer", offerId=999)
    assert refusal.value.status == 404
    for number in (0, -1, "1", 2**62, None, True):
        with pytest.raises(DomainError) as refusal:
            world.command("activate-offer", offerId=number)
        assert refused(refusal.value) == ("invalid", 422, ["offerId"])


def test_the_status_follows_dates_and_bookings(world: World) -> None:
    offer_id, stock_id = world.concert()

    def status() -> str:
        return str(world.query("offer", offerId=offer_id)["status"])

    world.receive("StockSoldOut", "booking", stockId=stock_id, offerId=offer_id, remaining=0)
    assert status() == "sold-out"
    world.receive("StockAvailable", "booking", stockId=stock_id, offerId=offer_id, remaining=1)
    assert status() == "active"
    world.move_to("2021-11-10T19:00:00Z")
    assert status() == "expired"
    second = world.stock(offer_id, beginningAt="2021-12-10T19:00:00Z", quantity=0)
    assert (second["status"], status()) == ("sold-out", "sold-out")
    third = world.stock(offer_id, beginningAt="2021-12-11T19:00:00Z")
    assert status() == "active"
    world.command("withdraw-stock", stockId=second["stockId"])
    world.command("withdraw-stock", stockId=third["stockId"])
    assert status() == "expired"


def test_counters_count_bookable_offers(world: World) -> None:
    offer_id, _stock_id = world.concert()
    venue_id = world.query("offer", offerId=offer_id)["venueId"]
    world.offer(venue_id, BOOK)
    sold_out = world.offer(venue_id, BOOK)["offerId"]
    world.stock(sold_out, quantity=0)
    book = world.offer(venue_id, BOOK)["offerId"]
    world.stock(book)
    digital = world.digital_venue()["venueId"]
    assert world.query("counters", venueIds=[venue_id, digital]) == {
        str(venue_id): {"activeOffers": 2},
        str(digital): {"activeOffers": 0},
    }
    world.move_to("2021-11-10T19:00:00Z")
    assert world.query("counters", venueIds=[venue_id])[str(venue_id)] == {"activeOffers": 1}


def test_offers_of_a_venue_are_paginated(world: World) -> None:
    venue_id = world.venue()["venueId"]
    made = [world.offer(venue_id, BOOK)["offerId"] for _ in range(5)]
    seen: list[int] = []
    cursor = None
    while True:
        page = world.query("offers", venueId=venue_id, limit=2, cursor=cursor)
        seen += [item["offerId"] for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == made[::-1]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        *(({"limit": limit}, "invalid") for limit in ("x", -1, 0, True, 1.5, [])),
        *(({"cursor": cursor}, "cursor-invalid") for cursor in ("x", "-1", "", "٣", "9" * 16, 5, {})),
    ],
)
def test_an_invalid_limit_or_cursor_is_refused(world: World, data: dict[str, Any], code: str) -> None:
    venue_id = world.venue()["venueId"]
    for name, caller, filters in (("offers", PRO, {"venueId": venue_id}), ("pending-offers", STAFF, {})):
        with pytest.raises(DomainError) as refusal:
            world.query(name, caller, **filters, **data)
        assert refused(refusal.value) == (code, 422, list(data))


def test_pending_offers_are_paginated(world: World) -> None:
    venue_id = world.venue()["venueId"]
    made = [world.offer(venue_id, SUSPICIOUS)["offerId"] for _ in range(5)]
    for offer_id in made:
        world.stock(offer_id)
    seen: list[int] = []
    cursor = None
    while True:
        page = world.query("pending-offers", STAFF, limit=2, cursor=cursor)
        seen += [item["offerId"] for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == made


@pytest.mark.parametrize(
    ("name", "price", "rules"),
    [
        ("Concert", 100_000, ()),
        ("Festival", 100_001, ("price-over-1000-euros",)),
        ("Bon d’achat", 10, ("money-in-disguise",)),
        ("CARTE  CADEAU", 200_000, ("money-in-disguise", "price-over-1000-euros")),
    ],
)
def test_the_rules_of_moderation(name: str, price: int, rules: tuple[str, ...]) -> None:
    verdict = judge(Submission(name, "", Cents(price)), START)
    assert verdict.rules == rules
    assert verdict.is_approved == (not rules)
