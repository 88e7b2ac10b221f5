"""Booking, its refusals, cancelling, and asking twice."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from demo import sign_up
from tests.spreadsheets import cells
from tests.system.money_files import table
from tests.system.scenario import Actor, Beneficiary, Scenario, a_young_person, key

SEVENTEEN = date(2004, 5, 1)


@pytest.fixture(scope="module")
def actor(scenario: Scenario) -> Actor:
    return scenario.actor()


@pytest.fixture
def person(scenario: Scenario) -> Beneficiary:
    return scenario.young_person()


# --- refusals -------------------------------------------------------------------------------------------------------


def test_the_same_offer_twice(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    concert = scenario.publish(
        actor, 2000, 5, subcategory="CONCERT", begins=scenario.platform.now() + timedelta(days=10), name="Concert"
    )
    other_evening = scenario.add_stock(actor, concert.offer_id, 2000, 5, scenario.platform.now() + timedelta(days=11))
    scenario.platform.wait_idle()
    scenario.make_booking(person, concert.stock_id)
    for stock in (concert.stock_id, other_evening):
        assert scenario.book(person, stock).outcome == (409, "already-booked")
    assert scenario.remaining_credit(person) == 28000
    assert scenario.remaining_places(concert) == 4


def test_a_sold_out_stock(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    last = scenario.publish(actor, 1000, 1)
    scenario.make_booking(scenario.young_person(), last.stock_id)
    assert scenario.book(person, last.stock_id).outcome == (409, "stock-not-bookable")
    assert scenario.remaining_credit(person) == 30000


def test_too_little_credit_holds_nothing_back(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    dear = scenario.publish(
        actor,
        30001,
        3,
        subcategory="FESTIVAL_MUSIQUE",
        begins=scenario.platform.now() + timedelta(days=30),
        name="Festival",
    )
    assert scenario.book(person, dear.stock_id).outcome == (409, "insufficient-credit")
    scenario.platform.wait_idle()
    assert scenario.remaining_places(dear) == 3
    assert scenario.remaining_credit(person) == 30000
    exact = scenario.publish(
        actor,
        30000,
        3,
        subcategory="FESTIVAL_MUSIQUE",
        begins=scenario.platform.now() + timedelta(days=30),
        name="Juste",
    )
    scenario.make_booking(person, exact.stock_id)
    assert scenario.remaining_credit(person) == 0


def test_the_cap_of_what_is_digital(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    online = scenario.digital_venue(actor)
    url = "https://example.org/{token}"
    game = scenario.publish(actor, 10000, subcategory="JEU_EN_LIGNE", venue=online, url=url, name="Jeu")
    film = scenario.publish(actor, 1, subcategory="VOD", venue=online, url=url, name="Film")
    scenario.make_booking(person, game.stock_id)
    assert scenario.book(person, film.stock_id).outcome == (409, "digital-cap-reached")
    credit = scenario.platform.get("/v1/me/credit", person.token)
    assert credit["digital"] == {"capCents": 10000, "remainingCents": 0}
    assert credit["remainingCents"] == 20000
    scenario.make_booking(person, scenario.publish(actor, 20000).stock_id)


@pytest.mark.parametrize(("is_duo", "quantity"), [(False, 2), (True, 3)])
def test_too_many_places(scenario: Scenario, actor: Actor, person: Beneficiary, is_duo: bool, quantity: int) -> None:
    begins = scenario.platform.now() + timedelta(days=10)
    concert = scenario.publish(actor, 1000, 9, subcategory="CONCERT", begins=begins, name=f"Duo {is_duo}", isDuo=is_duo)
    assert scenario.book(person, concert.stock_id, quantity).outcome == (409, "quantity-invalid")
    assert scenario.remaining_places(concert) == 9


def test_two_places_of_a_duo_offer_cost_twice(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    begins = scenario.platform.now() + timedelta(days=10)
    concert = scenario.publish(actor, 1000, 3, subcategory="CONCERT", begins=begins, name="À deux", isDuo=True)
    assert scenario.make_booking(person, concert.stock_id, 2)["totalCents"] == 2000
    assert scenario.remaining_credit(person) == 28000
    assert scenario.remaining_places(concert) == 1
    assert scenario.book(scenario.young_person(), concert.stock_id, 2).outcome == (409, "stock-not-bookable")


def test_a_quantity_that_is_none(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    book = scenario.publish(actor, 1000, 3)
    for quantity in (0, -1, 1.5, "1", None):
        answer = scenario.platform.post("/v1/bookings", {"stockId": book.stock_id, "quantity": quantity}, person.token)
        assert answer.outcome == (422, "invalid"), answer
    assert scenario.book(person, book.stock_id, 10**30).outcome == (409, "quantity-invalid")
    assert scenario.remaining_places(book) == 3


def test_who_is_no_beneficiary(scenario: Scenario, actor: Actor) -> None:
    book = scenario.publish(actor, 0, 3)
    person = a_young_person(8_000_001, date(2003, 6, 15))
    scenario.platform.client.post(
        "/v1/accounts",
        {
            "email": person.email,
            "password": sign_up.PASSWORD,
            "firstName": person.first_name,
            "lastName": person.last_name,
            "birthDate": person.birth.isoformat(),
            "postalCode": person.postal_code,
            "phoneNumber": person.phone,
        },
    )
    link = scenario.platform.mailbox.link_token(person.email)
    token = scenario.platform.client.post("/v1/accounts/confirm-email", {"token": link})["accessToken"]
    body = {"stockId": book.stock_id, "quantity": 1}
    assert scenario.platform.post("/v1/bookings", body, token).outcome == (403, "not-a-beneficiary")
    assert scenario.platform.post("/v1/bookings", body, actor.token).outcome == (403, "not-a-beneficiary")
    assert scenario.platform.post("/v1/bookings", body).status == 401
    assert scenario.remaining_places(book) == 3


def test_a_seventeen_year_old_has_no_credit_in_2021(scenario: Scenario) -> None:
    """Their credits begin on 1 January 2022 (domain.md R3)."""
    person = a_young_person(8_000_002, SEVENTEEN)
    with pytest.raises(RuntimeError):
        sign_up.become_beneficiary(scenario.platform.client, scenario.platform.mailbox, person)


def test_an_unknown_stock(scenario: Scenario, person: Beneficiary) -> None:
    assert scenario.book(person, 999_999_999).outcome == (404, "not-found")


def test_activation_codes_run_out(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    online = scenario.digital_venue(actor)
    film = scenario.publish(
        actor,
        500,
        1,
        subcategory="VOD",
        venue=online,
        url="https://example.org/vod",
        name="Codes",
        stock={"activationCodes": ["ABC-123"]},
    )
    booking = scenario.make_booking(person, film.stock_id)
    assert (booking["status"], booking["activationCode"]) == ("used", "ABC-123")
    refused = scenario.book(scenario.young_person(), film.stock_id)
    assert refused.status == 409
    assert refused.code in ("stock-not-bookable", "no-activation-code")


# --- cancelling -----------------------------------------------------------------------------------------------------


def test_cancelling_in_time_gives_credit_and_place_back_at_once(
    scenario: Scenario, actor: Actor, person: Beneficiary
) -> None:
    begins = scenario.platform.now() + timedelta(days=10)
    concert = scenario.publish(actor, 2500, 1, subcategory="CONCERT", begins=begins, name="Annulé")
    booking = scenario.make_booking(person, concert.stock_id)
    assert scenario.remaining_credit(person) == 27500
    cancelled = scenario.cancel(person, booking["bookingId"])
    assert cancelled.status == 200, cancelled
    assert cancelled.json["status"] == "cancelled"
    assert cancelled.json["cancellationReason"] == "BENEFICIARY"
    assert scenario.remaining_credit(person) == 30000
    scenario.make_booking(scenario.young_person(), concert.stock_id)
    assert scenario.cancel(person, booking["bookingId"]).outcome == (409, "already-cancelled")
    assert scenario.remaining_credit(person) == 30000


def test_booking_again_what_was_cancelled(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    book = scenario.publish(actor, 1200, 5)
    first = scenario.make_booking(person, book.stock_id)
    assert scenario.cancel(person, first["bookingId"]).status == 200
    second = scenario.make_booking(person, book.stock_id)
    assert second["countermark"] != first["countermark"]
    assert scenario.remaining_credit(person) == 28800


def test_too_late_to_cancel(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    begins = scenario.platform.now() + timedelta(hours=47)
    concert = scenario.publish(actor, 2500, 2, subcategory="CONCERT", begins=begins, name="Demain")
    booking = scenario.make_booking(person, concert.stock_id)
    assert booking["cancellationLimitAt"] == booking["bookedAt"]
    assert scenario.cancel(person, booking["bookingId"]).outcome == (409, "cancellation-limit-passed")
    assert scenario.remaining_credit(person) == 27500


def test_what_was_used_cannot_be_cancelled(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    booking = scenario.make_used_booking(actor, person, 1500)
    assert scenario.cancel(person, booking["bookingId"]).outcome == (409, "already-used")


def test_somebody_else_s_booking(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    booking = scenario.make_booking(person, scenario.publish(actor, 1500, 2).stock_id)
    stranger = scenario.young_person()
    assert scenario.cancel(stranger, booking["bookingId"]).outcome == (404, "not-found")
    path = f"/v1/me/bookings/{booking['bookingId']}"
    assert scenario.platform.call("GET", path, token=stranger.token).outcome == (404, "not-found")
    assert scenario.booking(person, booking["bookingId"])["status"] == "confirmed"


# --- asking twice ---------------------------------------------------------------------------------------------------


def test_the_same_key_gives_the_same_booking(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    book = scenario.publish(actor, 1000, 5)
    once = key()
    first, again = scenario.book(person, book.stock_id, key=once), scenario.book(person, book.stock_id, key=once)
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert scenario.remaining_credit(person) == 29000
    assert scenario.remaining_places(book) == 4


def test_the_same_key_with_another_body(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    book, other = scenario.publish(actor, 1000, 5), scenario.publish(actor, 1000, 5, name="Autre")
    once = key()
    scenario.make_booking(person, book.stock_id, key=once)
    assert scenario.book(person, other.stock_id, key=once).outcome == (422, "idempotency-key-reused")
    assert scenario.remaining_places(other) == 5


def test_a_refusal_is_repeated_too(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    last = scenario.publish(actor, 1000, 1)
    holder = scenario.young_person()
    booking = scenario.make_booking(holder, last.stock_id)
    once = key()
    refused = scenario.book(person, last.stock_id, key=once)
    assert refused.outcome == (409, "stock-not-bookable")
    assert scenario.cancel(holder, booking["bookingId"]).status == 200
    again = scenario.book(person, last.stock_id, key=once)
    assert again.outcome == (409, "stock-not-bookable")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert scenario.book(person, last.stock_id).status == 201


def test_two_people_may_use_the_same_key(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    book = scenario.publish(actor, 1000, 5)
    once = key()
    mine = scenario.make_booking(person, book.stock_id, key=once)
    theirs = scenario.make_booking(scenario.young_person(), book.stock_id, key=once)
    assert mine["bookingId"] != theirs["bookingId"]


def test_booking_needs_a_key(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    book = scenario.publish(actor, 1000, 5)
    answer = scenario.platform.call("POST", "/v1/bookings", {"stockId": book.stock_id, "quantity": 1}, person.token)
    assert answer.status == 422, answer
    assert scenario.remaining_places(book) == 5


def test_cancelling_twice_with_one_key(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    booking = scenario.make_booking(person, scenario.publish(actor, 1000, 5).stock_id)
    once = key()
    first = scenario.cancel(person, booking["bookingId"], key=once)
    again = scenario.cancel(person, booking["bookingId"], key=once)
    assert (first.status, again.status) == (200, 200)
    assert first.json == again.json
    assert again.headers["Idempotency-Replayed"] == "true"


def test_what_happened_here_adds_up(scenario: Scenario) -> None:
    scenario.platform.wait_idle()
    found = scenario.platform.get("/v1/finance/reconciliation", scenario.platform.token("finance"))
    assert found["balanced"] is True, found["differences"]


def test_the_recap_as_files_has_the_same_rows(scenario: Scenario) -> None:
    actor, person = scenario.actor(), scenario.young_person()
    scenario.use_at_desk(actor, scenario.make_booking(person, scenario.publish(actor, 1250, 5, name="=1+1").stock_id))
    scenario.make_booking(person, scenario.publish(actor, 900, 5, name="Livre").stock_id)
    written = table(scenario.platform.client.get_bytes("/v1/pro/bookings.csv", actor.token), ",")
    header, *rows = cells(scenario.platform.client.get_bytes("/v1/pro/bookings.xlsx", actor.token))
    assert list(written[0]) == header
    shown = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["Nom de l’offre"] for row in shown] == ["Livre", "=1+1"]
    assert [row["Nom de l’offre"] for row in written] == ["Livre", "'=1+1"]
    assert [row["Prix de la réservation"] for row in shown] == [Decimal("9"), Decimal("12.5")]
    for name in set(header) - {"Nom de l’offre", "Prix de la réservation"}:
        assert [row[name] for row in shown] == [row[name] for row in written], name
    later = cells(scenario.platform.client.get_bytes("/v1/pro/bookings.xlsx?offerName=Livre", actor.token))
    assert len(later) == 2
