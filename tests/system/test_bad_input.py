"""What nobody should send: a problem document with its code, never a 500, and nothing stored."""

from __future__ import annotations

import base64
import json
import re
import socket
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.client import HTTPResponse
from typing import Any
from urllib.parse import quote

import pytest

from shared.kernel.time import instant_text
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
    """What happens meanwhile leaves no event in any service's log."""
    platform.wait_idle()
    before = platform.event_counts()
    yield
    platform.wait_idle()
    assert platform.event_counts() == before


def refused(answer: Answer, *outcomes: tuple[int, str]) -> None:
    """A problem document with everything in it, and one of these outcomes where they are given."""
    assert 400 <= answer.status < 500, answer
    assert answer.headers.get_content_type() == "application/problem+json", answer
    problem = answer.json
    assert problem["status"] == answer.status
    assert problem["type"].endswith(problem["code"])
    assert problem["title"] and problem["detail"] is not None
    assert "Traceback" not in answer.body.decode()
    if outcomes:
        assert answer.outcome in outcomes, answer


# --- every route that writes, as the OpenAPI document lists them ----------------------------------------------------

Route = tuple[str, str, dict[str, Any]]


def write_routes(platform: Platform) -> list[Route]:
    """Method, path with an identifier that exists nowhere, and the operation."""
    document = platform.get("/openapi.json")
    found = []
    for template, operations in document["paths"].items():
        if template.startswith(("/v2/", "/public/")):
            continue  # the desk's own format has its own tests
        for method, operation in operations.items():
            if method in ("post", "put", "patch", "delete"):
                found.append((method.upper(), re.sub(r"\{[^}]*\}", str(UNKNOWN), template), operation))
    assert len(found) > 35, "the document lists the routes that write"
    return found


def properties(platform: Platform, operation: dict[str, Any]) -> dict[str, Any]:
    """The fields of a route's body, references followed; none for a route without one."""
    schemas = platform.get("/openapi.json")["components"]["schemas"]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    found: dict[str, Any] = schema.get("properties", {})
    return found


ROLES = ("beneficiary", "pro", "staff", "finance", "operator")


def bearer_for(scenario: Scenario, path: str, actor: Actor, person: Beneficiary) -> str | None:
    """A token that reaches the route's own checks."""
    audience = path.split("/")[2]
    if audience in ("staff", "finance"):
        return scenario.platform.token(audience)
    if audience == "ops":
        return scenario.platform.token("operator")
    return actor.token if audience == "pro" and path != "/v1/pro/accounts" else person.token


Bad = Callable[[dict[str, Any]], Any]
WORST: dict[str, Bad] = {
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


@pytest.mark.parametrize("kind", WORST)
def test_bodies_that_no_route_takes(
    scenario: Scenario, actor: Actor, person: Beneficiary, nothing_stored: None, kind: str
) -> None:
    for method, path, operation in write_routes(scenario.platform):
        if method == "DELETE":
            continue
        fields = properties(scenario.platform, operation)
        body = WORST[kind](fields)
        if body == {}:
            continue  # a route without fields: an empty body is what it takes
        token = bearer_for(scenario, path, actor, person)
        refused(scenario.platform.call(method, path, body, token, key=key(), source="127.0.0.6"))


def test_a_body_of_another_type_and_one_that_is_too_large(
    scenario: Scenario, actor: Actor, nothing_stored: None
) -> None:
    path = f"/v1/pro/offerers/{actor.offerer_id}/bank-details"
    form = scenario.platform.call("POST", path, b"iban=1", actor.token, headers={"Content-Type": "text/plain"})
    refused(form, (415, "unsupported-media-type"))
    refused(scenario.platform.call("POST", path, b" " * (1024 * 1024 + 1), actor.token), (413, "too-large"))


SMUGGLED = b"GET /v1/settings HTTP/1.1\r\nHost: x\r\n\r\n"
FRAMED_BADLY = {
    "in chunks": (b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", (411, "length-required")),
    "in chunks without an end": (b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n{}", (411, "length-required")),
    "another encoding": (b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", (411, "length-required")),
    "an unknown encoding": (b"Transfer-Encoding: x\r\n\r\n" + SMUGGLED, (411, "length-required")),
    "two lengths": (b"Content-Length: 2\r\nContent-Length: 47\r\n\r\n{}" + SMUGGLED, (400, "bad-request")),
    "two lengths in one": (b"Content-Length: 2, 2\r\n\r\n{}", (400, "bad-request")),
    "no number": (b"Content-Length: 0_2\r\n\r\n{}", (400, "bad-request")),
    "a sign": (b"Content-Length: +2\r\n\r\n{}", (400, "bad-request")),
    "a length and chunks": (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", (400, "bad-request")),
    "a length beyond reason": (b"Content-Length: 99999999999\r\n\r\n{}", (413, "too-large")),
}


@pytest.mark.parametrize("kind", FRAMED_BADLY)
def test_a_body_has_one_length(scenario: Scenario, nothing_stored: None, kind: str) -> None:
    rest, outcome = FRAMED_BADLY[kind]
    status, media_type, body = over_the_wire(scenario.platform, b"/v1/auth/sign-in", rest)
    code = json.loads(body)["code"] if media_type == "application/problem+json" else ""
    assert (status, code) == outcome


def test_the_desk_refuses_chunks_in_its_own_format(scenario: Scenario) -> None:
    rest, _ = FRAMED_BADLY["in chunks"]
    status, media_type, body = over_the_wire(scenario.platform, b"/v2/bookings/token/ABCDEF", rest)
    assert (status, media_type, list(json.loads(body))) == (411, "application/json", ["global"])


def over_the_wire(platform: Platform, path: bytes, rest: bytes) -> tuple[int, str, bytes]:
    """The one answer that comes before the connection ends."""
    head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", platform.port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(head + rest)
        answer = HTTPResponse(connection)
        answer.begin()
        body = answer.read()
        assert connection.recv(1) == b"", "nothing is answered to what came behind it"
    return answer.status, answer.headers.get_content_type(), body


def test_no_token_a_bad_one_and_one_of_the_wrong_role(
    scenario: Scenario, actor: Actor, person: Beneficiary, nothing_stored: None
) -> None:
    for method, path, operation in write_routes(scenario.platform):
        if not operation.get("security"):
            continue
        body = None if method == "DELETE" else {}
        refused(scenario.platform.call(method, path, body), (401, "unauthorized"))
        refused(scenario.platform.call(method, path, body, "not.a.token"), (401, "token-invalid"))
        if path.startswith(("/v1/pro/", "/v1/staff/", "/v1/finance/", "/v1/ops/")):
            refused(scenario.platform.call(method, path, body, person.token), (403, "forbidden"))


def test_identifiers_that_exist_nowhere(
    scenario: Scenario, actor: Actor, person: Beneficiary, nothing_stored: None
) -> None:
    for method, path, operation in write_routes(scenario.platform):
        if str(UNKNOWN) not in path or operation.get("requestBody", {}).get("required"):
            continue
        token = bearer_for(scenario, path, actor, person)
        answer = scenario.platform.call(method, path, None, token, key=key())
        refused(answer)
        assert answer.status == 404 and answer.code.endswith("not-found"), answer


@pytest.mark.parametrize("identifier", ["0", "-1", "x", "1.5", "1e3", str(THIRTY_DIGITS), "%00", "1%2F2", "é"])
def test_identifiers_that_are_none(
    scenario: Scenario, person: Beneficiary, nothing_stored: None, identifier: str
) -> None:
    text = identifier if "%" in identifier else quote(identifier)
    for path in (f"/v1/offers/{text}", f"/v1/me/bookings/{text}", f"/v1/finance/payouts/{text}"):
        token = scenario.platform.token("finance") if "finance" in path else person.token
        refused(scenario.platform.call("GET", path, None, token), (404, "not-found"))
    refused(
        scenario.platform.call("POST", f"/v1/me/bookings/{text}/cancel", {}, person.token, key=key()),
        (404, "not-found"),
    )


@pytest.mark.parametrize("bad_key", ["", " ", "a b", "x" * 201, "clé"])
def test_idempotency_keys_that_are_none(
    scenario: Scenario, actor: Actor, person: Beneficiary, nothing_stored: None, bad_key: str
) -> None:
    headers = {"Idempotency-Key": bad_key.encode().decode("latin-1")}
    answer = scenario.platform.call(
        "POST", "/v1/bookings", {"stockId": 1, "quantity": 1}, person.token, headers=headers
    )
    refused(answer, (422, "idempotency-key-invalid"), (422, "idempotency-key-required"))


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
def test_searches_that_mean_nothing(scenario: Scenario, nothing_stored: None, query: str) -> None:
    refused(scenario.platform.call("GET", f"/v1/offers?{query}"), (422, "invalid"), (422, "cursor-invalid"))


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
"""Every list that goes on with a cursor, and what its cursors say they are of."""


def test_the_lists_below_are_all_that_there_are(platform: Platform) -> None:
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
    """The address of each list, the name in its cursors, a token that reaches it."""
    venue_id = scenario.venue(actor)
    for template, name in LISTS.items():
        path = template.format(venue_id=venue_id)
        token = None if path == "/v1/offers" else bearer_for(scenario, path, actor, person)
        yield path, name.format(venue_id=venue_id), token


@pytest.mark.parametrize("cursor", ["%00", "abc", "eyJhIjoxfQ", "-1", str(THIRTY_DIGITS), "A" * 3000])
def test_broken_cursors(scenario: Scenario, actor: Actor, person: Beneficiary, cursor: str) -> None:
    for path, _, token in lists(scenario, actor, person):
        answer = scenario.platform.call("GET", f"{path}?cursor={cursor}", token=token)
        refused(answer, (422, "cursor-invalid"), (422, "invalid"))


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "a limit that is no number": ({"limit": "x"}, "1"),
    "a limit below nothing": ({"limit": -5}, "1"),
    "a limit beyond reason": ({"limit": THIRTY_DIGITS}, "1"),
    "a filter that is an object": ({"status": {"$ne": 1}, "venueId": {}, "asOf": [], "periodFrom": 7}, "1"),
    "somebody else": ({"personId": 1, "venueId": 1, "offererId": 1, "what": "offerers"}, "1"),
    "a position beyond every number": ({}, "9" * 25),
    "a position that is none": ({}, "x"),
}


@pytest.mark.parametrize("kind", FORGED)
def test_forged_cursors(scenario: Scenario, actor: Actor, person: Beneficiary, kind: str) -> None:
    filters, inner = FORGED[kind]
    for path, name, token in lists(scenario, actor, person):
        said = json.dumps([name, filters, inner]).encode()
        searched = zlib.compress(json.dumps([1, [filters] * 15, [inner, inner]]).encode())
        for raw in (said, bytes(16) + said, bytes(32) + said, searched):
            cursor = base64.urlsafe_b64encode(raw).decode().rstrip("=")
            answer = scenario.platform.call("GET", f"{path}?cursor={cursor}", token=token)
            refused(answer, (422, "cursor-invalid"))


@pytest.mark.parametrize(
    "query", ["after=-5", "after=x", f"after={THIRTY_DIGITS}", "limit=0", "limit=1001", "wait=9999"]
)
def test_positions_that_mean_nothing(scenario: Scenario, query: str) -> None:
    refused(
        scenario.platform.call("GET", f"/v1/finance/events?{query}", token=scenario.platform.token("finance")),
        (422, "invalid"),
    )


def test_addresses_and_methods_that_are_not_there(scenario: Scenario) -> None:
    refused(scenario.platform.call("GET", "/v1/nowhere"), (404, "not-found"))
    refused(scenario.platform.call("GET", "/../../etc/passwd"), (404, "not-found"))
    refused(scenario.platform.call("PUT", "/v1/offers", {}), (405, "method-not-allowed"))


# --- what the domain refuses ----------------------------------------------------------------------------------------


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
def test_accounts(scenario: Scenario, nothing_stored: None, fields: dict[str, Any], codes: str) -> None:
    answer = scenario.platform.call("POST", "/v1/accounts", account(**fields), source="127.0.0.7")
    refused(answer, *((422, code) for code in codes.split()))


@pytest.mark.parametrize("siren", ["123456789", "12345678", "abcdefghi", "", "1" * 30, "000000001"])
def test_sirens(scenario: Scenario, nothing_stored: None, siren: str) -> None:
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
    refused(answer, (422, "siren-invalid"), *([(422, "invalid")] if len(siren) != 9 else []))


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


def test_venues(scenario: Scenario, actor: Actor, stranger: Actor, nothing_stored: None) -> None:
    siren, taken = actor.structure.siren, scenario.siret(actor)
    path = f"/v1/pro/offerers/{actor.offerer_id}/venues"

    def open_venue(token: str = actor.token, at: str = path, **fields: Any) -> Answer:
        return scenario.platform.post(at, a_venue(**fields), token)

    refused(open_venue(siret=f"{siren}00000"), (422, "siret-invalid"))
    refused(open_venue(siret=scenario.siret(stranger)), (422, "siret-invalid"), (409, "conflict"))
    again = open_venue(siret=taken)
    refused(again)
    assert again.status in (409, 422)
    refused(open_venue(), (422, "invalid"))  # neither a SIRET nor a comment
    refused(open_venue(comment="sans SIRET", lat=91), (422, "invalid"))
    refused(open_venue(comment="sans SIRET", venueType="BOAT"), (422, "invalid"))
    refused(open_venue(comment="sans SIRET", accessibility={}), (422, "invalid"))
    refused(open_venue(stranger.token, comment="pas à moi"), (404, "not-found"))


def test_bank_details(scenario: Scenario, actor: Actor, stranger: Actor, nothing_stored: None) -> None:
    good = {"iban": "FR7630001007941234567890185", "bic": "BDFEFRPPCCT", "holder": "Star"}
    path = f"/v1/pro/offerers/{actor.offerer_id}/bank-details"

    def give(token: str = actor.token, at: str = path, **fields: Any) -> Answer:
        return scenario.platform.post(at, {**good, **fields}, token)

    for field, value in (("iban", "FR7630001007941234567890186"), ("iban", "0" * 27), ("bic", "NOTABIC")):
        answer = give(**{field: value})
        refused(answer, (422, "bank-details-invalid"))
        assert list(answer.json["errors"]) == [field]
    refused(give(holder=""), (422, "invalid"))
    refused(give(iban=THIRTY_DIGITS), (422, "invalid"))
    refused(give(stranger.token), (404, "not-found"))
    venue = f"/v1/pro/venues/{scenario.venue(actor)}/bank-details"
    refused(give(stranger.token, venue), (404, "not-found"))


@pytest.fixture(scope="module")
def published(scenario: Scenario, actor: Actor) -> dict[str, Any]:
    begins = scenario.platform.now() + timedelta(days=20)
    concert = scenario.publish(actor, 1000, 5, subcategory="CONCERT", begins=begins, name="Concert")
    book = scenario.publish(actor, 1000, 5)
    return {"concert": concert, "book": book, "begins": begins}


def test_offers(scenario: Scenario, actor: Actor, stranger: Actor, nothing_stored: None) -> None:
    path = f"/v1/pro/venues/{scenario.venue(actor)}/offers"
    good = {"name": "Livre", "subcategory": "LIVRE_PAPIER", "description": ""}

    def publish(token: str = actor.token, **fields: Any) -> Answer:
        return scenario.platform.post(path, {**good, **fields}, token)

    refused(publish(subcategory="NONE_SUCH"), (422, "invalid"))
    refused(publish(name=""), (422, "invalid"))
    refused(publish(name="x" * 91), (422, "invalid"))
    refused(publish(subcategory="VOD", url="https://example.org"))  # online, in a venue that is not
    refused(publish(url="javascript:alert(1)"), (422, "invalid"))
    refused(publish(isDuo="yes"), (422, "invalid"))
    refused(publish(isDuo=True))  # a book is for one
    refused(publish(durationMinutes=-1), (422, "invalid"))
    refused(publish(stranger.token), (404, "not-found"))


def test_stocks(
    scenario: Scenario, actor: Actor, stranger: Actor, published: dict[str, Any], nothing_stored: None
) -> None:
    now, begins = scenario.platform.now(), published["begins"]
    of_concert = f"/v1/pro/offers/{published['concert'].offer_id}/stocks"
    of_book = f"/v1/pro/offers/{published['book'].offer_id}/stocks"

    def add(path: str, token: str = actor.token, **fields: Any) -> Answer:
        return scenario.platform.post(path, {"priceCents": 1000, "quantity": 5, **fields}, token)

    refused(add(of_book, priceCents=-1), (422, "invalid"))
    refused(add(of_book, priceCents=10.5), (422, "invalid"))
    refused(add(of_book, priceCents=THIRTY_DIGITS), (422, "invalid"))
    refused(add(of_book, priceCents=30001))  # things cost 300 € at most
    refused(add(of_book, quantity=-1), (422, "invalid"))
    refused(add(of_book, beginningAt=instant_text(begins)))  # a thing has no date
    refused(add(of_concert))  # an event has one
    refused(add(of_concert, beginningAt=instant_text(now - timedelta(days=1))))
    late = instant_text(begins + timedelta(days=1))
    refused(add(of_concert, beginningAt=instant_text(begins), bookingLimitAt=late))
    refused(add(of_concert, beginningAt="2021-12-01"), (422, "invalid"))
    refused(add(of_book, stranger.token), (404, "not-found"))
    stock = f"/v1/pro/stocks/{published['book'].stock_id}"
    refused(scenario.platform.call("PATCH", stock, {"priceCents": 1}, stranger.token), (404, "not-found"))
    refused(scenario.platform.call("DELETE", stock, None, stranger.token), (404, "not-found"))
    refused(scenario.platform.call("PATCH", stock, {"priceCents": -1}, actor.token), (422, "invalid"))
    offer = f"/v1/pro/offers/{published['book'].offer_id}"
    for method, path, body in (
        ("PATCH", stock, {"priceCents": 900}),
        ("DELETE", stock, None),
        ("PATCH", offer, {"name": "Another"}),
        ("POST", f"{offer}/activate", {}),
        ("POST", f"{offer}/deactivate", {}),
    ):
        stale = scenario.platform.call(method, path, body, actor.token, headers={"If-Match": '"9999"'})
        refused(stale, (412, "precondition-failed"))


def test_bookings(scenario: Scenario, person: Beneficiary, published: dict[str, Any], nothing_stored: None) -> None:
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
        refused(scenario.platform.post("/v1/bookings", body, person.token), (422, "invalid"))
    for quantity in (0, -1, -THIRTY_DIGITS, 1.0, "2"):
        refused(
            scenario.platform.post("/v1/bookings", {"stockId": stock, "quantity": quantity}, person.token),
            (422, "invalid"),
        )
    for quantity in (2, 10**6 + 1, UNKNOWN, UNKNOWN + 1, THIRTY_DIGITS):
        answer = scenario.platform.post("/v1/bookings", {"stockId": stock, "quantity": quantity}, person.token)
        refused(answer, (409, "quantity-invalid"))
    duplicate = f'{{"stockId": {stock}, "stockId": {stock}, "quantity": 1}}'.encode()
    refused(scenario.platform.call("POST", "/v1/bookings", duplicate, person.token, key=key()), (400, "bad-json"))


def test_the_rest_of_the_story(scenario: Scenario, actor: Actor, person: Beneficiary) -> None:
    """After all of that the platform still does its work, and it adds up."""
    scenario.make_used_booking(actor, person, 1000)
    scenario.platform.wait_idle()
    found = scenario.platform.get("/v1/finance/reconciliation", scenario.platform.token("finance"))
    assert found["balanced"] is True, found["differences"]


def test_a_closed_structure_changes_nothing(scenario: Scenario) -> None:
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
        refused(platform.call(method, path, body, actor.token), (409, "offerer-closed"))
    platform.wait_idle()
    assert platform.event_counts() == before


def test_a_custom_rule_about_nothing(scenario: Scenario, nothing_stored: None) -> None:
    for owner in ("offerId", "offererId"):
        rule = {owner: UNKNOWN, "amountCents": 100, "start": "2030-01-01T00:00:00Z"}
        answer = scenario.platform.post("/v1/finance/custom-rules", rule, scenario.platform.token("finance"))
        refused(answer, (422, "custom-rule-owner-unknown"))
        assert list(answer.json["errors"]) == [owner]
