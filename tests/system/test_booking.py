"""Booking, its refusals, cancelling, and asking twice."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from demo import sign_up
from tests.spreadsheets import cells
from tests.system.money_files import table
from tests.system.stage import Actor, Beneficiary, Stage, a_young_person, key

SEVENTEEN = date(2004, 5, 1)


@pytest.fixture(scope="module")
def actor(stage: Stage) -> Actor:
    return stage.actor()


@pytest.fixture
def person(stage: Stage) -> Beneficiary:
    return stage.young_person()


# --- refusals -------------------------------------------------------------------------------------------------------


def test_the_same_offer_twice(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    concert = stage.publish(
        actor, 2000, 5, subcategory="CONCERT", begins=stage.platform.now() + timedelta(days=10), name="Concert"
    )
    other_evening = stage.add_stock(actor, concert.offer_id, 2000, 5, stage.platform.now() + timedelta(days=11))
    stage.platform.wait_idle()
    stage.booked(person, concert.stock_id)
    for stock in (concert.stock_id, other_evening):
        assert stage.book(person, stock).outcome == (409, "already-booked")
    assert stage.remaining(person) == 28000
    assert stage.places(concert) == 4


def test_a_sold_out_stock(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    last = stage.publish(actor, 1000, 1)
    stage.booked(stage.young_person(), last.stock_id)
    assert stage.book(person, last.stock_id).outcome == (409, "stock-not-bookable")
    assert stage.remaining(person) == 30000


def test_too_little_credit_holds_nothing_back(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    dear = stage.publish(
        actor,
        30001,
        3,
        subcategory="FESTIVAL_MUSIQUE",
        begins=stage.platform.now() + timedelta(days=30),
        name="Festival",
    )
    assert stage.book(person, dear.stock_id).outcome == (409, "insufficient-credit")
    stage.platform.wait_idle()
    assert stage.places(dear) == 3
    assert stage.remaining(person) == 30000
    exact = stage.publish(
        actor, 30000, 3, subcategory="FESTIVAL_MUSIQUE", begins=stage.platform.now() + timedelta(days=30), name="Juste"
    )
    stage.booked(person, exact.stock_id)
    assert stage.remaining(person) == 0


def test_the_cap_of_what_is_digital(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    online = stage.digital_venue(actor)
    url = "https://example.org/{token}"
    game = stage.publish(actor, 10000, subcategory="JEU_EN_LIGNE", venue=online, url=url, name="Jeu")
    film = stage.publish(actor, 1, subcategory="VOD", venue=online, url=url, name="Film")
    stage.booked(person, game.stock_id)
    assert stage.book(person, film.stock_id).outcome == (409, "digital-cap-reached")
    credit = stage.platform.get("/v1/me/credit", person.token)
    assert credit["digital"] == {"capCents": 10000, "remainingCents": 0}
    assert credit["remainingCents"] == 20000
    stage.booked(person, stage.publish(actor, 20000).stock_id)


@pytest.mark.parametrize(("is_duo", "quantity"), [(False, 2), (True, 3)])
def test_too_many_places(stage: Stage, actor: Actor, person: Beneficiary, is_duo: bool, quantity: int) -> None:
    begins = stage.platform.now() + timedelta(days=10)
    concert = stage.publish(actor, 1000, 9, subcategory="CONCERT", begins=begins, name=f"Duo {is_duo}", isDuo=is_duo)
    assert stage.book(person, concert.stock_id, quantity).outcome == (409, "quantity-invalid")
    assert stage.places(concert) == 9


def test_two_places_of_a_duo_offer_cost_twice(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    begins = stage.platform.now() + timedelta(days=10)
    concert = stage.publish(actor, 1000, 3, subcategory="CONCERT", begins=begins, name="À deux", isDuo=True)
    assert stage.booked(person, concert.stock_id, 2)["totalCents"] == 2000
    assert stage.remaining(person) == 28000
    assert stage.places(concert) == 1
    assert stage.book(stage.young_person(), concert.stock_id, 2).outcome == (409, "stock-not-bookable")


def test_a_quantity_that_is_none(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    book = stage.publish(actor, 1000, 3)
    for quantity in (0, -1, 1.5, "1", None):
        answer = stage.platform.post("/v1/bookings", {"stockId": book.stock_id, "quantity": quantity}, person.token)
        assert answer.outcome == (422, "invalid"), answer
    assert stage.book(person, book.stock_id, 10**30).outcome == (409, "quantity-invalid")
    assert stage.places(book) == 3


def test_who_is_no_beneficiary(stage: Stage, actor: Actor) -> None:
    book = stage.publish(actor, 0, 3)
    person = a_young_person(8_000_001, date(2003, 6, 15))
    stage.platform.client.post(
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
    link = stage.platform.letterbox.link_token(person.email)
    token = stage.platform.client.post("/v1/accounts/confirm-email", {"token": link})["accessToken"]
    body = {"stockId": book.stock_id, "quantity": 1}
    assert stage.platform.post("/v1/bookings", body, token).outcome == (403, "not-a-beneficiary")
    assert stage.platform.post("/v1/bookings", body, actor.token).outcome == (403, "not-a-beneficiary")
    assert stage.platform.post("/v1/bookings", body).status == 401
    assert stage.places(book) == 3


def test_a_seventeen_year_old_has_no_credit_in_2021(stage: Stage) -> None:
    """Their credits begin on 1 January 2022 (domain.md R3)."""
    person = a_young_person(8_000_002, SEVENTEEN)
    with pytest.raises(RuntimeError):
        sign_up.become_beneficiary(stage.platform.client, stage.platform.letterbox, person)


def test_an_unknown_stock(stage: Stage, person: Beneficiary) -> None:
    assert stage.book(person, 999_999_999).outcome == (404, "not-found")


def test_activation_codes_run_out(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    online = stage.digital_venue(actor)
    film = stage.publish(
        actor,
        500,
        1,
        subcategory="VOD",
        venue=online,
        url="https://example.org/vod",
        name="Codes",
        stock={"activationCodes": ["ABC-123"]},
    )
    booking = stage.booked(person, film.stock_id)
    assert (booking["status"], booking["activationCode"]) == ("used", "ABC-123")
    refused = stage.book(stage.young_person(), film.stock_id)
    assert refused.status == 409
    assert refused.code in ("stock-not-bookable", "no-activation-code")


# --- cancelling -----------------------------------------------------------------------------------------------------


def test_cancelling_in_time_gives_credit_and_place_back_at_once(
    stage: Stage, actor: Actor, person: Beneficiary
) -> None:
    begins = stage.platform.now() + timedelta(days=10)
    concert = stage.publish(actor, 2500, 1, subcategory="CONCERT", begins=begins, name="Annulé")
    booking = stage.booked(person, concert.stock_id)
    assert stage.remaining(person) == 27500
    cancelled = stage.cancel(person, booking["bookingId"])
    assert cancelled.status == 200, cancelled
    assert cancelled.json["status"] == "cancelled"
    assert cancelled.json["cancellationReason"] == "BENEFICIARY"
    assert stage.remaining(person) == 30000
    stage.booked(stage.young_person(), concert.stock_id)
    assert stage.cancel(person, booking["bookingId"]).outcome == (409, "already-cancelled")
    assert stage.remaining(person) == 30000


def test_booking_again_what_was_cancelled(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    book = stage.publish(actor, 1200, 5)
    first = stage.booked(person, book.stock_id)
    assert stage.cancel(person, first["bookingId"]).status == 200
    second = stage.booked(person, book.stock_id)
    assert second["countermark"] != first["countermark"]
    assert stage.remaining(person) == 28800


def test_too_late_to_cancel(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    begins = stage.platform.now() + timedelta(hours=47)
    concert = stage.publish(actor, 2500, 2, subcategory="CONCERT", begins=begins, name="Demain")
    booking = stage.booked(person, concert.stock_id)
    assert booking["cancellationLimitAt"] == booking["bookedAt"]
    assert stage.cancel(person, booking["bookingId"]).outcome == (409, "cancellation-limit-passed")
    assert stage.remaining(person) == 27500


def test_what_was_used_cannot_be_cancelled(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    booking = stage.sold(actor, person, 1500)
    assert stage.cancel(person, booking["bookingId"]).outcome == (409, "already-used")


def test_somebody_else_s_booking(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    booking = stage.booked(person, stage.publish(actor, 1500, 2).stock_id)
    stranger = stage.young_person()
    assert stage.cancel(stranger, booking["bookingId"]).outcome == (404, "not-found")
    path = f"/v1/me/bookings/{booking['bookingId']}"
    assert stage.platform.call("GET", path, token=stranger.token).outcome == (404, "not-found")
    assert stage.booking(person, booking["bookingId"])["status"] == "confirmed"


# --- asking twice ---------------------------------------------------------------------------------------------------


def test_the_same_key_gives_the_same_booking(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    book = stage.publish(actor, 1000, 5)
    once = key()
    first, again = stage.book(person, book.stock_id, key=once), stage.book(person, book.stock_id, key=once)
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert stage.remaining(person) == 29000
    assert stage.places(book) == 4


def test_the_same_key_with_another_body(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    book, other = stage.publish(actor, 1000, 5), stage.publish(actor, 1000, 5, name="Autre")
    once = key()
    stage.booked(person, book.stock_id, key=once)
    assert stage.book(person, other.stock_id, key=once).outcome == (422, "idempotency-key-reused")
    assert stage.places(other) == 5


def test_a_refusal_is_repeated_too(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    last = stage.publish(actor, 1000, 1)
    holder = stage.young_person()
    booking = stage.booked(holder, last.stock_id)
    once = key()
    refused = stage.book(person, last.stock_id, key=once)
    assert refused.outcome == (409, "stock-not-bookable")
    assert stage.cancel(holder, booking["bookingId"]).status == 200
    again = stage.book(person, last.stock_id, key=once)
    assert again.outcome == (409, "stock-not-bookable")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert stage.book(person, last.stock_id).status == 201


def test_two_people_may_use_the_same_key(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    book = stage.publish(actor, 1000, 5)
    once = key()
    mine = stage.booked(person, book.stock_id, key=once)
    theirs = stage.booked(stage.young_person(), book.stock_id, key=once)
    assert mine["bookingId"] != theirs["bookingId"]


def test_booking_needs_a_key(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    book = stage.publish(actor, 1000, 5)
    answer = stage.platform.call("POST", "/v1/bookings", {"stockId": book.stock_id, "quantity": 1}, person.token)
    assert answer.status == 422, answer
    assert stage.places(book) == 5


def test_cancelling_twice_with_one_key(stage: Stage, actor: Actor, person: Beneficiary) -> None:
    booking = stage.booked(person, stage.publish(actor, 1000, 5).stock_id)
    once = key()
    first = stage.cancel(person, booking["bookingId"], key=once)
    again = stage.cancel(person, booking["bookingId"], key=once)
    assert (first.status, again.status) == (200, 200)
    assert first.json == again.json
    assert again.headers["Idempotency-Replayed"] == "true"


def test_what_happened_here_adds_up(stage: Stage) -> None:
    stage.platform.wait_idle()
    found = stage.platform.get("/v1/finance/reconciliation", stage.platform.token("finance"))
    assert found["balanced"] is True, found["differences"]


def test_the_recap_as_files_has_the_same_rows(stage: Stage) -> None:
    actor, person = stage.actor(), stage.young_person()
    stage.used(actor, stage.booked(person, stage.publish(actor, 1250, 5, name="=1+1").stock_id))
    stage.booked(person, stage.publish(actor, 900, 5, name="Livre").stock_id)
    written = table(stage.platform.client.get_bytes("/v1/pro/bookings.csv", actor.token), ",")
    header, *rows = cells(stage.platform.client.get_bytes("/v1/pro/bookings.xlsx", actor.token))
    assert list(written[0]) == header
    shown = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["Nom de l’offre"] for row in shown] == ["Livre", "=1+1"]
    assert [row["Nom de l’offre"] for row in written] == ["Livre", "'=1+1"]
    assert [row["Prix de la réservation"] for row in shown] == [Decimal("9"), Decimal("12.5")]
    for name in set(header) - {"Nom de l’offre", "Prix de la réservation"}:
        assert [row[name] for row in shown] == [row[name] for row in written], name
    later = cells(stage.platform.client.get_bytes("/v1/pro/bookings.xlsx?offerName=Livre", actor.token))
    assert len(later) == 2
