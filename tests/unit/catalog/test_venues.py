"""Venues: their kinds, their SIRETs, and who may change them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.kernel.errors import DomainError
from tests.unit.catalog.world import OTHER_PRO, PRO, SIRETS, STAFF, VENUE, World, refused

WITHOUT_SIRET = {"siret": None, "comment": "Un lieu de la commune, sans SIRET propre"}


def test_a_venue_with_a_siret_is_that_establishment(world: World) -> None:
    venue = world.venue()
    assert venue["establishment"] == SIRETS[0]
    assert (venue["kind"], venue["departmentCode"], venue["timezone"]) == ("siret", "34", "Europe/Paris")
    assert venue["version"] == 1
    name, message = world.published()[-1]
    assert name == "VenueOpened"
    assert message == {key: value for key, value in venue.items() if key not in ("status", "version")}


def test_a_venue_with_a_comment_is_its_own_establishment(world: World) -> None:
    venue = world.venue(**WITHOUT_SIRET)
    assert (venue["kind"], venue["establishment"]) == ("comment", f"venue-{venue['venueId']}")


def test_a_new_structure_gets_a_digital_venue(world: World) -> None:
    digital = world.digital_venue()
    assert (digital["siret"], digital["comment"], digital["address"]) == (None, None, None)
    assert (digital["name"], digital["venueType"]) == ("Offre numérique", "DIGITAL")
    assert digital["establishment"] == f"venue-{digital['venueId']}"
    world.register()
    assert [venue["kind"] for venue in world.query("venues", offererIds=[1])["items"]] == ["digital"]


def test_the_status_of_a_venue_follows_its_structure(world: World) -> None:
    venue = world.venue()
    assert venue["status"] == "pending"

    def statuses() -> set[str]:
        listed = world.query("venues", offererIds=[1])["items"]
        return {one["status"] for one in listed} | {world.query("venue", venueId=venue["venueId"])["status"]}

    assert statuses() == {"pending"}
    world.receive("OffererValidated", offererId=1)
    assert statuses() == {"open"}
    assert world.command("change-venue", venueId=venue["venueId"], name="Autre nom")["status"] == "open"
    assert world.venue(siret=SIRETS[1])["status"] == "open"
    for message in ("OffererRejected", "OffererClosed"):
        world.receive(message, offererId=1)
        assert statuses() == {"closed"}


def test_an_overseas_venue_has_its_time_zone(world: World) -> None:
    venue = world.venue(postalCode="97400", city="Saint-Denis")
    assert (venue["departmentCode"], venue["timezone"]) == ("974", "Indian/Reunion")


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"comment": "and a comment too"}, ["comment"]),
        ({"siret": None}, ["siret"]),
        ({**WITHOUT_SIRET, "address": None}, ["address"]),
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
def test_an_invalid_venue_is_refused_and_not_stored(world: World, changes: dict[str, Any], fields: list[str]) -> None:
    before = world.published_names()
    with pytest.raises(DomainError) as refusal:
        world.venue(**changes)
    assert refused(refusal.value) == ("invalid", 422, fields)
    assert world.published_names() == before


@pytest.mark.parametrize("siret", ["21340172200012", "80000002800012", "1234", "２1340172200011"])
def test_a_siret_needs_its_check_digit_and_the_siren_of_the_structure(world: World, siret: str) -> None:
    with pytest.raises(DomainError) as refusal:
        world.venue(siret=siret)
    assert refused(refusal.value) == ("siret-invalid", 422, ["siret"])


def test_a_siret_is_unique(world: World) -> None:
    world.venue()
    with pytest.raises(DomainError) as refusal:
        world.venue(name="again")
    assert refused(refusal.value) == ("siret-taken", 409, ["siret"])
    assert world.venue(siret=SIRETS[1])["establishment"] == SIRETS[1]


def test_venues_of_another_structure_are_not_found(world: World) -> None:
    world.register(offerer_id=2, siren="800000028", account_id=8)
    venue_id = world.venue()["venueId"]
    for name, data in (("open-venue", {"offererId": 1, **VENUE}), ("change-venue", {"venueId": venue_id, "name": "x"})):
        with pytest.raises(DomainError) as refusal:
            world.command(name, OTHER_PRO, **data)
        assert (refusal.value.code, refusal.value.status) == ("not-found", 404)
    with pytest.raises(DomainError, match="appartient à une autre structure"):
        world.query("venue", OTHER_PRO, venueId=venue_id)
    assert world.query("venues", OTHER_PRO, offererIds=[1])["items"] == []
    assert len(world.query("venues", STAFF, offererIds=[1, 2])["items"]) == 3


def test_a_detached_pro_cannot_open_a_venue(world: World) -> None:
    world.receive("ProDetached", accountId=7, offererId=1, at="2021-11-02T09:00:00Z")
    with pytest.raises(DomainError) as refusal:
        world.venue()
    assert refusal.value.status == 404


def test_a_closed_structure_cannot_open_a_venue(world: World) -> None:
    world.receive("OffererClosed", offererId=1, at="2021-11-02T09:00:00Z", reason="ended")
    with pytest.raises(DomainError) as refusal:
        world.venue()
    assert refused(refusal.value) == ("offerer-closed", 409, [])


@pytest.mark.parametrize("message", ["OffererClosed", "OffererRejected"])
def test_a_closed_structure_may_only_deactivate_and_withdraw(world: World, message: str) -> None:
    offer, stock = world.concert()
    venue = world.query("offer", offerId=offer)["venueId"]
    world.receive(message, offererId=1, at="2021-11-02T09:00:00Z", reason="ended")
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
            world.command(name, **data)
        assert refused(refusal.value) == ("offerer-closed", 409, []), name
    assert world.published() == before
    assert world.command("deactivate-offer", offerId=offer)["status"] == "inactive"
    assert world.command("withdraw-stock", stockId=stock)["status"] == "withdrawn"


def test_a_change_of_a_venue_is_stored_and_published(world: World) -> None:
    venue = world.venue()
    changed = world.command(
        "change-venue", venueId=venue["venueId"], postalCode="97200", city="Fort-de-France", lat=14.6, lon=-61
    )
    assert (changed["version"], changed["timezone"], changed["name"]) == (2, "America/Martinique", venue["name"])
    facts = {key: value for key, value in changed.items() if key not in ("status", "version")}
    assert world.published()[-1] == ("VenueChanged", facts)
    again = world.command("change-venue", venueId=venue["venueId"], city="Fort-de-France")
    assert again == changed, "an unchanged value is no change"
    assert world.query("venue", venueId=venue["venueId"]) == changed


def test_the_siret_cannot_be_changed(world: World) -> None:
    venue = world.venue(**WITHOUT_SIRET)
    with pytest.raises(DomainError) as refusal:
        world.command("change-venue", venueId=venue["venueId"], siret=SIRETS[0])
    assert refused(refusal.value) == ("invalid", 422, ["siret"])


def test_only_the_booking_email_of_a_digital_venue_can_be_changed(world: World) -> None:
    digital = world.digital_venue()["venueId"]
    assert (
        world.command("change-venue", venueId=digital, bookingEmail="web@example.org")["bookingEmail"]
        == "web@example.org"
    )
    with pytest.raises(DomainError) as refusal:
        world.command("change-venue", venueId=digital, postalCode="34000")
    assert refused(refusal.value) == ("invalid", 422, ["postalCode"])


def test_a_stale_version_is_refused(world: World) -> None:
    venue_id = world.venue()["venueId"]
    world.command("change-venue", venueId=venue_id, ifMatch=1, name="A")
    with pytest.raises(DomainError) as refusal:
        world.command("change-venue", venueId=venue_id, ifMatch=1, name="B")
    assert refused(refusal.value) == ("precondition-failed", 412, [])


def test_a_repeated_key_opens_one_venue(world: World) -> None:
    first = world.command("open-venue", PRO, "key", offererId=1, **VENUE)
    assert world.command("open-venue", PRO, "key", offererId=1, **VENUE) == first
    assert world.published_names().count("VenueOpened") == 2, "the digital one and this one"
