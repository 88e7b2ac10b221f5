"""The desk's wire format: bodies, error keys, statuses (domain.md §5.2, decisions 20 to 22)."""

from __future__ import annotations

from typing import Any

import pytest

from services.gateway.web.responses.problems import DETAILS
from services.gateway.web.routes.desk import department_of, human_id
from shared.kernel.errors import Refused, Unavailable

BOOKED: dict[str, Any] = {
    "bookingId": 4711,
    "personId": 42,
    "status": "confirmed",
    "quantity": 2,
    "unitPriceCents": 1090,
    "stock": {"stockId": 3, "priceCents": 1200, "beginningAt": "2021-11-10T19:00:00Z"},
    "offer": {
        "offerId": 256,
        "name": "Concert",
        "subcategory": "CONCERT",
        "isDigital": False,
        "venue": {"venueId": 1, "name": "Salle", "address": "1 rue", "city": "Cayenne", "postalCode": "97300"},
    },
}
PERSON = {"firstName": "Zoé", "lastName": "Martin", "email": "zoe@example.org", "phoneNumber": "+33600000000"}


def refused(status: int, key: str | None, code: str = "x") -> Refused:
    extra = {"key": key} if key else {}
    return Refused({"code": code, "status": status, "detail": "why", "errors": {}, "extra": extra})


@pytest.fixture
def by_key(api_key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key}"}


@pytest.fixture(params=["/v2/bookings/token/{}", "/public/bookings/v1/token/{}"])
def look_up(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_body_of_a_look_up(platform: Any, by_key: dict[str, str], look_up: str) -> None:
    platform.answers("booking", "desk-look-up", BOOKED)
    platform.answers("identity", "people", {"people": {"42": PERSON}})
    answer = platform.client.get(look_up.format("abcdef"), headers=by_key)
    assert answer.status_code == 200
    assert answer.json == {
        "bookingId": "CJTQ",
        "dateOfBirth": "",
        "datetime": "2021-11-10T19:00:00Z",
        "ean13": None,
        "email": "zoe@example.org",
        "formula": "",
        "isUsed": False,
        "offerId": 256,
        "publicOfferId": "AEAA",
        "offerName": "Concert",
        "offerType": "EVENEMENT",
        "phoneNumber": "",
        "price": 10.9,
        "quantity": 2,
        "theater": {},
        "userName": "Zoé Martin",
        "venueAddress": "1 rue",
        "venueDepartmentCode": "973",
        "venueName": "Salle",
    }
    assert b'"price":10.9,' in answer.data
    assert platform.called("desk-look-up") == [{"countermark": "ABCDEF"}]
    caller = platform.calls[1][3]
    assert (caller.offerer_id, caller.roles) == (5, frozenset())


def test_a_token_of_a_pro_may_replace_the_api_key(platform: Any, signed_in: Any) -> None:
    platform.answers("booking", "desk-use", {})
    answer = platform.client.patch("/v2/bookings/use/token/0e3344", headers=signed_in("pro", account_id=9))
    assert (answer.status_code, answer.data) == (204, b"")
    assert platform.calls[-1][2:] == ({"countermark": "0E3344"}, platform.calls[-1][3])
    assert platform.calls[-1][3].account_id == 9


@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("/v2/bookings/use/token/ABCDEF", "desk-use"),
        ("/v2/bookings/keep/token/ABCDEF", "desk-keep"),
        ("/v2/bookings/cancel/token/ABCDEF", "desk-cancel"),
        ("/public/bookings/v1/use/token/ABCDEF", "desk-use"),
        ("/public/bookings/v1/keep/token/ABCDEF", "desk-keep"),
        ("/public/bookings/v1/cancel/token/ABCDEF", "desk-cancel"),
    ],
)
@pytest.mark.parametrize(("status", "key"), [(403, "user"), (403, "payment"), (410, "booking"), (410, "payment")])
def test_a_refusal_has_its_key_and_a_message(
    platform: Any, by_key: dict[str, str], path: str, call: str, status: int, key: str
) -> None:
    platform.answers("booking", call, refused(status, key))
    answer = platform.client.patch(path, headers=by_key)
    assert (answer.status_code, answer.json) == (status, {key: ["why"]})
    assert answer.headers["Content-Type"] == "application/json"


def test_a_cancelled_booking_has_another_status_in_each_interface(platform: Any, by_key: dict[str, str]) -> None:
    platform.answers("booking", "desk-use", refused(410, "booking_cancelled"))
    answer = platform.client.patch("/v2/bookings/use/token/ABCDEF", headers=by_key)
    assert (answer.status_code, list(answer.json)) == (403, ["booking"])
    answer = platform.client.patch("/public/bookings/v1/use/token/ABCDEF", headers=by_key)
    assert (answer.status_code, list(answer.json)) == (410, ["booking_cancelled"])


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nope"}, {"Authorization": "Bearer a.b.c"}])
def test_missing_or_invalid_credentials_are_401(platform: Any, headers: dict[str, str], look_up: str) -> None:
    answer = platform.client.get(look_up.format("ABCDEF"), headers=headers)
    assert (answer.status_code, list(answer.json)) == (401, ["auth"])
    assert "WWW-Authenticate" in answer.headers


@pytest.mark.parametrize("countermark", ["ABC", "ABCDEFG", "ABC-EF", "é" * 6, "%00" * 6, " "])
def test_an_invalid_countermark_is_404(platform: Any, by_key: dict[str, str], countermark: str) -> None:
    answer = platform.client.get(f"/v2/bookings/token/{countermark}", headers=by_key)
    assert (answer.status_code, list(answer.json)) == (404, ["global"])
    assert platform.called("desk-look-up") == []


def test_the_eleventh_unknown_countermark_is_429(platform: Any, by_key: dict[str, str]) -> None:
    platform.answers("booking", "desk-look-up", refused(404, "global"))
    for _ in range(10):
        assert platform.client.get("/v2/bookings/token/ABCDEF", headers=by_key).status_code == 404
    answer = platform.client.get("/v2/bookings/token/ABCDEF", headers=by_key)
    assert (answer.status_code, list(answer.json)) == (429, ["global"])
    assert int(answer.headers["Retry-After"]) >= 1
    other_address = platform.client.get(
        "/v2/bookings/token/ABCDEF", headers=by_key, environ_base={"REMOTE_ADDR": "10.1.1.1"}
    )
    assert other_address.status_code == 429
    platform.monotonic[0] += 61
    assert platform.client.get("/v2/bookings/token/ABCDEF", headers=by_key).status_code == 404


def test_other_refusals_are_not_counted(platform: Any, by_key: dict[str, str]) -> None:
    platform.answers("booking", "desk-look-up", refused(403, "user"))
    for _ in range(15):
        assert platform.client.get("/v2/bookings/token/ABCDEF", headers=by_key).status_code == 403
    for _ in range(15):
        assert platform.client.get("/v2/bookings/token/ABCDEF").status_code == 401
    assert platform.client.get("/v2/bookings/token/ABCDEF", headers=by_key).status_code == 403


def test_the_eleventh_invalid_credential_is_429(platform: Any) -> None:
    for number in range(10):
        headers = {"Authorization": f"Bearer guess-{number}"}
        assert platform.client.get("/v2/bookings/token/ABCDEF", headers=headers).status_code == 401
    assert platform.client.get("/v2/bookings/token/ABCDEF", headers=headers).status_code == 429


def test_a_server_error_has_the_same_format(platform: Any, by_key: dict[str, str]) -> None:
    platform.answers("booking", "desk-use", Unavailable("later"))
    answer = platform.client.patch("/v2/bookings/use/token/ABCDEF", headers=by_key)
    assert (answer.status_code, answer.json) == (503, {"global": ["later"]})
    assert platform.client.get("/v2/nowhere").json == {"global": [DETAILS[404]]}


def test_an_erased_person_has_no_name(platform: Any, by_key: dict[str, str]) -> None:
    platform.answers("booking", "desk-look-up", {**BOOKED, "status": "used"})
    erased = {"firstName": "effacé", "lastName": "effacé", "email": "", "phoneNumber": None}
    platform.answers("identity", "people", {"people": {"42": erased}})
    body = platform.client.get("/v2/bookings/token/ABCDEF", headers=by_key).json
    assert (body["userName"], body["email"], body["isUsed"]) == ("effacé effacé", "", True)


def test_identifiers_and_departments_have_the_partners_format() -> None:
    assert [human_id(number) for number in (1, 255, 256, 4711)] == ["AE", "74", "AEAA", "CJTQ"]
    assert [department_of(code) for code in ("67000", "20000", "97300", None)] == ["67", "20", "973", None]


OFFER_BOOKINGS = "/public/bookings/v1/bookings"


def test_the_list_of_an_offers_bookings(platform: Any, by_key: dict[str, str]) -> None:
    more = {"bookedAt": "2021-11-02T09:00:00Z", "cancellationLimitAt": "2021-11-04T09:00:00Z"}
    platform.answers("booking", "offer-bookings", {"items": [BOOKED | more, BOOKED | more | {"personId": 43}]})
    platform.answers("identity", "people", {"people": {"42": PERSON}})
    query = (
        "offerId=256&firstIndex=4000&limit=2&status=CONFIRMED&stockId=3&beginningDatetime=2021-11-10T20:00:00%2B01:00"
    )
    answer = platform.client.get(f"{OFFER_BOOKINGS}?{query}", headers=by_key)
    assert answer.status_code == 200
    first, second = answer.json["bookings"]
    assert first == {
        "id": 4711,
        "quantity": 2,
        "creationDate": "2021-11-02T09:00:00Z",
        "confirmationDate": "2021-11-04T09:00:00Z",
        "price": 10.9,
        "status": "CONFIRMED",
        "offerId": 256,
        "stockId": 3,
        "priceCategoryId": None,
        "priceCategoryLabel": None,
        "offerName": "Concert",
        "offerEan": None,
        "venueId": 1,
        "venueName": "Salle",
        "venueAddress": "1 rue",
        "venueDepartementCode": "973",
        "userEmail": "zoe@example.org",
        "userPhoneNumber": "+33600000000",
        "userFirstName": "Zoé",
        "userLastName": "Martin",
        "userBirthDate": None,
        "userPostalCode": None,
    }
    assert (second["userEmail"], second["userLastName"]) == ("", "")
    filters = {"offerId": 256, "firstIndex": 4000, "limit": 2, "status": "confirmed", "stockId": 3}
    assert platform.called("offer-bookings") == [filters | {"beginningAt": "2021-11-10T19:00:00Z"}]
    assert platform.called("people") == [{"accountIds": [42, 43]}]
    platform.answers("booking", "offer-bookings", {"items": []})
    assert platform.client.get(f"{OFFER_BOOKINGS}?offerId=256", headers=by_key).json == {"bookings": []}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "offerId"),
        ("offerId=x", "offerId"),
        ("offerId=1&firstIndex=0", "firstIndex"),
        ("offerId=1&limit=51", "limit"),
        ("offerId=1&status=used", "status"),
        ("offerId=1&page=2", "page"),
    ],
)
def test_an_invalid_filter_of_the_list_is_400(platform: Any, by_key: dict[str, str], query: str, field: str) -> None:
    answer = platform.client.get(f"{OFFER_BOOKINGS}?{query}", headers=by_key)
    assert (answer.status_code, list(answer.json)) == (400, [field])


def test_authentication_precedes_validation_of_the_list(platform: Any) -> None:
    answer = platform.client.get(OFFER_BOOKINGS)
    assert (answer.status_code, list(answer.json)) == (401, ["auth"])


def test_an_unknown_offer_does_not_count_as_a_guess(platform: Any, by_key: dict[str, str]) -> None:
    platform.answers("booking", "offer-bookings", refused(404, "offer"))
    answers = [platform.client.get(f"{OFFER_BOOKINGS}?offerId=1", headers=by_key) for _ in range(12)]
    assert {(answer.status_code, *answer.json) for answer in answers} == {(404, "offer")}
