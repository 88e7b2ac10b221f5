"""The hot routes answer as Flask does, header for header: each request is asked both ways."""

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

HERE = "X-Request-Id"
Asked = dict[str, Any]


class BothWays:
    """The same request to Flask alone, and to Flask with the hot routes in front."""

    def __init__(self, platform: Any) -> None:
        self.platform = platform
        self.left_to_flask = 0
        self._hot = Client(FastRoutes(platform.ports, self._counted, "raise"))

    def _counted(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.left_to_flask += 1
        return self.platform.app(environ, start_response)

    def ask(self, method: str, path: str, headers: dict[str, str], **body: Any) -> Any:
        """The answer, the same both ways; refusals are counted by address, so each way comes from its own."""
        answers = []
        for client, address in ((self.platform.client, "10.0.0.1"), (self._hot, "10.0.0.2")):
            given = {**headers, HERE: "the-same"}
            answers.append(
                client.open(path, method=method, headers=given, environ_base={"REMOTE_ADDR": address}, **body)
            )
        flask, hot = answers
        assert (hot.status, hot.data) == (flask.status, flask.data)
        assert sorted(hot.headers.items()) == sorted(flask.headers.items())
        return hot


@pytest.fixture
def both(platform: Any) -> BothWays:
    platform.answers("booking", "book", booking(7))
    platform.answers("booking", "desk-look-up", BOOKED)
    platform.answers("booking", "desk-use", {})
    platform.answers("identity", "people", {"people": {"42": PERSON}})
    return BothWays(platform)


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


def test_a_booking(both: BothWays, headers: dict[str, str]) -> None:
    answer = both.ask("POST", "/v1/bookings", headers, json=BODY)
    assert (answer.status_code, answer.json["countermark"], both.left_to_flask) == (201, "ABCDEF", 0)


def test_an_address_with_a_place_for_the_e_mail_is_filled_for_its_person(
    both: BothWays, headers: dict[str, str]
) -> None:
    digital = {**booking(7), "completedUrl": "https://example.org/?to={email}&code=ABCDEF"}
    both.platform.answers("booking", "book", digital)
    both.platform.answers("booking", "booking", digital)
    both.platform.answers("booking", "bookings", {"items": [digital], "nextCursor": None})
    person = {**PERSON, "email": "zoe+pass&x@example.org"}
    both.platform.answers("identity", "people", {"people": {"11": person}})
    filled = "https://example.org/?to=zoe%2Bpass%26x@example.org&code=ABCDEF"
    assert both.ask("POST", "/v1/bookings", headers, json=BODY).json["completedUrl"] == filled
    assert both.left_to_flask == 0
    client = both.platform.client
    assert client.get("/v1/me/bookings/7", headers=headers).json["completedUrl"] == filled
    assert client.get("/v1/me/bookings", headers=headers).json["items"][0]["completedUrl"] == filled
    both.platform.answers("identity", "people", Unavailable("away"))
    assert client.get("/v1/me/bookings/7", headers=headers).json["completedUrl"] == digital["completedUrl"]


def test_a_booking_with_a_version_has_its_tag(both: BothWays, headers: dict[str, str]) -> None:
    both.platform.answers("booking", "book", {**booking(7), "version": 4})
    answer = FastRoutes(both.platform.ports, both._counted)
    tagged = Client(answer).post("/v1/bookings", headers=headers, json=BODY)
    assert tagged.headers["ETag"] == '"4"'


REFUSALS = [
    Refused({"code": "already-booked", "status": 409, "detail": "", "errors": {}, "extra": {}}),
    Refused({"code": "invalid", "status": 422, "detail": "x", "errors": {"a": ["b"]}, "extra": {"more": 1}}),
    OutcomePending("ask again"),
    Unavailable("away"),
    ZeroDivisionError("a fault of ours"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("replayed", [False, True])
def test_what_booking_refuses(both: BothWays, headers: dict[str, str], refusal: Exception, replayed: bool) -> None:
    if replayed and isinstance(refusal, Refused):
        refusal.replayed = True
    both.platform.answers("booking", "book", refusal)
    answer = both.ask("POST", "/v1/bookings", headers, json=BODY)
    assert answer.status_code >= 400
    assert both.left_to_flask == 0


UNUSUAL: list[Asked] = [
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
def test_how_many_are_too_many_is_for_booking_to_say(both: BothWays, headers: dict[str, str], quantity: int) -> None:
    too_many = Refused({"code": "quantity-invalid", "status": 409, "detail": "", "errors": {}, "extra": {}})
    both.platform.answers("booking", "book", too_many)
    body = f'{{"stockId":3,"quantity":{quantity}}}'.encode()
    answer = both.ask("POST", "/v1/bookings", headers, data=body, content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (409, "quantity-invalid")
    assert both.left_to_flask == (quantity > MAX_NUMBER)
    assert both.platform.called("book") == [{"stockId": 3, "quantity": min(quantity, MAX_NUMBER)}] * 2


@pytest.mark.parametrize("body", UNUSUAL, ids=str)
def test_a_body_that_is_not_as_expected_is_left_to_flask(both: BothWays, headers: dict[str, str], body: Asked) -> None:
    both.ask("POST", "/v1/bookings", headers, **body)
    assert both.left_to_flask == 1


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
def test_a_header_that_is_not_as_expected_is_left_to_flask(
    both: BothWays, headers: dict[str, str], changed: dict[str, str]
) -> None:
    given = {name: value for name, value in {**headers, **changed}.items() if value}
    answer = both.ask("POST", "/v1/bookings", given, json=BODY)
    assert answer.status_code in (401, 422)
    assert (both.left_to_flask, both.platform.called("book")) == (1, [])


def test_an_expired_token_is_no_token_any_more(both: BothWays, signed_in: Any) -> None:
    late = {**signed_in("beneficiary", minutes=-1), "Idempotency-Key": "one"}
    assert both.ask("POST", "/v1/bookings", late, json=BODY).status_code == 401


@pytest.mark.parametrize("path", ["/v1/offers/7", "/v1/offers/8", "/v1/offers/x", "/v1/offers/7/", "/v1/offers/07"])
def test_an_offer(both: BothWays, path: str) -> None:
    flask = both.platform.client.get(path, headers={HERE: "the-same"})
    hot = Client(FastRoutes(both.platform.ports, both._counted)).get(path, headers={HERE: "the-same"})
    assert (hot.status, hot.data) == (flask.status, flask.data)
    assert sorted(hot.headers.items()) == sorted(flask.headers.items())


def test_an_offer_that_is_kept_is_sent_again_only_when_it_has_changed(both: BothWays) -> None:
    first = both._hot.get("/v1/offers/7")
    assert first.headers["Cache-Control"] == "public, no-cache"
    kept = {"If-None-Match": first.headers["ETag"], HERE: "the-same"}
    assert (both.ask("GET", "/v1/offers/7", kept).status_code, both.left_to_flask) == (304, 1)
    other = {"If-None-Match": '"another"', HERE: "the-same"}
    again = both.ask("GET", "/v1/offers/7", other)
    assert (again.data, again.headers["ETag"]) == (first.data, first.headers["ETag"])


def test_an_offer_that_is_there_needs_no_flask(both: BothWays) -> None:
    answer = both._hot.get("/v1/offers/7")
    assert (answer.status_code, both.left_to_flask) == (200, 0)


def test_a_query_is_left_to_flask(both: BothWays) -> None:
    both._hot.get("/v1/offers/7?a=1")
    assert both.left_to_flask == 1


@pytest.mark.parametrize(("method", "path"), DESK)
def test_the_desk(both: BothWays, by_key: dict[str, str], method: str, path: str) -> None:
    assert both.ask(method, path, by_key).status_code in (200, 204)
    assert both.left_to_flask == 0


@pytest.mark.parametrize(("method", "path"), DESK)
@pytest.mark.parametrize("status", [403, 404, 410, 422, 503])
@pytest.mark.parametrize("key", ["booking", "booking_cancelled", None])
def test_what_the_desk_is_refused(
    both: BothWays, by_key: dict[str, str], method: str, path: str, status: int, key: str | None
) -> None:
    for name in ("desk-look-up", "desk-use"):
        both.platform.answers("booking", name, refused(status, key))
    assert both.ask(method, path, by_key).status_code >= 400
    assert both.left_to_flask == 0


@pytest.mark.parametrize(("method", "path"), DESK)
@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer no-such-key", "Bearer a.b.c", "Basic x"])
def test_who_has_no_right_at_the_desk(both: BothWays, method: str, path: str, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    for _ in range(11):
        last = both.ask(method, path, headers)
    assert last.status_code == (429 if len(authorization.split()) == 2 and "Basic" not in authorization else 401)


@pytest.mark.parametrize("mark", ["ABCDE", "ABCDEFG", "ABC DE", "%C3%A9BCDEF", "abcdef", "ABC%2FDE"])
def test_what_is_typed_at_the_desk(both: BothWays, by_key: dict[str, str], mark: str) -> None:
    for method, path in DESK:
        both.ask(method, path.replace("ABCDEF", mark), by_key)


def test_an_answer_that_is_not_as_documented_is_found_here_too(both: BothWays, headers: dict[str, str]) -> None:
    both.platform.answers("booking", "book", {"no": "booking"})
    assert both.ask("POST", "/v1/bookings", headers, json=BODY).status_code == 500


def test_every_hot_route_is_a_route_of_the_framework(both: BothWays) -> None:
    known = {(method, str(rule)) for rule in both.platform.app.url_map.iter_rules() for method in rule.methods}
    assert {(method, route.rule) for (method, _), route in ROUTES.items()} <= known
