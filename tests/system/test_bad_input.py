"""Invalid requests get a problem document with a code, never a 500, and store nothing."""

from __future__ import annotations

import base64
import json
import re
import socket
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.client import HTTPResponse
from itertools import chain
from typing import Any
from urllib.parse import quote

import pytest

from shared.kernel.french import NO_BREAK
from shared.kernel.time import instant_text
from tests.french import objection
from tests.platform import Answer, Platform
from tests.system.scenario import Actor, Beneficiary, Scenario, key
from tests.waiting import TIMEOUT_SECONDS

THIRTY_DIGITS = 10**29 + 1
UNKNOWN = 9_007_199_254_740_991
ACCESSIBLE = {"audio": False, "mental": False, "motor": True, "visual": False}


@pytest.fixture(scope="module")
def actor(scenario: Scenario) -> Actor:
    return scenario.actor()


@pytest.fixture(scope="module")
def stranger(scenario: Scenario) -> Actor:
    return scenario.actor()


@pytest.fixture(scope="module")
def person(scenario: Scenario) -> Beneficiary:
    return scenario.young_person()


@pytest.fixture
def nothing_stored(platform: Platform) -> Iterator[None]:
    """Asserts that no service stores an event during the test."""
    platform.wait_idle()
    before = platform.event_counts()
    yield
    platform.wait_idle()
    assert platform.event_counts() == before


def assert_refused(answer: Answer, *outcomes: tuple[int, str]) -> None:
    """Asserts that the response is a complete problem document with one of the outcomes, if any are given."""
    assert 400 <= answer.status < 500, answer
    assert answer.headers.get_content_type() == "application/problem+json", answer
    problem = answer.json
    assert problem["status"] == answer.status
    assert problem["type"].endswith(problem["code"])
    assert problem["title"] and problem["detail"] is not None
    assert "Traceback" not in answer.body.decode()
    texts = [problem["detail"], *chain.from_iterable(problem.get("errors", {}).values())]
    sentences = [text.partition(f"{NO_BREAK}:")[0] for text in texts if text]  # names of fields follow the colon
    assert [found for text in sentences if (found := objection(text))] == [], answer
    if outcomes:
        assert answer.outcome in outcomes, answer


# --- all writing routes of the OpenAPI document --------------------------------------------------------------------

Route = tuple[str, str, dict[str, Any]]


def write_routes(platform: Platform) -> list[Route]:
    """Method, path with an unknown identifier, and operation."""
    document = platform.get("/openapi.json")
    found = []
    for template, operations in document["paths"].items():
        if template.startswith(("/v2/", "/public/")):
            continue  # the desk has another error format and other tests
        for method, operation in operations.items():
            if method in ("post", "put", "patch", "delete"):
                found.append((method.upper(), re.sub(r"\{[^}]*\}", str(UNKNOWN), template), operation))
    assert len(found) > 35, "the document has too few writing routes"
    return found


def properties(platform: Platform, operation: dict[str, Any]) -> dict[str, Any]:
    """The fields of a route's body, with references resolved; empty without a body."""
    schemas = platform.get("/openapi.json")["components"]["schemas"]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    found: dict[str, Any] = schema.get("properties", {})
    return found


ROLES = ("beneficiary", "pro", "staff", "finance", "operator")


def bearer_for(scenario: Scenario, path: str, actor: Actor, person: Beneficiary) -> str | None:
    """A token with the rights for the route."""
    audience = path.split("/")[2]
    if audience in ("staff", "finance"):
        return scenario.platform.token(audience)
    if audience == "ops":
        return scenario.platform.token("operator")
    return actor.token if audience == "pro" and path != "/v1/pro/accounts" else person.token


InvalidBody = Callable[[dict[str, Any]], Any]
INVALID_BODIES: dict[str, InvalidBody] = {
    "not JSON": lambda _: b"{",
    "not UTF-8": lambda _: b'{"a": "\xff\xfe"}',
    "a list": lambda _: [],
    "a number": lambda _: 7,
    "an unknown field": lambda _: {"evil": 1},
    "numbers of 30 digits": lambda fields: dict.fromkeys(fields, THIRTY_DIGITS),
    "nulls": lambda fields: dict.fromkeys(fields),
    "objects everywhere": lambda fields: {name: {"$ne": 1} for name in fields},
    "control characters": lambda fields: dict.fromkeys(fields, "a\r\nBcc: b\x00"),
    "a deep nesting": lambda _: b"[" * 50_000,
}


@pytest.mark.parametrize("kind", INVALID_BODIES)
def test_invalid_body_is_refused_by_every_route(
    scenario: Scenario, actor: Actor, person: Beneficiary, nothing_stored: None, kind: str
) -> None:
    for method, path, operation in write_routes(scenario.platform):
        if method == "DELETE":
            continue
        fields = properties(scenario.platform, operation)
        body = INVALID_BODIES[kind](fields)
        if body == {}:
            continue  # an empty body is valid for a route without fields
        token = bearer_for(scenario, path, actor, person)
        assert_refused(scenario.platform.call(method, path, body, token, key=key(), source="127.0.0.6"))


def test_unsupported_media_type_and_too_large_body_are_refused(
    scenario: Scenario, actor: Actor, nothing_stored: None
) -> None:
    path = f"/v1/pro/offerers/{actor.offerer_id}/bank-details"
    form = scenario.platform.call("POST", path, b"iban=1", actor.token, headers={"Content-Type": "text/plain"})
    assert_refused(form, (415, "unsupported-media-type"))
    assert_refused(scenario.platform.call("POST", path, b" " * (1024 * 1024 + 1), actor.token), (413, "too-large"))


SMUGGLED = b"GET /v1/settings HTTP/1.1\r\nHost: x\r\n\r\n"
AMBIGUOUS_LENGTHS = {
    "in chunks": (b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", (411, "length-required")),
    "in chunks without an end": (b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n{}", (411, "length-required")),
    "another encoding": (b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", (411, "length-required")),
    "an unknown encoding": (b"Transfer-Encoding: x\r\n\r\n" + SMUGGLED, (411, "length-required")),
    "two lengths": (b"Content-Length: 2\r\nContent-Length: 47\r\n\r\n{}" + SMUGGLED, (400, "bad-request")),
    "two lengths in one": (b"Content-Length: 2, 2\r\n\r\n{}", (400, "bad-request")),
    "not a number": (b"Content-Length: 0_2\r\n\r\n{}", (400, "bad-request")),
    "a sign": (b"Content-Length: +2\r\n\r\n{}", (400, "bad-request")),
    "a length and chunks": (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", (400, "bad-request")),
    "a length above the limit": (b"Content-Length: 99999999999\r\n\r\n{}", (413, "too-large")),
}


@pytest.mark.parametrize("kind", AMBIGUOUS_LENGTHS)
def test_ambiguous_body_length_is_refused(scenario: Scenario, nothing_stored: None, kind: str) -> None:
    rest, outcome = AMBIGUOUS_LENGTHS[kind]
    status, media_type, body = over_the_wire(scenario.platform, b"/v1/auth/sign-in", rest)
    code = json.loads(body)["code"] if media_type == "application/problem+json" else ""
    assert (status, code) == outcome


def test_desk_refuses_chunks_in_its_own_format(scenario: Scenario) -> None:
    rest, _ = AMBIGUOUS_LENGTHS["in chunks"]
    status, media_type, body = over_the_wire(scenario.platform, b"/v2/bookings/token/ABCDEF", rest)
    assert (status, media_type, list(json.loads(body))) == (411, "application/json", ["global"])


def over_the_wire(platform: Platform, path: bytes, rest: bytes) -> tuple[int, str, bytes]:
    """The only response before the server closes the connection."""
    head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", platform.port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(head + rest)
        answer = HTTPResponse(connection)
        answer.begin()
        body = answer.read()
        assert connection.recv(1) == b"", "the smuggled request was answered"
    return answer.status, answer.headers.get_content_type(), body


def test_missing_invalid_and_unauthorized_tokens_are_refused(
    scenario: Scenario, actor: Actor, person: Beneficiary, nothing_stored: None
) -> None:
    for method, path, operation in write_routes(scenario.platform):
        if not operation.get("security"):
            continue
        body = None if method == "DELETE" else {}
        assert_refused(scenario.platform.call(method, path, body), (401, "unauthorized"))
        assert_refused(scenario.platform.call(method, path, body, "not.a.token"), (401, "token-invalid"))
        if path.startswith(("/v1/pro/", "/v1/staff/", "/v1/finance/", "/v1/ops/")):
            assert_refused(scenario.platform.call(method, path, body, person.token), (403, "forbidden"))


def test_unknown_identifier_is_not_found(
    scenario: Scenario, actor: Actor, person: Beneficiary, nothing_stored: None
) -> None:
    for method, path, operation in write_routes(scenario.platform):
        if str(UNKNOWN) not in path or operation.get("requestBody", {}).get("required"):
            continue
        token = bearer_for(scenario, path, actor, person)
        answer = scenario.platform.call(method, path, None, token, key=key())
        assert_refused(answer)
        assert answer.status == 404 and answer.code.endswith("not-found"), answer


@pytest.mark.parametrize("identifier", ["0", "-1", "x", "1.5", "1e3", str(THIRTY_DIGITS), "%00", "1%2F2", "é"])
def test_invalid_identifier_is_not_found(
    scenario: Scenario, person: Beneficiary, nothing_stored: None, identifier: str
) -> None:
    text = identifier if "%" in identifier else quote(identifier)
    for path in (f"/v1/offers/{text}", f"/v1/me/bookings/{text}", f"/v1/finance/payouts/{text}"):
        token = scenario.platform.token("finance") if "finance" in path else person.token
        assert_refused(scenario.platform.call("GET", path, None, token), (404, "not-found"))
    assert_refused(
        scenario.platform.call("POST", f"/v1/me/bookings/{text}/cancel", {}, person.token, key=key()),
        (404, "not-found"),
    )


@pytest.mark.parametrize("bad_key", ["", " ", "a b", "x" * 201, "clé"])
def test_invalid_idempotency_key_is_refused(
    scenario: Scenario, actor: Actor, person: Beneficiary, nothing_stored: None, bad_key: str
) -> None:
    headers = {"Idempotency-Key": bad_key.encode().decode("latin-1")}
    answer = scenario.platform.call(
        "POST", "/v1/bookings", {"stockId": 1, "quantity": 1}, person.token, headers=headers
    )
    assert_refused(answer, (422, "idempotency-key-invalid"), (422, "idempotency-key-required"))


# --- reads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "cursor=%00%ff",
        "cursor=abc",
        "cursor=" + "A" * 5000,
        "lat=999&lon=1",
        "lat=x&lon=1",
        "lat=1",
        "lat=nan&lon=nan",
        "limit=0",
        f"limit={THIRTY_DIGITS}",
        "priceMinCents=-1",
        "from=yesterday",
        "kind=boat",
        "sort=random",
        "isFree=maybe",
        "unknown=1",
        "q=%00",
        "category=NONE_SUCH",
    ],
)
def test_invalid_search_is_refused(scenario: Scenario, nothing_stored: None, query: str) -> None:
    assert_refused(scenario.platform.call("GET", f"/v1/offers?{query}"), (422, "invalid"), (422, "cursor-invalid"))


LISTS = {
    "/v1/offers": "offers",
    "/v1/me/bookings": "bookings",
    "/v1/me/credit/entries": "entries",
    "/v1/pro/bookings": "recap",
    "/v1/pro/reimbursements": "reimbursements",
    "/v1/pro/venues/{venue_id}/offers": "offers-{venue_id}",
    "/v1/staff/offerers": "pending-offerers",
    "/v1/staff/attachments": "pending-attachments",
    "/v1/staff/identity-checks": "pending-identity-checks",
    "/v1/staff/offers": "pending-offers",
    "/v1/staff/bank-details": "pending-bank-details",
    "/v1/finance/payouts": "payouts",
    "/v1/ops/dead-letters": "dead-letters",
}
"""Every list with cursors, and the list name that its cursors contain."""


def test_all_lists_with_cursors_are_tested(platform: Platform) -> None:
    paths = platform.get("/openapi.json")["paths"]
    listed = {
        path
        for path, operations in paths.items()
        if any(
            one["in"] == "query" and one["name"] == "cursor" for one in operations.get("get", {}).get("parameters", [])
        )
    }
    assert listed == set(LISTS)


def lists(scenario: Scenario, actor: Actor, person: Beneficiary) -> Iterator[tuple[str, str, str | None]]:
    """The path of each list, the name in its cursors, and a token with the rights for it."""
    venue_id = scenario.venue(actor)
    for template, name in LISTS.items():
        path = template.format(venue_id=venue_id)
        token = None if path == "/v1/offers" else bearer_for(scenario, path, actor, person)
        yield path, name.format(venue_id=venue_id), token


@pytest.mark.parametrize("cursor", ["%00", "abc", "eyJhIjoxfQ", "-1", str(THIRTY_DIGITS), "A" * 3000])
def test_invalid_cursor_is_refused(scenario: Scenario, actor: Actor, person: Beneficiary, cursor: str) -> None:
    for path, _, token in lists(scenario, actor, person):
        answer = scenario.platform.call("GET", f"{path}?cursor={cursor}", token=token)
        assert_refused(answer, (422, "cursor-invalid"), (422, "invalid"))


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "a limit that is not a number": ({"limit": "x"}, "1"),
    "a negative limit": ({"limit": -5}, "1"),
    "a limit above the maximum": ({"limit": THIRTY_DIGITS}, "1"),
    "a filter that is an object": ({"status": {"$ne": 1}, "venueId": {}, "asOf": [], "periodFrom": 7}, "1"),
    "the data of others": ({"personId": 1, "venueId": 1, "offererId": 1, "what": "offerers"}, "1"),
    "a position above the maximum": ({}, "9" * 25),
    "an invalid position": ({}, "x"),
}


@pytest.mark.parametrize("kind", FORGED)
def test_forged_cursor_is_refused(scenario: Scenario, actor: Actor, person: Beneficiary, kind: str) -> None:
    filters, inner = FORGED[kind]
    for path, name, token in lists(scenario, actor, person):
        plain = json.dumps([name, filters, inner]).encode()
        compressed = zlib.compress(json.dumps([1, [filters] * 15, [inner, inner]]).encode())
        for raw in (plain, bytes(16) + plain, bytes(32) + plain, compressed):
            cursor = base64.urlsafe_b64encode(raw).decode().rstrip("=")
            answer = scenario.platform.call("GET", f"{path}?cursor={cursor}", token=token)
            assert_refused(answer, (422, "cursor-invalid"))


@pytest.mark.parametrize(
    "query", ["after=-5", "after=x", f"after={THIRTY_DIGITS}", "limit=0", "limit=1001", "wait=9999"]
)
def test_invalid_event_position_is_refused(scenario: Scenario, query: str) -> None:
    assert_refused(
        scenario.platform.call("GET", f"/v1/finance/events?{query}", token=scenario.platform.token("finance")),
        (422, "invalid"),
    )


def test_unknown_path_and_method_are_refused(scenario: Scenario) -> None:
    assert_refused(scenario.platform.call("GET", "/v1/nowhere"), (404, "not-found"))
    assert_refused(scenario.platform.call("GET", "/../../etc/passwd"), (404, "not-found"))
    assert_refused(scenario.platform.call("PUT", "/v1/offers", {}), (405, "method-not-allowed"))


# --- domain rules --------------------------------------------------------------------------------------------------


def account(**fields: Any) -> dict[str, Any]:
    return {
        "email": "new@example.org",
        "password": "Correct-horse-9-battery",
        "firstName": "Zoé",
        "lastName": "Martin",
        "birthDate": "2003-06-15",
        "postalCode": "80000",
        **fields,
    }


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({"email": "a\r\nb@x.org"}, "invalid"),
        ({"email": "nobody"}, "invalid"),
        ({"email": "x" * 300 + "@example.org"}, "invalid"),
        ({"password": "short"}, "password-weak"),
        ({"password": "alllowercaseletters"}, "password-weak"),
        ({"firstName": ""}, "invalid"),
        ({"firstName": "a\nb"}, "invalid"),
        ({"birthDate": "2050-01-01"}, "invalid too-young"),
        ({"birthDate": "2003-02-30"}, "invalid"),
        ({"birthDate": "15/06/2003"}, "invalid"),
        ({"birthDate": "2015-01-01"}, "too-young"),
        ({"postalCode": "1"}, "invalid"),
        ({"phoneNumber": "12"}, "invalid phone-invalid"),
        ({"phoneNumber": THIRTY_DIGITS}, "invalid"),
        ({"isAdmin": True}, "invalid"),
    ],
)
def test_invalid_account_is_refused(
    scenario: Scenario, nothing_stored: None, fields: dict[str, Any], codes: str
) -> None:
    answer = scenario.platform.call("POST", "/v1/accounts", account(**fields), source="127.0.0.7")
    assert_refused(answer, *((422, code) for code in codes.split()))


@pytest.mark.parametrize("siren", ["123456789", "12345678", "abcdefghi", "", "1" * 30, "000000001"])
def test_invalid_siren_is_refused(scenario: Scenario, nothing_stored: None, siren: str) -> None:
    body = {
        "email": "new-pro@example.org",
        "password": "Correct-horse-9-battery",
        "firstName": "Sarah",
        "lastName": "Lang",
        "phoneNumber": "+33631441045",
        "siren": siren,
        "contactConsent": True,
    }
    answer = scenario.platform.call("POST", "/v1/pro/accounts", body, source="127.0.0.8")
    assert_refused(answer, (422, "siren-invalid"), *([(422, "invalid")] if len(siren) != 9 else []))


def a_venue(**fields: Any) -> dict[str, Any]:
    return {
        "name": "Musée",
        "address": "1 rue",
        "postalCode": "67000",
        "city": "Strasbourg",
        "lat": 48.58,
        "lon": 7.74,
        "venueType": "MUSEUM",
        "accessibility": ACCESSIBLE,
        **fields,
    }


def test_invalid_venue_is_refused(scenario: Scenario, actor: Actor, stranger: Actor, nothing_stored: None) -> None:
    siren, taken = actor.structure.siren, scenario.siret(actor)
    path = f"/v1/pro/offerers/{actor.offerer_id}/venues"

    def open_venue(token: str = actor.token, at: str = path, **fields: Any) -> Answer:
        return scenario.platform.post(at, a_venue(**fields), token)

    assert_refused(open_venue(siret=f"{siren}00000"), (422, "siret-invalid"))
    assert_refused(open_venue(siret=scenario.siret(stranger)), (422, "siret-invalid"), (409, "conflict"))
    again = open_venue(siret=taken)
    assert_refused(again)
    assert again.status in (409, 422)
    assert_refused(open_venue(), (422, "invalid"))  # neither a SIRET nor a comment
    assert_refused(open_venue(comment="sans SIRET", lat=91), (422, "invalid"))
    assert_refused(open_venue(comment="sans SIRET", venueType="BOAT"), (422, "invalid"))
    assert_refused(open_venue(comment="sans SIRET", accessibility={}), (422, "invalid"))
    assert_refused(open_venue(stranger.token, comment="pas à moi"), (404, "not-found"))


def test_invalid_bank_details_are_refused(
    scenario: Scenario, actor: Actor, stranger: Actor, nothing_stored: None
) -> None:
    good = {"iban": "FR7630001007941234567890185", "bic": "BDFEFRPPCCT", "holder": "Star"}
    path = f"/v1/pro/offerers/{actor.offerer_id}/bank-details"

    def give(token: str = actor.token, at: str = path, **fields: Any) -> Answer:
        return scenario.platform.post(at, {**good, **fields}, token)

    for field, value in (("iban", "FR7630001007941234567890186"), ("iban", "0" * 27), ("bic", "NOTABIC")):
        answer = give(**{field: value})
        assert_refused(answer, (422, "bank-details-invalid"))
        assert list(answer.json["errors"]) == [field]
    assert_refused(give(holder=""), (422, "invalid"))
    assert_refused(give(iban=THIRTY_DIGITS), (422, "invalid"))
    assert_refused(give(stranger.token), (404, "not-found"))
    venue = f"/v1/pro/venues/{scenario.venue(actor)}/bank-details"
    assert_refused(give(stranger.token, venue), (404, "not-found"))


@pytest.fixture(scope="module")
def published(scenario: Scenario, actor: Actor) -> dict[str, Any]:
    begins = scenario.platform.now() + timedelta(days=20)
    concert = scenario.publish(actor, 1000, 5, subcategory="CONCERT", begins=begins, name="Concert")
    book = scenario.publish(actor, 1000, 5)
    return {"concert": concert, "book": book, "begins": begins}


def test_invalid_offer_is_refused(scenario: Scenario, actor: Actor, stranger: Actor, nothing_stored: None) -> None:
    path = f"/v1/pro/venues/{scenario.venue(actor)}/offers"
    good = {"name": "Livre", "subcategory": "LIVRE_PAPIER", "description": ""}

    def publish(token: str = actor.token, **fields: Any) -> Answer:
        return scenario.platform.post(path, {**good, **fields}, token)

    assert_refused(publish(subcategory="NONE_SUCH"), (422, "invalid"))
    assert_refused(publish(name=""), (422, "invalid"))
    assert_refused(publish(name="x" * 91), (422, "invalid"))
    assert_refused(publish(subcategory="VOD", url="https://example.org"))  # an online offer in a physical venue
    assert_refused(publish(url="javascript:alert(1)"), (422, "invalid"))
    assert_refused(publish(isDuo="yes"), (422, "invalid"))
    assert_refused(publish(isDuo=True))  # a book cannot be a duo offer
    assert_refused(publish(durationMinutes=-1), (422, "invalid"))
    assert_refused(publish(stranger.token), (404, "not-found"))


def test_invalid_stock_is_refused(
    scenario: Scenario, actor: Actor, stranger: Actor, published: dict[str, Any], nothing_stored: None
) -> None:
    now, begins = scenario.platform.now(), published["begins"]
    of_concert = f"/v1/pro/offers/{published['concert'].offer_id}/stocks"
    of_book = f"/v1/pro/offers/{published['book'].offer_id}/stocks"

    def add(path: str, token: str = actor.token, **fields: Any) -> Answer:
        return scenario.platform.post(path, {"priceCents": 1000, "quantity": 5, **fields}, token)

    assert_refused(add(of_book, priceCents=-1), (422, "invalid"))
    assert_refused(add(of_book, priceCents=10.5), (422, "invalid"))
    assert_refused(add(of_book, priceCents=THIRTY_DIGITS), (422, "invalid"))
    assert_refused(add(of_book, priceCents=30001))  # things cost at most 300 €
    assert_refused(add(of_book, quantity=-1), (422, "invalid"))
    assert_refused(add(of_book, beginningAt=instant_text(begins)))  # a thing has no date
    assert_refused(add(of_concert))  # an event needs a date
    assert_refused(add(of_concert, beginningAt=instant_text(now - timedelta(days=1))))
    late = instant_text(begins + timedelta(days=1))
    assert_refused(add(of_concert, beginningAt=instant_text(begins), bookingLimitAt=late))
    assert_refused(add(of_concert, beginningAt="2021-12-01"), (422, "invalid"))
    assert_refused(add(of_book, stranger.token), (404, "not-found"))
    stock = f"/v1/pro/stocks/{published['book'].stock_id}"
    assert_refused(scenario.platform.call("PATCH", stock, {"priceCents": 1}, stranger.token), (404, "not-found"))
    assert_refused(scenario.platform.call("DELETE", stock, None, stranger.token), (404, "not-found"))
    assert_refused(scenario.platform.call("PATCH", stock, {"priceCents": -1}, actor.token), (422, "invalid"))
    offer = f"/v1/pro/offers/{published['book'].offer_id}"
    for method, path, body in (
        ("PATCH", stock, {"priceCents": 900}),
        ("DELETE", stock, None),
        ("PATCH", offer, {"name": "Another"}),
        ("POST", f"{offer}/activate", {}),
        ("POST", f"{offer}/deactivate", {}),
    ):
        stale = scenario.platform.call(method, path, body, actor.token, headers={"If-Match": '"9999"'})
        assert_refused(stale, (412, "precondition-failed"))


def test_invalid_booking_is_refused(
    scenario: Scenario, person: Beneficiary, published: dict[str, Any], nothing_stored: None
) -> None:
    stock = published["book"].stock_id
    for body in (
        {"stockId": "x", "quantity": 1},
        {"stockId": stock, "quantity": 1, "evil": 1},
        {"stockId": THIRTY_DIGITS, "quantity": 1},
        {"stockId": stock},
        {"quantity": 1},
        {"stockId": -1, "quantity": 1},
        {"stockId": stock, "quantity": True},
        {"stockId": None, "quantity": 1},
    ):
        assert_refused(scenario.platform.post("/v1/bookings", body, person.token), (422, "invalid"))
    for quantity in (0, -1, -THIRTY_DIGITS, 1.0, "2"):
        assert_refused(
            scenario.platform.post("/v1/bookings", {"stockId": stock, "quantity": quantity}, person.token),
            (422, "invalid"),
        )
    for quantity in (2, 10**6 + 1, UNKNOWN, UNKNOWN + 1, THIRTY_DIGITS):
        answer = scenario.platform.post("/v1/bookings", {"stockId": stock, "quantity": quantity}, person.token)
        assert_refused(answer, (409, "quantity-invalid"))
    duplicate = f'{{"stockId": {stock}, "stockId": {stock}, "quantity": 1}}'.encode()
    assert_refused(
        scenario.platform.call("POST", "/v1/bookings", duplicate, person.token, key=key()), (400, "bad-json")
    )


def test_platform_still_works_and_balances(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    """After all invalid requests."""
    scenario.make_used_booking(actor, person, 1000)
    scenario.platform.wait_idle()
    found = scenario.platform.get("/v1/finance/reconciliation", scenario.platform.token("finance"))
    assert found["balanced"] is True, found["differences"]


def test_closed_structure_cannot_change_anything(scenario: Scenario) -> None:
    platform, actor = scenario.platform, scenario.actor()
    published = scenario.publish(actor, 1000, 5)
    assert actor.structure.bank is not None
    closed = platform.post(f"/v1/staff/offerers/{actor.offerer_id}/close", {"reason": "x"}, platform.token("staff"))
    assert closed.status == 200, closed
    platform.wait_idle()
    before = platform.event_counts()
    bank = {"iban": actor.structure.bank.iban, "bic": actor.structure.bank.bic, "holder": "Other"}
    requests = [
        ("PATCH", f"/v1/pro/venues/{scenario.venue(actor)}", {"name": "Other"}),
        ("PATCH", f"/v1/pro/offers/{published.offer_id}", {"name": "Other"}),
        ("PATCH", f"/v1/pro/stocks/{published.stock_id}", {"priceCents": 1}),
        ("PATCH", f"/v1/pro/stocks/{published.stock_id}", {"quantity": 6}),
        ("POST", f"/v1/pro/offers/{published.offer_id}/stocks", {"priceCents": 1, "quantity": 1}),
        ("POST", f"/v1/pro/offerers/{actor.offerer_id}/bank-details", bank),
        ("POST", f"/v1/pro/venues/{scenario.venue(actor)}/bank-details", bank),
    ]
    for method, path, body in requests:
        assert_refused(platform.call(method, path, body, actor.token), (409, "offerer-closed"))
    platform.wait_idle()
    assert platform.event_counts() == before


def test_custom_rule_for_an_unknown_owner_is_refused(scenario: Scenario, nothing_stored: None) -> None:
    for owner in ("offerId", "offererId"):
        rule = {owner: UNKNOWN, "amountCents": 100, "start": "2030-01-01T00:00:00Z"}
        answer = scenario.platform.post("/v1/finance/custom-rules", rule, scenario.platform.token("finance"))
        assert_refused(answer, (422, "custom-rule-owner-unknown"))
        assert list(answer.json["errors"]) == [owner]
