"""Venues: their shapes, their SIRETs, and who may touch them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.kernel.errors import DomainError
from tests.unit.catalog.world import OTHER_PRO, PRO, SIRETS, STAFF, VENUE, World, refused

COMMENTED = {"siret": None, "comment": "Un lieu de la commune, sans SIRET propre"}


def test_a_venue_with_its_siret(world: World) -> None:
    venue = world.venue()
    assert venue["establishment"] == SIRETS[0]
    assert (venue["kind"], venue["departmentCode"], venue["timezone"]) == ("siret", "34", "Europe/Paris")
    assert venue["version"] == 1
    name, message = world.published()[-1]
    assert name == "VenueOpened"
    assert message == {key: value for key, value in venue.items() if key not in ("status", "version")}


def test_a_venue_with_a_comment_is_its_own_establishment(world: World) -> None:
    venue = world.venue(**COMMENTED)
    assert (venue["kind"], venue["establishment"]) == ("comment", f"venue-{venue['venueId']}")


def test_the_digital_venue_opens_with_the_structure(world: World) -> None:
    digital = world.digital_venue()
    assert (digital["siret"], digital["comment"], digital["address"]) == (None, None, None)
    assert (digital["name"], digital["venueType"]) == ("Offre numérique", "DIGITAL")
    assert digital["establishment"] == f"venue-{digital['venueId']}"
    world.register()
    assert [venue["kind"] for venue in world.ask("venues", offererIds=[1])["items"]] == ["digital"]


def test_a_venue_is_open_while_its_structure_is_validated(world: World) -> None:
    venue = world.venue()
    assert venue["status"] == "pending"

    def shown() -> set[str]:
        listed = world.ask("venues", offererIds=[1])["items"]
        return {one["status"] for one in listed} | {world.ask("venue", venueId=venue["venueId"])["status"]}

    assert shown() == {"pending"}
    world.hear("OffererValidated", offererId=1)
    assert shown() == {"open"}
    assert world.do("change-venue", venueId=venue["venueId"], name="Autre nom")["status"] == "open"
    assert world.venue(siret=SIRETS[1])["status"] == "open"
    for message in ("OffererRejected", "OffererClosed"):
        world.hear(message, offererId=1)
        assert shown() == {"closed"}


def test_overseas_venues_live_in_their_own_time(world: World) -> None:
    venue = world.venue(postalCode="97400", city="Saint-Denis")
    assert (venue["departmentCode"], venue["timezone"]) == ("974", "Indian/Reunion")


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"comment": "and a comment too"}, ["comment"]),
        ({"siret": None}, ["siret"]),
        ({**COMMENTED, "address": None}, ["address"]),
        ({"postalCode": "00100"}, ["postalCode"]),
        ({"postalCode": "7500"}, ["postalCode"]),
        ({"city": None}, ["city"]),
        ({"lat": 91}, ["lat"]),
        ({"lat": None}, ["lat"]),
        ({"lon": True}, ["lon"]),
        ({"venueType": "CASINO"}, ["venueType"]),
        ({"accessibility": None}, ["accessibility"]),
        ({"accessibility": {"audio": True}}, ["accessibility.mental", "accessibility.motor", "accessibility.visual"]),
        ({"bookingEmail": "a\r\nb@x"}, ["bookingEmail"]),
        ({"bookingEmail": "lumière@example.org"}, ["bookingEmail"]),
        ({"bookingEmail": "nestor@localhost"}, ["bookingEmail"]),
        ({"name": ""}, ["name"]),
        ({"evil": 1}, ["evil"]),
    ],
)
def test_bad_bodies_are_refused_and_nothing_is_stored(world: World, changes: dict[str, Any], fields: list[str]) -> None:
    before = world.published_names()
    with pytest.raises(DomainError) as refusal:
        world.venue(**changes)
    assert refused(refusal.value) == ("invalid", 422, fields)
    assert world.published_names() == before


@pytest.mark.parametrize("siret", ["21340172200012", "80000002800012", "1234", "２1340172200011"])
def test_a_siret_has_its_check_digit_and_is_of_the_structure(world: World, siret: str) -> None:
    with pytest.raises(DomainError) as refusal:
        world.venue(siret=siret)
    assert refused(refusal.value) == ("siret-invalid", 422, ["siret"])


def test_a_siret_is_one_venue_s(world: World) -> None:
    world.venue()
    with pytest.raises(DomainError) as refusal:
        world.venue(name="again")
    assert refused(refusal.value) == ("siret-taken", 409, ["siret"])
    assert world.venue(siret=SIRETS[1])["establishment"] == SIRETS[1]


def test_a_pro_of_another_structure_finds_nothing(world: World) -> None:
    world.register(offerer_id=2, siren="800000028", account_id=8)
    venue_id = world.venue()["venueId"]
    for name, data in (("open-venue", {"offererId": 1, **VENUE}), ("change-venue", {"venueId": venue_id, "name": "x"})):
        with pytest.raises(DomainError) as refusal:
            world.do(name, OTHER_PRO, **data)
        assert (refusal.value.code, refusal.value.status) == ("not-found", 404)
    with pytest.raises(DomainError, match="appartient à une autre structure"):
        world.ask("venue", OTHER_PRO, venueId=venue_id)
    assert world.ask("venues", OTHER_PRO, offererIds=[1])["items"] == []
    assert len(world.ask("venues", STAFF, offererIds=[1, 2])["items"]) == 3


def test_a_detached_pro_finds_nothing_any_more(world: World) -> None:
    world.hear("ProDetached", accountId=7, offererId=1, at="2021-11-02T09:00:00Z")
    with pytest.raises(DomainError) as refusal:
        world.venue()
    assert refusal.value.status == 404


def test_a_closed_structure_opens_nothing(world: World) -> None:
    world.hear("OffererClosed", offererId=1, at="2021-11-02T09:00:00Z", reason="ended")
    with pytest.raises(DomainError) as refusal:
        world.venue()
    assert refused(refusal.value) == ("offerer-closed", 409, [])


@pytest.mark.parametrize("told", ["OffererClosed", "OffererRejected"])
def test_a_closed_structure_changes_nothing_and_may_take_away(world: World, told: str) -> None:
    offer, stock = world.concert()
    venue = world.ask("offer", offerId=offer)["venueId"]
    world.hear(told, offererId=1, at="2021-11-02T09:00:00Z", reason="ended")
    before = world.published()
    changes = [
        ("change-venue", {"venueId": venue, "name": "Other"}),
        ("change-offer", {"offerId": offer, "name": "Other"}),
        ("change-stock", {"stockId": stock, "priceCents": 1}),
        ("change-stock", {"stockId": stock, "quantity": 11}),
        ("add-stock", {"offerId": offer, "priceCents": 1, "quantity": None, "beginningAt": "2021-11-11T19:00:00Z"}),
    ]
    for name, data in changes:
        with pytest.raises(DomainError) as refusal:
            world.do(name, **data)
        assert refused(refusal.value) == ("offerer-closed", 409, []), name
    assert world.published() == before
    assert world.do("deactivate-offer", offerId=offer)["status"] == "inactive"
    assert world.do("withdraw-stock", stockId=stock)["status"] == "withdrawn"


def test_changes_of_a_venue(world: World) -> None:
    venue = world.venue()
    changed = world.do(
        "change-venue", venueId=venue["venueId"], postalCode="97200", city="Fort-de-France", lat=14.6, lon=-61
    )
    assert (changed["version"], changed["timezone"], changed["name"]) == (2, "America/Martinique", venue["name"])
    facts = {key: value for key, value in changed.items() if key not in ("status", "version")}
    assert world.published()[-1] == ("VenueChanged", facts)
    again = world.do("change-venue", venueId=venue["venueId"], city="Fort-de-France")
    assert again == changed, "saying again what is so changes nothing"
    assert world.ask("venue", venueId=venue["venueId"]) == changed


def test_a_siret_never_changes(world: World) -> None:
    venue = world.venue(**COMMENTED)
    with pytest.raises(DomainError) as refusal:
        world.do("change-venue", venueId=venue["venueId"], siret=SIRETS[0])
    assert refused(refusal.value) == ("invalid", 422, ["siret"])


def test_the_digital_venue_has_a_booking_email_only(world: World) -> None:
    digital = world.digital_venue()["venueId"]
    assert (
        world.do("change-venue", venueId=digital, bookingEmail="web@example.org")["bookingEmail"] == "web@example.org"
    )
    with pytest.raises(DomainError) as refusal:
        world.do("change-venue", venueId=digital, postalCode="34000")
    assert refused(refusal.value) == ("invalid", 422, ["postalCode"])


def test_a_stale_version_is_refused(world: World) -> None:
    venue_id = world.venue()["venueId"]
    world.do("change-venue", venueId=venue_id, ifMatch=1, name="A")
    with pytest.raises(DomainError) as refusal:
        world.do("change-venue", venueId=venue_id, ifMatch=1, name="B")
    assert refused(refusal.value) == ("precondition-failed", 412, [])


def test_the_same_key_opens_one_venue(world: World) -> None:
    first = world.do("open-venue", PRO, "key", offererId=1, **VENUE)
    assert world.do("open-venue", PRO, "key", offererId=1, **VENUE) == first
    assert world.published_names().count("VenueOpened") == 2, "the digital one and this one"
