"""The fast routes answer as Flask does, header for header: each request is sent to both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from werkzeug.test import Client

from services.gateway.web.fast_routes import ROUTES, FastRoutes
from shared.kernel.errors import OutcomePending, Refused, Unavailable
from shared.kernel.identifiers import MAX_NUMBER
from tests.unit.gateway.test_desk import BOOKED, PERSON, refused
from tests.unit.gateway.test_writes import booking

REQUEST_ID = "X-Request-Id"
Body = dict[str, Any]


class BothRoutes:
    """The same request to Flask alone, and to Flask with the fast routes in front."""

    def __init__(self, platform: Any) -> None:
        self.platform = platform
        self.flask_calls = 0
        self.fast = Client(FastRoutes(platform.ports, self.flask_counted, "raise"))

    def flask_counted(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.flask_calls += 1
        return self.platform.app(environ, start_response)

    def send(self, method: str, path: str, headers: dict[str, str], **body: Any) -> Any:
        """The common answer. Failures count per address, so Flask and the fast routes see different ones."""
        answers = []
        for client, address in ((self.platform.client, "10.0.0.1"), (self.fast, "10.0.0.2")):
            request_headers = {**headers, REQUEST_ID: "the-same"}
            answers.append(
                client.open(path, method=method, headers=request_headers, environ_base={"REMOTE_ADDR": address}, **body)
            )
        flask, fast = answers
        assert (fast.status, fast.data) == (flask.status, flask.data)
        assert sorted(fast.headers.items()) == sorted(flask.headers.items())
        return fast


@pytest.fixture
def both(platform: Any) -> BothRoutes:
    platform.answers("booking", "book", booking(7))
    platform.answers("booking", "desk-look-up", BOOKED)
    platform.answers("booking", "desk-use", {})
    platform.answers("identity", "people", {"people": {"42": PERSON}})
    return BothRoutes(platform)


@pytest.fixture
def headers(signed_in: Any) -> dict[str, str]:
    return {**signed_in("beneficiary"), "Idempotency-Key": "one"}


@pytest.fixture
def by_key(api_key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key}"}


BODY = {"stockId": 3, "quantity": 1}
DESK = [
    (method, f"{prefix}{action}ABCDEF")
    for prefix in ("/v2/bookings/", "/public/bookings/v1/")
    for method, action in (("GET", "token/"), ("PATCH", "use/token/"))
]


def test_a_booking_bypasses_flask(both: BothRoutes, headers: dict[str, str]) -> None:
    answer = both.send("POST", "/v1/bookings", headers, json=BODY)
    assert (answer.status_code, answer.json["countermark"], both.flask_calls) == (201, "ABCDEF", 0)


def test_the_url_of_a_digital_offer_contains_the_e_mail_of_its_reader(
    both: BothRoutes, headers: dict[str, str]
) -> None:
    digital = {**booking(7), "completedUrl": "https://example.org/?to={email}&code=ABCDEF"}
    both.platform.answers("booking", "book", digital)
    both.platform.answers("booking", "booking", digital)
    both.platform.answers("booking", "bookings", {"items": [digital], "nextCursor": None})
    person = {**PERSON, "email": "zoe+pass&x@example.org"}
    both.platform.answers("identity", "people", {"people": {"11": person}})
    filled = "https://example.org/?to=zoe%2Bpass%26x@example.org&code=ABCDEF"
    assert both.send("POST", "/v1/bookings", headers, json=BODY).json["completedUrl"] == filled
    assert both.flask_calls == 0
    client = both.platform.client
    assert client.get("/v1/me/bookings/7", headers=headers).json["completedUrl"] == filled
    assert client.get("/v1/me/bookings", headers=headers).json["items"][0]["completedUrl"] == filled
    both.platform.answers("identity", "people", Unavailable("away"))
    assert client.get("/v1/me/bookings/7", headers=headers).json["completedUrl"] == digital["completedUrl"]


def test_the_version_of_a_booking_is_its_etag(both: BothRoutes, headers: dict[str, str]) -> None:
    both.platform.answers("booking", "book", {**booking(7), "version": 4})
    routes = FastRoutes(both.platform.ports, both.flask_counted)
    tagged = Client(routes).post("/v1/bookings", headers=headers, json=BODY)
    assert tagged.headers["ETag"] == '"4"'


REFUSALS = [
    Refused({"code": "already-booked", "status": 409, "detail": "", "errors": {}, "extra": {}}),
    Refused({"code": "invalid", "status": 422, "detail": "x", "errors": {"a": ["b"]}, "extra": {"more": 1}}),
    OutcomePending("retry"),
    Unavailable("away"),
    ZeroDivisionError("a bug"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("replayed", [False, True])
def test_a_refusal_of_booking_is_passed_on(
    both: BothRoutes, headers: dict[str, str], refusal: Exception, replayed: bool
) -> None:
    if replayed and isinstance(refusal, Refused):
        refusal.replayed = True
    both.platform.answers("booking", "book", refusal)
    answer = both.send("POST", "/v1/bookings", headers, json=BODY)
    assert answer.status_code >= 400
    assert both.flask_calls == 0


UNUSUAL: list[Body] = [
    {"json": {**BODY, "more": 1}},
    {"json": {"stockId": 3}},
    {"json": {"stockId": True, "quantity": 1}},
    {"json": {"stockId": 3, "quantity": 1.0}},
    {"data": b'{"stockId":1000000000000000000000000000000,"quantity":1}', "content_type": "application/json"},
    {"json": {"stockId": 0, "quantity": 1}},
    {"json": {"stockId": 3, "quantity": 0}},
    {"json": {"stockId": 3, "quantity": MAX_NUMBER + 1}},
    {"data": b'{"stockId":3,"quantity":1000000000000000000000000000000}', "content_type": "application/json"},
    {"json": {"stockId": "3", "quantity": 1}},
    {"json": [3, 1]},
    {"data": b'{"stockId":3,"stockId":4}', "content_type": "application/json"},
    {"data": b'{"stockId":3,"quantity":1,"quantity":2}', "content_type": "application/json"},
    {"data": b'{"stockId":3,"quantity":NaN}', "content_type": "application/json"},
    {"data": b'{"stockId":3', "content_type": "application/json"},
    {"data": b'{"stockId":3,"quantity":1}' + b" " * 2_000, "content_type": "application/json"},
    {"data": b'{"stockId":3,"quantity":1}', "content_type": "application/json; charset=utf-8"},
    {"data": b'{"stockId":3,"quantity":1}', "content_type": "text/plain"},
    {"data": b"\xff", "content_type": "application/json"},
    {},
]


@pytest.mark.parametrize("quantity", [3, 10**6 + 1, MAX_NUMBER, MAX_NUMBER + 1, 2**64, 10**30])
def test_booking_decides_the_largest_quantity(both: BothRoutes, headers: dict[str, str], quantity: int) -> None:
    too_many = Refused({"code": "quantity-invalid", "status": 409, "detail": "", "errors": {}, "extra": {}})
    both.platform.answers("booking", "book", too_many)
    body = f'{{"stockId":3,"quantity":{quantity}}}'.encode()
    answer = both.send("POST", "/v1/bookings", headers, data=body, content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (409, "quantity-invalid")
    assert both.flask_calls == (quantity > MAX_NUMBER)
    assert both.platform.called("book") == [{"stockId": 3, "quantity": min(quantity, MAX_NUMBER)}] * 2


@pytest.mark.parametrize("body", UNUSUAL, ids=str)
def test_an_unusual_body_goes_to_flask(both: BothRoutes, headers: dict[str, str], body: Body) -> None:
    both.send("POST", "/v1/bookings", headers, **body)
    assert both.flask_calls == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer x.y.z"},
        {"Authorization": "Basic abc"},
        {"Idempotency-Key": ""},
        {"Idempotency-Key": "é" * 3},
        {"Idempotency-Key": "x" * 201},
    ],
    ids=str,
)
def test_unusual_headers_go_to_flask(both: BothRoutes, headers: dict[str, str], changed: dict[str, str]) -> None:
    sent = {name: value for name, value in {**headers, **changed}.items() if value}
    answer = both.send("POST", "/v1/bookings", sent, json=BODY)
    assert answer.status_code in (401, 422)
    assert (both.flask_calls, both.platform.called("book")) == (1, [])


def test_an_expired_token_is_refused(both: BothRoutes, signed_in: Any) -> None:
    expired = {**signed_in("beneficiary", minutes=-1), "Idempotency-Key": "one"}
    assert both.send("POST", "/v1/bookings", expired, json=BODY).status_code == 401


@pytest.mark.parametrize("path", ["/v1/offers/7", "/v1/offers/8", "/v1/offers/x", "/v1/offers/7/", "/v1/offers/07"])
def test_an_offer_is_the_same_as_from_flask(both: BothRoutes, path: str) -> None:
    flask = both.platform.client.get(path, headers={REQUEST_ID: "the-same"})
    fast = Client(FastRoutes(both.platform.ports, both.flask_counted)).get(path, headers={REQUEST_ID: "the-same"})
    assert (fast.status, fast.data) == (flask.status, flask.data)
    assert sorted(fast.headers.items()) == sorted(flask.headers.items())


def test_an_unchanged_offer_is_304(both: BothRoutes) -> None:
    first = both.fast.get("/v1/offers/7")
    assert first.headers["Cache-Control"] == "public, no-cache"
    unchanged = {"If-None-Match": first.headers["ETag"], REQUEST_ID: "the-same"}
    assert (both.send("GET", "/v1/offers/7", unchanged).status_code, both.flask_calls) == (304, 1)
    changed = {"If-None-Match": '"another"', REQUEST_ID: "the-same"}
    again = both.send("GET", "/v1/offers/7", changed)
    assert (again.data, again.headers["ETag"]) == (first.data, first.headers["ETag"])


def test_an_existing_offer_bypasses_flask(both: BothRoutes) -> None:
    answer = both.fast.get("/v1/offers/7")
    assert (answer.status_code, both.flask_calls) == (200, 0)


def test_a_query_string_goes_to_flask(both: BothRoutes) -> None:
    both.fast.get("/v1/offers/7?a=1")
    assert both.flask_calls == 1


@pytest.mark.parametrize(("method", "path"), DESK)
def test_the_desk_bypasses_flask(both: BothRoutes, by_key: dict[str, str], method: str, path: str) -> None:
    assert both.send(method, path, by_key).status_code in (200, 204)
    assert both.flask_calls == 0


@pytest.mark.parametrize(("method", "path"), DESK)
@pytest.mark.parametrize("status", [403, 404, 410, 422, 503])
@pytest.mark.parametrize("key", ["booking", "booking_cancelled", None])
def test_a_refusal_of_booking_has_the_format_of_the_desk(
    both: BothRoutes, by_key: dict[str, str], method: str, path: str, status: int, key: str | None
) -> None:
    for name in ("desk-look-up", "desk-use"):
        both.platform.answers("booking", name, refused(status, key))
    assert both.send(method, path, by_key).status_code >= 400
    assert both.flask_calls == 0


@pytest.mark.parametrize(("method", "path"), DESK)
@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer no-such-key", "Bearer a.b.c", "Basic x"])
def test_bad_credentials_at_the_desk_are_refused(both: BothRoutes, method: str, path: str, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    for _ in range(11):
        last = both.send(method, path, headers)
    assert last.status_code == (429 if len(authorization.split()) == 2 and "Basic" not in authorization else 401)


@pytest.mark.parametrize("countermark", ["ABCDE", "ABCDEFG", "ABC DE", "%C3%A9BCDEF", "abcdef", "ABC%2FDE"])
def test_unusual_countermarks_are_answered_alike(both: BothRoutes, by_key: dict[str, str], countermark: str) -> None:
    for method, path in DESK:
        both.send(method, path.replace("ABCDEF", countermark), by_key)


def test_an_answer_against_its_schema_is_500(both: BothRoutes, headers: dict[str, str]) -> None:
    both.platform.answers("booking", "book", {"no": "booking"})
    assert both.send("POST", "/v1/bookings", headers, json=BODY).status_code == 500


def test_every_fast_route_is_a_route_of_flask(both: BothRoutes) -> None:
    known = {(method, str(rule)) for rule in both.platform.app.url_map.iter_rules() for method in rule.methods}
    assert {(method, route.rule) for (method, _), route in ROUTES.items()} <= known
