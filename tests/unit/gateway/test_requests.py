"""Validation of bodies, queries and paths: an invalid value is a 4xx, never a 500, and reaches no service."""

from __future__ import annotations

import json
from typing import Any

import pytest

ACCOUNT: dict[str, Any] = {
    "email": "zoe@example.org",
    "password": "Correct-horse-9-battery",
    "firstName": "Zoé",
    "lastName": "O'Neill-42 李",
    "birthDate": "2003-06-15",
    "postalCode": "80000",
}
BOOKING = {"stockId": 3, "quantity": 1}


def problem(answer: Any) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json", answer.data
    document = json.loads(answer.data)
    assert document["type"] == f"/problems/{document['code']}"
    assert document["status"] == answer.status_code
    assert document["title"] and "detail" in document
    assert "Traceback" not in answer.text
    return answer.status_code, document["code"]


def errors(answer: Any) -> dict[str, list[str]]:
    return json.loads(answer.data)["errors"]


def test_a_valid_body_reaches_its_service(platform: Any) -> None:
    platform.answers("identity", "open-account", {})
    answer = platform.client.post("/v1/accounts", json={**ACCOUNT, "phoneNumber": None})
    assert (answer.status_code, answer.json) == (202, {})
    assert platform.called("open-account") == [{**ACCOUNT, "phoneNumber": None}]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"email": NaN}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\\ud800"}',
        b"[" * 100_000,
        b"1" * 5_000,
        b"{} {}",
    ],
)
def test_invalid_json_is_400(platform: Any, body: bytes) -> None:
    answer = platform.client.post("/v1/accounts", data=body, content_type="application/json")
    assert problem(answer) == (400, "bad-json")


@pytest.mark.parametrize("value", [None, [], "text", 3, True])
def test_json_other_than_an_object_is_422(platform: Any, value: Any) -> None:
    answer = platform.client.post("/v1/accounts", data=json.dumps(value), content_type="application/json")
    assert problem(answer) == (422, "invalid")


def test_json_nested_too_deeply_is_400(platform: Any) -> None:
    deep = b'{"email":' + b"[" * 60 + b"]" * 60 + b"}"
    assert problem(platform.client.post("/v1/accounts", data=deep, content_type="application/json")) == (
        400,
        "bad-json",
    )


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_media_type_is_415(platform: Any, content_type: str) -> None:
    answer = platform.client.post("/v1/accounts", data=json.dumps(ACCOUNT), content_type=content_type)
    assert problem(answer) == (415, "unsupported-media-type")


def test_a_body_beyond_one_mebibyte_is_413(platform: Any) -> None:
    body = json.dumps({**ACCOUNT, "firstName": "x" * (1024 * 1024)})
    answer = platform.client.post("/v1/accounts", data=body, content_type="application/json")
    assert problem(answer) == (413, "too-large")


def test_unknown_and_missing_fields_are_named(platform: Any) -> None:
    body = {**ACCOUNT, "evil": 1}
    del body["email"]
    answer = platform.client.post("/v1/accounts", json=body)
    assert problem(answer) == (422, "invalid")
    assert set(errors(answer)) == {"evil", "email"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "a\r\nBcc: b@example.org"),
        ("email", "zoe@example.org\n"),
        ("email", "zoe"),
        ("email", "zoe@@example.org"),
        ("email", "zoe@example.org,b@example.org"),
        ("email", 5),
        ("email", "a" * 250 + "@example.org"),
        ("password", ""),
        ("password", "x" * 201),
        ("firstName", ""),
        ("firstName", "   "),
        ("email", "zoé@example.org"),
        ("email", "zoe@exämple.org"),
        ("firstName", "Zo\u0000e"),
        ("firstName", "x" * 101),
        ("firstName", ["Zoé"]),
        ("birthDate", "2003-6-15"),
        ("birthDate", "2003-02-30"),
        ("birthDate", "0001-01-01"),
        ("birthDate", 20030615),
        ("postalCode", "1"),
        ("postalCode", "8000٠"),
        ("phoneNumber", "call me"),
        ("marketingConsent", "yes"),
        ("marketingConsent", 1),
    ],
)
def test_an_invalid_field_is_422_and_named(platform: Any, field: str, value: Any) -> None:
    answer = platform.client.post("/v1/accounts", json={**ACCOUNT, field: value})
    assert problem(answer) == (422, "invalid")
    assert list(errors(answer)) == [field]
    assert platform.calls == []


@pytest.mark.parametrize("value", ["x", "3", 0, -1, 10**30, 2**53, 1.0, 1.5, True, None, [], {}])
def test_an_identifier_is_a_positive_integer_that_json_can_represent(platform: Any, signed_in: Any, value: Any) -> None:
    headers = {**signed_in("beneficiary"), "Idempotency-Key": "k"}
    body = json.dumps({**BOOKING, "stockId": value})
    answer = platform.client.post("/v1/bookings", data=body, content_type="application/json", headers=headers)
    assert problem(answer) == (422, "invalid")
    assert platform.calls == []


def test_a_quantity_below_one_is_422(platform: Any, signed_in: Any) -> None:
    headers = {**signed_in(), "Idempotency-Key": "k"}
    assert problem(platform.client.post("/v1/bookings", json={**BOOKING, "quantity": 0}, headers=headers))[0] == 422


@pytest.mark.parametrize("path", ["0", "-1", "x", "1" * 30, "9007199254740992", "1.0", "%00", "١"])
def test_an_invalid_identifier_in_a_path_is_404(platform: Any, path: str) -> None:
    assert problem(platform.client.get(f"/v1/offers/{path}")) == (404, "not-found")


def test_an_unknown_route_is_404_and_an_unknown_method_405(platform: Any) -> None:
    assert problem(platform.client.get("/nowhere")) == (404, "not-found")
    answer = platform.client.put("/v1/offers")
    assert problem(answer) == (405, "method-not-allowed")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("lat=999&lon=1", "lat"),
        ("lat=x&lon=1", "lat"),
        ("lat=nan&lon=1", "lat"),
        ("lat=1e3&lon=1", "lat"),
        ("lat=48", "lon"),
        ("radiusKm=3", "lat"),
        ("sort=distance", "lat"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=" + "9" * 30, "limit"),
        ("priceMinCents=-1", "priceMinCents"),
        ("isFree=maybe", "isFree"),
        ("from=2021-11-02", "from"),
        ("from=2021-11-02T09:00:00", "from"),
        ("category=NOPE", "category"),
        ("sort=best", "sort"),
        ("q=%00", "q"),
        ("nonsense=1", "nonsense"),
    ],
)
def test_an_invalid_query_is_422_and_named(platform: Any, query: str, field: str) -> None:
    answer = platform.client.get(f"/v1/offers?{query}")
    assert problem(answer) == (422, "invalid")
    assert field in errors(answer)
    assert platform.catalogue.searched == []


def test_an_invalid_cursor_is_422(platform: Any) -> None:
    answer = platform.client.get("/v1/offers?cursor=%00%ff")
    assert problem(answer) == (422, "cursor-invalid")
    assert "cursor" in errors(answer)
    assert platform.catalogue.searched == []


def test_a_search_passes_its_parsed_filters(platform: Any) -> None:
    place, when = "q=concert&lat=48.58&lon=7.75&radiusKm=20", "from=2021-11-02T10:00:00%2B01:00"
    answer = platform.client.get(f"/v1/offers?{place}&{when}&isDuo=true&kind=event&priceMaxCents=900")
    assert answer.json == {"items": [], "nextCursor": None}
    assert platform.catalogue.searched == [
        {
            "q": "concert",
            "lat": 48.58,
            "lon": 7.75,
            "radiusKm": 20.0,
            "isDuo": True,
            "from": "2021-11-02T09:00:00Z",
            "kind": "event",
            "priceMaxCents": 900,
        }
    ]


@pytest.mark.parametrize("body", [None, b"", b"{}", b"  "])
def test_an_optional_body_may_be_missing_or_empty(platform: Any, signed_in: Any, body: Any) -> None:
    account = {"accountId": 7, "roles": [], "status": None, "nextStep": "confirm-phone", "version": 3}
    platform.answers("identity", "send-phone-code", account)
    answer = platform.client.post(
        "/v1/me/phone-code", data=body, content_type="application/json", headers=signed_in("beneficiary")
    )
    assert answer.status_code == 200, answer.data
    assert (answer.json, answer.headers["ETag"]) == (account, '"3"')
    assert platform.called("send-phone-code") == [{}]


def test_an_unknown_field_of_an_optional_body_is_refused(platform: Any, signed_in: Any) -> None:
    answer = platform.client.post("/v1/me/phone-code", json={"a": 1}, headers=signed_in())
    assert problem(answer) == (422, "invalid")


def test_an_unexpected_error_is_500_without_details(platform: Any) -> None:
    platform.answers("identity", "open-account", RuntimeError("the secret innards"))
    answer = platform.client.post("/v1/accounts", json=ACCOUNT)
    assert problem(answer) == (500, "internal-error")
    assert "innards" not in answer.text


def test_a_service_that_does_not_answer_is_503(platform: Any, signed_in: Any) -> None:
    platform.bus.away.add("identity")
    answer = platform.client.get("/v1/me", headers=signed_in())
    assert problem(answer) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


def test_every_answer_has_its_request_id_and_security_headers(platform: Any) -> None:
    answer = platform.client.get("/v1/offers/7", headers={"X-Request-Id": "from-the-app_1"})
    assert answer.headers["X-Request-Id"] == "from-the-app_1"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    other = platform.client.get("/nowhere", headers={"X-Request-Id": "no spaces allowed"})
    assert len(other.headers["X-Request-Id"]) == 32
    assert other.headers["X-Content-Type-Options"] == "nosniff"
