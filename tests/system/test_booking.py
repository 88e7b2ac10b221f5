"""Booking, refusals, cancellation, and repeated requests with the same idempotency key."""

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


def test_second_booking_of_an_offer_is_refused(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
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


def test_sold_out_stock_is_refused(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    last = scenario.publish(actor, 1000, 1)
    scenario.make_booking(scenario.young_person(), last.stock_id)
    assert scenario.book(person, last.stock_id).outcome == (409, "stock-not-bookable")
    assert scenario.remaining_credit(person) == 30000


def test_booking_without_enough_credit_reserves_nothing(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    expensive = scenario.publish(
        actor,
        30001,
        3,
        subcategory="FESTIVAL_MUSIQUE",
        begins=scenario.platform.now() + timedelta(days=30),
        name="Festival",
    )
    assert scenario.book(person, expensive.stock_id).outcome == (409, "insufficient-credit")
    scenario.platform.wait_idle()
    assert scenario.remaining_places(expensive) == 3
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


def test_digital_cap_limits_online_offers_only(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
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
def test_quantity_above_the_offers_limit_is_refused(
    scenario: Scenario, actor: Actor, person: Beneficiary, is_duo: bool, quantity: int
) -> None:
    begins = scenario.platform.now() + timedelta(days=10)
    concert = scenario.publish(actor, 1000, 9, subcategory="CONCERT", begins=begins, name=f"Duo {is_duo}", isDuo=is_duo)
    assert scenario.book(person, concert.stock_id, quantity).outcome == (409, "quantity-invalid")
    assert scenario.remaining_places(concert) == 9


def test_duo_booking_costs_two_places(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    begins = scenario.platform.now() + timedelta(days=10)
    concert = scenario.publish(actor, 1000, 3, subcategory="CONCERT", begins=begins, name="À deux", isDuo=True)
    assert scenario.make_booking(person, concert.stock_id, 2)["totalCents"] == 2000
    assert scenario.remaining_credit(person) == 28000
    assert scenario.remaining_places(concert) == 1
    assert scenario.book(scenario.young_person(), concert.stock_id, 2).outcome == (409, "stock-not-bookable")


def test_invalid_quantity_is_refused(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    book = scenario.publish(actor, 1000, 3)
    for quantity in (0, -1, 1.5, "1", None):
        answer = scenario.platform.post("/v1/bookings", {"stockId": book.stock_id, "quantity": quantity}, person.token)
        assert answer.outcome == (422, "invalid"), answer
    assert scenario.book(person, book.stock_id, 10**30).outcome == (409, "quantity-invalid")
    assert scenario.remaining_places(book) == 3


def test_only_beneficiaries_can_book(scenario: Scenario, actor: Actor) -> None:
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


def test_seventeen_year_old_gets_no_credit_in_2021(scenario: Scenario) -> None:
    """Underage credits start on 1 January 2022 (domain.md R3)."""
    person = a_young_person(8_000_002, SEVENTEEN)
    with pytest.raises(RuntimeError):
        sign_up.become_beneficiary(scenario.platform.client, scenario.platform.mailbox, person)


def test_unknown_stock_is_refused(scenario: Scenario, person: Beneficiary) -> None:
    assert scenario.book(person, 999_999_999).outcome == (404, "not-found")


def test_booking_is_refused_without_an_activation_code_left(
    scenario: Scenario, actor: Actor, person: Beneficiary
) -> None:
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


# --- cancellation ----------------------------------------------------------------------------------------------------


def test_cancellation_returns_credit_and_place_immediately(
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


def test_cancelled_offer_can_be_booked_again(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    book = scenario.publish(actor, 1200, 5)
    first = scenario.make_booking(person, book.stock_id)
    assert scenario.cancel(person, first["bookingId"]).status == 200
    second = scenario.make_booking(person, book.stock_id)
    assert second["countermark"] != first["countermark"]
    assert scenario.remaining_credit(person) == 28800


def test_cancellation_after_the_limit_is_refused(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    begins = scenario.platform.now() + timedelta(hours=47)
    concert = scenario.publish(actor, 2500, 2, subcategory="CONCERT", begins=begins, name="Demain")
    booking = scenario.make_booking(person, concert.stock_id)
    assert booking["cancellationLimitAt"] == booking["bookedAt"]
    assert scenario.cancel(person, booking["bookingId"]).outcome == (409, "cancellation-limit-passed")
    assert scenario.remaining_credit(person) == 27500


def test_used_booking_cannot_be_cancelled(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    booking = scenario.make_used_booking(actor, person, 1500)
    assert scenario.cancel(person, booking["bookingId"]).outcome == (409, "already-used")


def test_bookings_of_others_are_not_found(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    booking = scenario.make_booking(person, scenario.publish(actor, 1500, 2).stock_id)
    stranger = scenario.young_person()
    assert scenario.cancel(stranger, booking["bookingId"]).outcome == (404, "not-found")
    path = f"/v1/me/bookings/{booking['bookingId']}"
    assert scenario.platform.call("GET", path, token=stranger.token).outcome == (404, "not-found")
    assert scenario.booking(person, booking["bookingId"])["status"] == "confirmed"


# --- idempotency --------------------------------------------------------------------------------------------------


def test_repeated_request_replays_the_booking(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    book = scenario.publish(actor, 1000, 5)
    request_key = key()
    first, again = (
        scenario.book(person, book.stock_id, key=request_key),
        scenario.book(person, book.stock_id, key=request_key),
    )
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert scenario.remaining_credit(person) == 29000
    assert scenario.remaining_places(book) == 4


def test_idempotency_key_with_another_body_is_refused(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    book, other = scenario.publish(actor, 1000, 5), scenario.publish(actor, 1000, 5, name="Autre")
    request_key = key()
    scenario.make_booking(person, book.stock_id, key=request_key)
    assert scenario.book(person, other.stock_id, key=request_key).outcome == (422, "idempotency-key-reused")
    assert scenario.remaining_places(other) == 5


def test_repeated_request_replays_the_refusal(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    last = scenario.publish(actor, 1000, 1)
    holder = scenario.young_person()
    booking = scenario.make_booking(holder, last.stock_id)
    request_key = key()
    refused = scenario.book(person, last.stock_id, key=request_key)
    assert refused.outcome == (409, "stock-not-bookable")
    assert scenario.cancel(holder, booking["bookingId"]).status == 200
    again = scenario.book(person, last.stock_id, key=request_key)
    assert again.outcome == (409, "stock-not-bookable")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert scenario.book(person, last.stock_id).status == 201


def test_idempotency_keys_are_separate_for_each_person(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    book = scenario.publish(actor, 1000, 5)
    request_key = key()
    mine = scenario.make_booking(person, book.stock_id, key=request_key)
    theirs = scenario.make_booking(scenario.young_person(), book.stock_id, key=request_key)
    assert mine["bookingId"] != theirs["bookingId"]


def test_booking_requires_an_idempotency_key(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    book = scenario.publish(actor, 1000, 5)
    answer = scenario.platform.call("POST", "/v1/bookings", {"stockId": book.stock_id, "quantity": 1}, person.token)
    assert answer.status == 422, answer
    assert scenario.remaining_places(book) == 5


def test_repeated_cancellation_is_replayed(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    booking = scenario.make_booking(person, scenario.publish(actor, 1000, 5).stock_id)
    request_key = key()
    first = scenario.cancel(person, booking["bookingId"], key=request_key)
    again = scenario.cancel(person, booking["bookingId"], key=request_key)
    assert (first.status, again.status) == (200, 200)
    assert first.json == again.json
    assert again.headers["Idempotency-Replayed"] == "true"


def test_reconciliation_balances_after_all_tests_of_this_file(scenario: Scenario) -> None:
    scenario.platform.wait_idle()
    found = scenario.platform.get("/v1/finance/reconciliation", scenario.platform.token("finance"))
    assert found["balanced"] is True, found["differences"]


def test_recap_files_have_the_same_rows(scenario: Scenario) -> None:
    actor, person = scenario.actor(), scenario.young_person()
    scenario.use_at_desk(actor, scenario.make_booking(person, scenario.publish(actor, 1250, 5, name="=1+1").stock_id))
    scenario.make_booking(person, scenario.publish(actor, 900, 5, name="Livre").stock_id)
    csv_rows = table(scenario.platform.client.get_bytes("/v1/pro/bookings.csv", actor.token), ",")
    header, *rows = cells(scenario.platform.client.get_bytes("/v1/pro/bookings.xlsx", actor.token))
    assert list(csv_rows[0]) == header
    xlsx_rows = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["Nom de l’offre"] for row in xlsx_rows] == ["Livre", "=1+1"]
    assert [row["Nom de l’offre"] for row in csv_rows] == ["Livre", "'=1+1"]
    assert [row["Prix de la réservation"] for row in xlsx_rows] == [Decimal("9"), Decimal("12.5")]
    for name in set(header) - {"Nom de l’offre", "Prix de la réservation"}:
        assert [row[name] for row in xlsx_rows] == [row[name] for row in csv_rows], name
    filtered = cells(scenario.platform.client.get_bytes("/v1/pro/bookings.xlsx?offerName=Livre", actor.token))
    assert len(filtered) == 2
