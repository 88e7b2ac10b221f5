"""Writes: idempotency keys, replayed answers, optimistic locking, and waiting until readers show the write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.gateway.application.consistency import SHOWS_IN
from services.gateway.application.open_requests import OpenRequests, RequestInProgress
from shared.contracts.calls.booking import Book
from shared.eventstore import Publication, Transaction
from shared.eventstore.outcomes import Call
from shared.kernel.errors import Conflict, OutcomePending
from shared.messaging.calls import by_name, one
from shared.runtime.service import Service
from shared.testing import sqlite_store

BODY = {"stockId": 3, "quantity": 1}


class AlreadyBooked(Conflict):
    code = "already-booked"


class BookingDouble:
    """A booking service with one command: each stock can be booked once."""

    def __init__(self) -> None:
        self.booked: list[int] = []

    def book(self, tx: Transaction, call: Call) -> dict[str, Any]:
        if call.data["stockId"] in self.booked:
            raise AlreadyBooked("you have booked this offer")
        self.booked.append(call.data["stockId"])
        return booking(len(self.booked))


def booking(number: int) -> dict[str, Any]:
    return {
        "bookingId": number,
        "countermark": "ABCDEF",
        "status": "confirmed",
        "quantity": 1,
        "unitPriceCents": 500,
        "totalCents": 500,
        "bookedAt": "2021-11-02T09:00:00Z",
        "cancellationLimitAt": None,
        "expiresAt": None,
        "usedAt": None,
        "cancelledAt": None,
        "cancellationReason": None,
        "stock": {"stockId": 3, "priceCents": 500, "beginningAt": None},
        "offer": {
            "offerId": 7,
            "name": "Livre",
            "subcategory": "LIVRE_PAPIER",
            "isDigital": False,
            "venue": {"venueId": 1, "name": "Librairie", "address": None, "city": None, "postalCode": None},
        },
    }


@pytest.fixture
def service(platform: Any, tmp_path: Path) -> BookingDouble:
    """A service on the bus that stores outcomes in a real database."""
    double = BookingDouble()
    (tmp_path / "booking").mkdir()
    store = sqlite_store(
        tmp_path / "booking", "gateway", clock=platform.clock, aggregates=(), publication=Publication("booking")
    )
    platform.bus.add(Service("booking", store, commands=by_name([one(Book, double.book)])), platform.clock)
    return double


def test_a_booking_needs_an_idempotency_key(platform: Any, signed_in: Any) -> None:
    answer = platform.client.post("/v1/bookings", json=BODY, headers=signed_in())
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency-key-required")


@pytest.mark.parametrize("key", ["x" * 201, "white space", "é"])
def test_an_invalid_idempotency_key_is_refused(platform: Any, signed_in: Any, key: str) -> None:
    answer = platform.client.post("/v1/bookings", json=BODY, headers={**signed_in(), "Idempotency-Key": key})
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency-key-invalid")


def test_a_repeated_key_replays_the_answer(platform: Any, signed_in: Any, service: BookingDouble) -> None:
    headers = {**signed_in(), "Idempotency-Key": "k1"}
    first = platform.client.post("/v1/bookings", json=BODY, headers=headers)
    assert (first.status_code, first.headers.get("Idempotency-Replayed")) == (201, None)
    again = platform.client.post("/v1/bookings", json=BODY, headers=headers)
    assert (again.status_code, again.headers["Idempotency-Replayed"], again.json) == (201, "true", first.json)
    assert service.booked == [3]


def test_a_repeated_key_replays_a_refusal(platform: Any, signed_in: Any, service: BookingDouble) -> None:
    platform.client.post("/v1/bookings", json=BODY, headers={**signed_in(), "Idempotency-Key": "k1"})
    headers = {**signed_in(), "Idempotency-Key": "k2"}
    first = platform.client.post("/v1/bookings", json=BODY, headers=headers)
    service.booked.clear()
    again = platform.client.post("/v1/bookings", json=BODY, headers=headers)
    assert (first.status_code, first.json["code"]) == (409, "already-booked")
    assert "Idempotency-Replayed" not in first.headers
    assert (again.status_code, again.json, again.headers["Idempotency-Replayed"]) == (409, first.json, "true")
    assert service.booked == []


def test_the_same_key_with_another_body_is_refused(platform: Any, signed_in: Any, service: BookingDouble) -> None:
    headers = {**signed_in(), "Idempotency-Key": "k1"}
    platform.client.post("/v1/bookings", json=BODY, headers=headers)
    answer = platform.client.post("/v1/bookings", json={**BODY, "stockId": 4}, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency-key-reused")
    assert service.booked == [3]


def test_two_callers_may_use_the_same_key(platform: Any, signed_in: Any, service: BookingDouble) -> None:
    for account, stock in ((1, 3), (2, 4)):
        headers = {**signed_in(account_id=account), "Idempotency-Key": "k1"}
        answer = platform.client.post("/v1/bookings", json={**BODY, "stockId": stock}, headers=headers)
        assert answer.status_code == 201
    assert service.booked == [3, 4]


def test_a_second_request_with_an_open_key_is_409(platform: Any, signed_in: Any) -> None:
    headers = {**signed_in(), "Idempotency-Key": "k1"}
    second: list[Any] = []

    def book(data: dict[str, Any], caller: Any) -> dict[str, Any]:
        if not second:
            second.append(platform.app.test_client().post("/v1/bookings", json=BODY, headers=headers))
        return booking(1)

    platform.answers("booking", "book", book)
    assert platform.client.post("/v1/bookings", json=BODY, headers=headers).status_code == 201
    assert (second[0].status_code, second[0].json["code"]) == (409, "request-in-progress")
    assert platform.client.post("/v1/bookings", json=BODY, headers=headers).status_code == 201


def test_a_failed_request_releases_its_key() -> None:
    open_requests = OpenRequests()
    with pytest.raises(ZeroDivisionError), open_requests.hold("account-1", "k"):
        raise ZeroDivisionError
    with open_requests.hold("account-1", "k"), open_requests.hold("account-2", "k"), open_requests.hold("a", None):
        assert open_requests.is_open("account-2", "k")
        with pytest.raises(RequestInProgress):
            open_requests.hold("account-1", "k").__enter__()
    assert not open_requests.is_open("account-1", "k")


def test_an_unknown_outcome_is_503(platform: Any, signed_in: Any) -> None:
    platform.answers("booking", "book", OutcomePending("later"))
    answer = platform.client.post("/v1/bookings", json=BODY, headers={**signed_in(), "Idempotency-Key": "k"})
    assert (answer.status_code, answer.json["code"], answer.headers["Retry-After"]) == (503, "outcome-pending", "1")


def test_a_public_route_ignores_the_idempotency_key(platform: Any) -> None:
    pair = {"accessToken": "a", "refreshToken": "r", "expiresIn": 900}
    platform.answers("identity", "sign-in", pair)
    body = {"email": "zoe@example.org", "password": "p"}
    answer = platform.client.post("/v1/auth/sign-in", json=body, headers={"Idempotency-Key": "any thing"})
    assert (answer.status_code, answer.json) == (200, pair)


def test_creating_an_api_key_stores_no_outcome(platform: Any, signed_in: Any) -> None:
    keys: list[str | None] = []
    command = platform.bus.send_command

    def recording(service: str, name: str, data: dict[str, Any], **options: Any) -> Any:
        keys.append(options["key"])
        return command(service, name, data, **options)

    platform.bus.send_command = recording
    platform.answers("identity", "create-api-key", {"key": "secret", "prefix": "p"})
    headers = {**signed_in("pro"), "Idempotency-Key": "k"}
    assert platform.client.post("/v1/pro/offerers/5/api-keys", headers=headers).status_code == 201
    assert keys == [None]


def test_the_version_is_the_etag_and_if_match_is_passed_on(platform: Any, signed_in: Any) -> None:
    stock = {
        "stockId": 3,
        "offerId": 7,
        "status": "active",
        "priceCents": 1,
        "quantity": None,
        "beginningAt": None,
        "bookingLimitAt": None,
        "version": 4,
    }
    platform.answers("catalog", "change-stock", stock)
    platform.answers("booking", "positions", {"published": 12})
    platform.answers("gateway", "reached", {})
    answer = platform.client.patch("/v1/pro/stocks/3", json={"priceCents": 1}, headers=signed_in("pro"))
    assert answer.headers["ETag"] == '"4"'
    waits = [data for service, name, data, _ in platform.calls if (service, name) == ("gateway", "reached")]
    assert waits == [{"source": "booking", "position": 12}], "the answer waits for the places left in the catalogue"
    for condition, sent in (('"4"', {"ifMatch": 4}), ("*", {})):
        headers = {**signed_in("pro"), "If-Match": condition}
        platform.client.patch("/v1/pro/stocks/3", json={"priceCents": 1}, headers=headers)
        assert platform.called("change-stock")[-1] == {"stockId": 3, "priceCents": 1, **sent}
    for stale in ('W/"other"', '"0"', '"999999999999999999"'):
        headers = {**signed_in("pro"), "If-Match": stale}
        answer = platform.client.patch("/v1/pro/stocks/3", json={"priceCents": 1}, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (412, "precondition-failed")


def test_a_write_is_answered_once_its_readers_show_it(platform: Any, signed_in: Any) -> None:
    waited: list[tuple[str, dict[str, Any]]] = []
    for reader in ("catalog", "booking", "payout", "gateway"):
        platform.answers(reader, "reached", lambda data, _, reader=reader: waited.append((reader, data)))
    command = platform.bus.send_command

    def positioned(service: str, name: str, data: dict[str, Any], **options: Any) -> Any:
        answer = command(service, name, data, **options)
        return type(answer)(answer.result, 17, False)

    platform.bus.send_command = positioned
    platform.answers("identity", "validate-offerer", {})
    assert platform.client.post("/v1/staff/offerers/5/validate", headers=signed_in("staff")).status_code == 200
    assert waited == [
        (reader, {"source": "identity", "position": 17}) for reader in ("catalog", "booking", "payout", "gateway")
    ]


def test_a_late_reader_does_not_fail_a_stored_write(platform: Any, signed_in: Any) -> None:
    platform.bus.away |= {"catalog", "booking", "payout", "gateway"}
    send = platform.bus.send_command
    platform.bus.send_command = lambda *args, **options: type(answer := send(*args, **options))(answer.result, 9, False)
    platform.answers("identity", "validate-offerer", {})
    answer = platform.client.post("/v1/staff/offerers/5/validate", headers=signed_in("staff"))
    assert answer.status_code == 200, answer.data


def test_the_table_of_waits_names_existing_services() -> None:
    services = {"identity", "catalog", "booking", "wallet", "payout", "gateway"}
    assert {service for service, _ in SHOWS_IN} | {one for readers in SHOWS_IN.values() for one in readers} <= services
    assert all(source not in readers for (source, _), readers in SHOWS_IN.items())


def test_an_answer_with_a_stored_outcome_is_json(platform: Any, signed_in: Any, service: BookingDouble) -> None:
    headers = {**signed_in(), "Idempotency-Key": "k9"}
    assert json.loads(platform.client.post("/v1/bookings", json=BODY, headers=headers).data)["countermark"] == "ABCDEF"
