"""The desk: partners' ticketing software and the desk page, in the wire format of existing clients.

Bodies, order of checks and status codes follow docs/domain.md and decisions 20 to 22. An error is
``{"key": ["message"]}``: booking's refusals carry the key.
"""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from flask import g, request

from services.gateway.ports import Ports, current_ports
from services.gateway.web.endpoints.audience import Audience
from services.gateway.web.endpoints.calls import ask, ask_as, send
from services.gateway.web.requests.security import address, desk_caller, required_credentials
from services.gateway.web.responses.answers import RawResponse
from services.gateway.web.responses.problems import detail_of, refusal_headers
from services.gateway.web.schemas import desk as schemas
from shared.contracts.calls import booking as calls
from shared.contracts.calls import identity
from shared.contracts.identity import UNNAMED
from shared.contracts.subcategories import SUBCATEGORIES
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError, NotFound

audience = Audience("Desk", 'Partners\' ticketing software and the desk page; errors are `{"key": ["message"]}`.')

PREFIXES = ("/v2/", "/public/bookings/v1/")
_COUNTERMARK = re.compile(r"[A-Z0-9]{6}")
DEFAULT_KEYS = {401: "auth", 403: "user", 404: "global", 429: "global"}
CINEMA_CARDS = ("CARTE_CINE_MULTISEANCES", "CARTE_CINE_ILLIMITE", "ABO_CINE")
CANCELLED_LATER = 410
"""The status for a cancelled booking on the newer paths (decision 20)."""


def is_desk_path(path: str) -> bool:
    return path.startswith(PREFIXES)


def refusal_response(error: DomainError, path: str) -> RawResponse:
    """The refusal in the partners' format."""
    status, key = error.status, _key_of(error)
    if key == "booking_cancelled":
        status, key = (403, "booking") if path.startswith("/v2/") else (CANCELLED_LATER, key)
    if status == 422:
        status = 400  # existing clients know 400 for an invalid value
    messages = error.errors or {key: [detail_of(error)]}
    return RawResponse(status, orjson.dumps(messages), headers=refusal_headers(error))


def _key_of(error: DomainError) -> str:
    key = error.extra.get("key")
    return key if isinstance(key, str) else DEFAULT_KEYS.get(error.status, "global")


@contextmanager
def at_the_desk(guessable: int | None = 404) -> Iterator[None]:
    """``admitted`` for a request of Flask."""
    authorization = request.headers.get("Authorization", "")
    with admitted(current_ports(), address(), authorization, guessable, read_only=request.method == "GET") as g.caller:
        yield


@contextmanager
def admitted(
    ports: Ports, from_where: str, authorization: str, guessable: int | None = 404, *, read_only: bool = False
) -> Iterator[Caller]:
    """Authenticates the caller, and limits bad credentials and unknown countermarks to ten a minute (decision 22).

    ``guessable``: the status of a wrong guess. ``read_only``: the request changes nothing."""
    credentials = required_credentials(authorization)  # a request without credentials is no guess
    limit = ports.failures.look_up if read_only else ports.failures.attempt
    with limit(f"desk-{from_where}") as attempt:
        try:
            caller = desk_caller(ports, credentials)
        except DomainError as refusal:
            if refusal.status == 401:
                attempt.failed()
            raise
        attempt.take(f"desk-{caller.name()}")
        try:
            yield caller
        except DomainError as refusal:
            if refusal.status == guessable:
                attempt.failed()
            raise


def countermark_of(text: str) -> str:
    """The countermark in upper case. Raises NotFound for text that cannot be one."""
    countermark = text.strip().upper()
    if not _COUNTERMARK.fullmatch(countermark):
        raise NotFound("Cette contremarque n'a pas été trouvée", extra={"key": "global"})
    return countermark


def look_up(token: str) -> Any:
    """A booking by its countermark."""
    return booking_by_countermark(current_ports(), g.caller, token)


def booking_by_countermark(ports: Ports, caller: Caller, token: str) -> dict[str, Any]:
    found = ask_as(ports, calls.DeskLookUp(countermark=countermark_of(token)), caller=caller, batched=True)
    return desk_booking(found, _people(ports, [found["personId"]])[found["personId"]])


def _people(ports: Ports, person_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Names and e-mails by person; UNNAMED for an unknown person."""
    query = identity.People(account_ids=tuple(sorted(set(person_ids))))
    people = ask_as(ports, query, caller=None, batched=True)["people"]
    return {number: people.get(str(number)) or UNNAMED for number in person_ids}


def use(token: str) -> None:
    """Validates a countermark."""
    send(calls.DeskUse(countermark=countermark_of(token)), batched=True)


def keep(token: str) -> None:
    """Undoes a validation."""
    send(calls.DeskKeep(countermark=countermark_of(token)))


def cancel(token: str) -> None:
    """Cancels a booking for the structure, also after its cancellation limit, unless it is used."""
    send(calls.DeskCancel(countermark=countermark_of(token)))


def desk_booking(found: dict[str, Any], person: dict[str, Any]) -> dict[str, Any]:
    """A booking in the partners' format."""
    offer, venue = found["offer"], found["offer"]["venue"]
    beginning = found["stock"]["beginningAt"]
    return {
        "bookingId": human_id(found["bookingId"]),
        "dateOfBirth": "",
        "datetime": beginning or "",
        "ean13": None,
        "email": person["email"],
        "formula": _formula(offer["subcategory"]),
        "isUsed": found["status"] in ("used", "reimbursed"),
        "offerId": offer["offerId"],
        "publicOfferId": human_id(offer["offerId"]),
        "offerName": offer["name"],
        "offerType": "EVENEMENT" if SUBCATEGORIES[offer["subcategory"]].is_event else "BIEN",
        "phoneNumber": "",
        # a JSON number of euros: the double nearest to the cents, written with at most two decimals
        "price": found["unitPriceCents"] / 100,
        "quantity": found["quantity"],
        "theater": {},
        "userName": f"{person['firstName']} {person['lastName']}".strip(),
        "venueAddress": venue.get("address"),
        "venueDepartmentCode": department_of(venue.get("postalCode")),
        "venueName": venue["name"],
    }


def human_id(number: int) -> str:
    """Base 32 of the number's bytes, without padding, O written 8 and I written 9."""
    raw = number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")
    return b32encode(raw).decode("ascii").replace("O", "8").replace("I", "9").rstrip("=")


def department_of(postal_code: str | None) -> str | None:
    """The first two digits; the first three overseas, from 97 on."""
    if not postal_code:
        return None
    return postal_code[:3] if postal_code >= "97" else postal_code[:2]


def _formula(subcategory: str) -> str:
    if subcategory == "SEANCE_CINE":
        return "PLACE"
    return "ABO" if subcategory in CINEMA_CARDS else ""


LOOKS_UP = {401: "auth", 403: "user, payment, booking", 404: "global", 410: "booking, booking_cancelled", 429: "global"}
KEEPS = {401: "auth", 403: "user, booking", 404: "global", 410: "payment, booking", 429: "global"}
CANCELS = {401: "auth", 403: "user, global", 404: "global", 410: "global", 429: "global"}


def _route(method: str, rule: str, name: str, action: Any, refuses: dict[int, str]) -> None:
    """Registers one of the four actions on one path."""

    def view(token: str) -> Any:
        return action(token)

    view.__name__, view.__doc__ = name, action.__doc__
    answers = (200, schemas.DeskBooking) if method == "GET" else (204, None)
    register = audience.desk_endpoint(method, rule, answers=answers, refuses=refuses, admits=at_the_desk())
    register(view)


_route("GET", "/v2/bookings/token/<token>", "look_up_v2", look_up, LOOKS_UP)
_route("PATCH", "/v2/bookings/use/token/<token>", "use_v2", use, LOOKS_UP)
_route("PATCH", "/v2/bookings/keep/token/<token>", "keep_v2", keep, KEEPS)
_route("PATCH", "/v2/bookings/cancel/token/<token>", "cancel_v2", cancel, CANCELS)
_route("GET", "/public/bookings/v1/token/<token>", "look_up_v1", look_up, LOOKS_UP)
_route("PATCH", "/public/bookings/v1/use/token/<token>", "use_v1", use, LOOKS_UP)
_route("PATCH", "/public/bookings/v1/keep/token/<token>", "keep_v1", keep, KEEPS)
_route("PATCH", "/public/bookings/v1/cancel/token/<token>", "cancel_v1", cancel, CANCELS)


@audience.desk_endpoint(
    "GET",
    "/public/bookings/v1/bookings",
    query=schemas.OfferBookingsQuery,
    answers=(200, schemas.OfferBookings),
    refuses={400: "the field's", 401: "auth", 403: "user", 404: "offer", 429: "global"},
    admits=at_the_desk(guessable=None),
)
def bookings_of_an_offer(query: schemas.OfferBookingsQuery) -> Any:
    """The bookings of an offer by number, from `firstIndex` on. The next page begins at the last number plus one."""
    call = calls.OfferBookings(**query.given("offer_id", "first_index", "limit", "stock_id"))
    if query.status is not None:
        call = call.with_(status=query.status.lower())
    if query.beginning_datetime is not None:
        call = call.with_(beginning_at=query.beginning_datetime)
    found = ask(call)["items"]
    people = _people(current_ports(), [one["personId"] for one in found]) if found else {}
    return {"bookings": [offer_booking(one, people[one["personId"]]) for one in found]}


def offer_booking(found: dict[str, Any], person: dict[str, Any]) -> dict[str, Any]:
    """A booking in the list of an offer, without its countermark, which only the young person shows."""
    offer, venue = found["offer"], found["offer"]["venue"]
    return {
        "id": found["bookingId"],
        "quantity": found["quantity"],
        "creationDate": found["bookedAt"],
        "confirmationDate": found["cancellationLimitAt"],
        "price": found["unitPriceCents"] / 100,
        "status": found["status"].upper(),
        "offerId": offer["offerId"],
        "stockId": found["stock"]["stockId"],
        "priceCategoryId": None,
        "priceCategoryLabel": None,
        "offerName": offer["name"],
        "offerEan": None,
        "venueId": venue["venueId"],
        "venueName": venue["name"],
        "venueAddress": venue.get("address"),
        "venueDepartementCode": department_of(venue.get("postalCode")),
        "userEmail": person["email"],
        "userPhoneNumber": person["phoneNumber"],
        "userFirstName": person["firstName"],
        "userLastName": person["lastName"],
        "userBirthDate": None,
        "userPostalCode": None,
    }
