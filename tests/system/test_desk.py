"""The desk: statuses, error keys and the order of the checks (domain.md §5.2; decisions 20 to 22 and 30)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.platform import Answer
from tests.system.money_files import Finance
from tests.system.scenario import Actor, Beneficiary, Scenario
from tests.waiting import wait_until

V2, PUBLIC = "/v2/bookings", "/public/bookings/v1"
SURFACES = pytest.mark.parametrize("surface", [V2, PUBLIC])
UNKNOWN = "ZZZZZZ"


@pytest.fixture(scope="module")
def actor(scenario: Scenario) -> Actor:
    return scenario.actor()


@pytest.fixture(scope="module")
def stranger(scenario: Scenario) -> Actor:
    return scenario.actor()


@pytest.fixture(scope="module")
def person(scenario: Scenario) -> Beneficiary:
    return scenario.young_person()


@pytest.fixture(scope="module")
def api_key(scenario: Scenario, actor: Actor) -> str:
    return scenario.api_key(actor)


@pytest.fixture
def book(scenario: Scenario, actor: Actor, person: Beneficiary) -> Callable[..., dict[str, Any]]:
    """Creates a booking of a new offer."""

    def make(price: int = 1000, **offer: Any) -> dict[str, Any]:
        return scenario.make_booking(person, scenario.publish(actor, price, 5, **offer).stock_id)

    return make


def desk_error(answer: Answer) -> tuple[int, list[str]]:
    """Status and keys of an error in the partners' format."""
    assert answer.headers.get_content_type() == "application/json", answer
    assert all(isinstance(messages, list) and messages for messages in answer.json.values()), answer
    return answer.status, list(answer.json)


@SURFACES
@pytest.mark.parametrize("with_key", [False, True], ids=["token", "api key"])
def test_countermark_is_used_taken_back_and_cancelled(
    scenario: Scenario, actor: Actor, api_key: str, book: Callable[..., dict[str, Any]], surface: str, with_key: bool
) -> None:
    credentials = api_key if with_key else actor.token
    booking = book()

    def desk(action: str) -> Answer:
        return scenario.desk(action, booking["countermark"], credentials, surface=surface)

    seen = desk("look-up")
    assert (seen.status, seen.json["isUsed"], seen.json["price"]) == (200, False, 10)
    assert desk_error(desk("keep")) == (410, ["booking"])
    assert desk("use").status == 204
    assert desk_error(desk("look-up")) == (410, ["booking"])
    assert desk_error(desk("use")) == (410, ["booking"])
    assert desk_error(desk("cancel")) == (403, ["global"])
    assert desk("keep").status == 204
    assert desk("look-up").json["isUsed"] is False
    assert desk("cancel").status == 204
    assert desk_error(desk("cancel")) == (410, ["global"])


@SURFACES
def test_cancelled_booking_is_refused_at_the_desk(
    scenario: Scenario, actor: Actor, person: Beneficiary, book: Callable[..., dict[str, Any]], surface: str
) -> None:
    booking = book()
    assert scenario.cancel(person, booking["bookingId"]).status == 200
    expected = (403, ["booking"]) if surface == V2 else (410, ["booking_cancelled"])
    for action in ("look-up", "use"):
        assert desk_error(scenario.desk(action, booking["countermark"], actor.token, surface=surface)) == expected


def test_lookup_returns_the_partners_format(
    scenario: Scenario, actor: Actor, book: Callable[..., dict[str, Any]]
) -> None:
    begins = scenario.platform.now() + timedelta(days=10)
    booking = book(1250, subcategory="SEANCE_CINE", begins=begins, name="Annette")
    # too early to validate: look-up makes the same checks in the same order (§5.2)
    early = scenario.desk("look-up", booking["countermark"], actor.token)
    assert desk_error(early) == (403, ["booking"])
    thing = book(2600, name="Livre trop sympa")
    body = scenario.desk("look-up", thing["countermark"], actor.token).json
    assert body["offerName"] == "Livre trop sympa"
    assert body["price"] == 26
    assert (body["datetime"], body["quantity"], body["isUsed"]) == ("", 1, False)
    assert body["offerId"] == thing["offer"]["offerId"]
    assert body["venueName"] == actor.structure.venues[0].name
    assert body["venueDepartmentCode"] == "67"
    assert body["email"].endswith("@example.org")
    assert set(body) >= {
        "bookingId",
        "dateOfBirth",
        "ean13",
        "formula",
        "offerType",
        "phoneNumber",
        "publicOfferId",
        "theater",
        "userName",
        "venueAddress",
    }


@SURFACES
def test_checks_are_made_in_order(
    scenario: Scenario,
    actor: Actor,
    stranger: Actor,
    person: Beneficiary,
    book: Callable[..., dict[str, Any]],
    surface: str,
) -> None:
    begins = scenario.platform.now() + timedelta(days=10)
    dated = book(1000, subcategory="CONCERT", begins=begins, name="Ordre")

    def use(token: str | None, mark: str) -> Answer:
        source = "127.0.0.2" if surface == V2 else "127.0.0.3"
        return scenario.platform.call("PATCH", f"{surface}/use/token/{mark}", token=token, source=source)

    assert desk_error(use(None, UNKNOWN)) == (401, ["auth"])
    assert desk_error(use("not-a-key", dated["countermark"])) == (401, ["auth"])
    assert desk_error(use(stranger.token, UNKNOWN)) == (404, ["global"])
    assert desk_error(use(stranger.token, dated["countermark"])) == (403, ["user"])
    assert desk_error(use(actor.token, dated["countermark"])) == (403, ["booking"])
    assert scenario.cancel(person, dated["bookingId"]).status == 200
    cancelled = (403, ["booking"]) if surface == V2 else (410, ["booking_cancelled"])
    assert desk_error(use(stranger.token, dated["countermark"])) == (403, ["user"])
    assert desk_error(use(actor.token, dated["countermark"])) == cancelled


def test_foreign_and_revoked_api_keys_are_refused(
    scenario: Scenario, actor: Actor, stranger: Actor, book: Callable[..., dict[str, Any]]
) -> None:
    booking = book()
    theirs = scenario.api_key(stranger)
    assert desk_error(scenario.desk("use", booking["countermark"], theirs)) == (403, ["user"])
    made = scenario.platform.post(f"/v1/pro/offerers/{actor.offerer_id}/api-keys", {}, actor.token).json
    assert scenario.desk("look-up", booking["countermark"], made["key"]).status == 200
    path = f"/v1/pro/offerers/{actor.offerer_id}/api-keys/{made['prefix']}"
    assert scenario.platform.call("DELETE", path, token=actor.token).status == 204
    scenario.platform.wait_idle()
    # the gateway caches the owner of a key for some seconds
    wait_until(lambda: scenario.desk("look-up", booking["countermark"], made["key"]).status != 200, pause=0.5)
    assert desk_error(scenario.desk("look-up", booking["countermark"], made["key"])) == (401, ["auth"])


def test_booking_with_an_activation_code_cannot_be_taken_back(scenario: Scenario, actor: Actor) -> None:
    film = scenario.publish(
        actor,
        500,
        1,
        subcategory="VOD",
        venue=scenario.digital_venue(actor),
        url="https://example.org/vod",
        name="Codes",
        stock={"activationCodes": ["XYZ-789"]},
    )
    booking = scenario.make_booking(scenario.young_person(), film.stock_id)
    assert desk_error(scenario.desk("keep", booking["countermark"], actor.token)) == (403, ["booking"])


def test_only_failures_count_against_the_rate_limit(
    scenario: Scenario, actor: Actor, book: Callable[..., dict[str, Any]]
) -> None:
    """Ten failures a minute per caller and per address (decisions 22 and 32)."""
    booking = book()
    other = scenario.actor()  # not the actor of other tests, whose allowance the failures would use up

    def look_up(mark: str) -> Answer:
        return scenario.platform.call("GET", f"{V2}/token/{mark}", token=other.token, source="127.0.0.5")

    assert [look_up(f"ZZZZZ{letter}").status for letter in "ABCDEFGHIJ"] == [404] * 10
    limited = look_up("ZZZZZK")
    assert limited.status == 429
    assert 0 < int(limited.headers["Retry-After"]) <= 60
    assert all(scenario.desk("look-up", booking["countermark"], actor.token).status == 200 for _ in range(12))


def test_desk_cannot_change_a_booking_in_a_batch(
    scenario: Scenario, actor: Actor, book: Callable[..., dict[str, Any]]
) -> None:
    booking = book(1700)
    scenario.use_at_desk(actor, booking)
    batch = Finance(scenario.platform).close_fortnight()
    scenario.platform.wait_idle()

    def desk(action: str) -> Answer:
        return scenario.desk(action, booking["countermark"], actor.token)

    assert desk_error(desk("look-up")) == (403, ["payment"])
    assert desk_error(desk("use")) == (403, ["payment"])
    assert desk_error(desk("keep")) == (410, ["payment"])
    assert desk("cancel").status == 403
    Finance(scenario.platform).confirm_sent(batch)
    assert desk_error(desk("use")) == (403, ["payment"])
    Finance(scenario.platform).assert_reconciled()


def test_bookings_of_an_offer_are_listed_by_api_key_and_by_token(
    scenario: Scenario, actor: Actor, stranger: Actor, person: Beneficiary, api_key: str
) -> None:
    published = scenario.publish(actor, 1250, 5)
    path = f"{PUBLIC}/bookings?offerId={published.offer_id}"
    assert scenario.platform.get(path, api_key) == {"bookings": []}
    booking, other = scenario.make_booking(person, published.stock_id), scenario.young_person()
    later = scenario.make_booking(other, published.stock_id)
    scenario.use_at_desk(actor, later)
    for token in (api_key, actor.token):
        first, second = scenario.platform.get(path, token)["bookings"]
        assert (first["id"], first["status"], first["price"]) == (booking["bookingId"], "CONFIRMED", 12.5)
        assert (second["id"], second["status"]) == (later["bookingId"], "USED")
    assert first["userEmail"] == person.person.email
    assert "countermark" not in first and booking["countermark"] not in str(first)
    after = scenario.platform.get(f"{path}&firstIndex={booking['bookingId'] + 1}&limit=1", api_key)
    assert [one["id"] for one in after["bookings"]] == [later["bookingId"]]
    assert desk_error(scenario.platform.call("GET", path, token=stranger.token)) == (403, ["user"])
    unknown = scenario.platform.call("GET", f"{PUBLIC}/bookings?offerId=999999", token=api_key)
    assert desk_error(unknown) == (404, ["offer"])
    assert desk_error(scenario.platform.call("GET", f"{PUBLIC}/bookings", token=api_key)) == (400, ["offerId"])
    assert desk_error(scenario.platform.call("GET", path)) == (401, ["auth"])
