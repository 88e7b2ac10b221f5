"""The few routes whose rate counts, in front of Flask: a booking, an offer, the desk.

Only what is as expected is dealt with here. Whatever is not (no token, a body that does not fit, a query) is left to
Flask before anything was done, so that its refusals are the same by construction; what a service refuses goes out
through the same functions. A test asks both ways the same and compares.
"""

from __future__ import annotations

import io
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from marshmallow import Schema
from werkzeug.http import HTTP_STATUS_CODES, generate_etag, quote_etag

from services.gateway.http.connections import Environ, Wsgi
from services.gateway.http.refusals import InternalError
from services.gateway.routes import bookings, desk
from services.gateway.schemas import bookings as booking_schemas
from services.gateway.schemas import catalogue as catalogue_schemas
from services.gateway.schemas import desk as desk_schemas
from services.gateway.web.answers import (
    KEPT_WHILE_IT_HOLDS,
    REQUEST_ID,
    Said,
    Verification,
    headers_of,
    said,
    verify,
)
from services.gateway.web.audience import is_key
from services.gateway.web.calls import deliver
from services.gateway.web.gate import Gate
from services.gateway.web.problems import refusal_said
from services.gateway.web.security import caller_of, credentials_of
from shared.contracts.calls.booking import Book, DeskUse
from shared.eventstore.context import caused_by
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.kernel.identifiers import MAX_NUMBER
from shared.observability import metrics
from shared.runtime import tokens

StartResponse = Callable[..., Any]
Handle = Callable[[Gate, Environ, str], Said | None]

log = structlog.get_logger()

LONGEST_BODY = 1_000
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_TOKEN = re.compile(r"[A-Za-z0-9]{6}")
_STATUS_LINES = {code: f"{code} {phrase.upper()}" for code, phrase in HTTP_STATUS_CODES.items()}


@dataclass(frozen=True, slots=True)
class HotRoute:
    """``handle`` answers, or gives None for what is left to Flask; the rest as the route says it to Flask."""

    rule: str
    handle: Handle
    refused: Callable[[DomainError, str], Said]
    schema: type[Schema] | None


class HotRoutes:
    """The application: these routes by (method, path up to its last part), and what stands behind them."""

    def __init__(self, gate: Gate, behind: Wsgi, verification: Verification = "off") -> None:
        self._gate, self._behind, self._verification = gate, behind, verification

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        cut = path.rfind("/") + 1
        route = ROUTES.get((environ["REQUEST_METHOD"], path[:cut]))
        if route is None or environ.get("QUERY_STRING"):
            return self._behind(environ, start_response)
        started = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        with caused_by(request_id, request_id):
            answer = self._answer(route, environ, path, path[cut:])
            if answer is not None:
                self._record(route.rule, environ["REQUEST_METHOD"], path, answer.status, started)
        if answer is None:
            return self._behind(environ, start_response)
        start_response(_STATUS_LINES[answer.status], headers_of(answer, request_id))
        return [answer.body] if answer.body else []

    def _answer(self, route: HotRoute, environ: Environ, path: str, last: str) -> Said | None:
        try:
            answer = route.handle(self._gate, environ, last)
            if self._verification != "off" and answer is not None and route.schema is not None:
                verify(route.schema, orjson.loads(answer.body), self._verification, path)
            return answer
        except DomainError as refusal:
            return route.refused(refusal, path)
        except Exception as error:
            log.error("request failed", method=environ["REQUEST_METHOD"], path=path, error=repr(error), exc_info=error)
            return route.refused(InternalError(), path)

    @staticmethod
    def _record(rule: str, method: str, path: str, status: int, started: float) -> None:
        seconds = time.perf_counter() - started
        metrics.requests.labels(method, rule, status).observe(seconds)
        log.info("request", method=method, path=path, status=status, milliseconds=round(seconds * 1000, 1))


def book(here: Gate, environ: Environ, last: str) -> Said | None:
    caller, key = _caller(here, environ), environ.get("HTTP_IDEMPOTENCY_KEY", "").strip()
    if last != "bookings" or caller is None or not is_key(key):
        return None
    command = _new_booking(environ)
    if command is None:
        return None
    answer = deliver(here, command, caller=caller, key=key, batched=True)
    answered = said(bookings.to_its_person(here, caller, [answer.result])[0], 201)
    if not answer.replayed:
        return answered
    return Said(201, answered.body, headers={**answered.headers, "Idempotency-Replayed": "true"})


def offer(here: Gate, environ: Environ, last: str) -> Said | None:
    if not _NUMBER.fullmatch(last) or "HTTP_IF_NONE_MATCH" in environ:
        return None
    here.owed.wait_for_offer(int(last))
    found = here.offers.get(int(last))
    if found is None:
        return None
    return Said(200, found, headers={"ETag": quote_etag(generate_etag(found)), "Cache-Control": KEPT_WHILE_IT_HOLDS})


def look_up(here: Gate, environ: Environ, last: str) -> Said | None:
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if not _TOKEN.fullmatch(last) or not credentials_of(authorization):
        return None
    with desk.admitted(here, _address(environ), authorization, looks=True) as caller:
        return said(desk.looked_up(here, caller, last), 200)


def use(here: Gate, environ: Environ, last: str) -> Said | None:
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if not _TOKEN.fullmatch(last) or not credentials_of(authorization):
        return None
    with desk.admitted(here, _address(environ), authorization) as caller:
        command = DeskUse(countermark=desk.countermark_of(last))
        deliver(here, command, caller=caller, key=None, batched=True)
    return Said(204, b"", "text/html; charset=utf-8")


def _caller(here: Gate, environ: Environ) -> Caller | None:
    try:
        return caller_of(tokens.verify(credentials_of(environ.get("HTTP_AUTHORIZATION", "")), here.signing_key))
    except DomainError:
        return None


def _new_booking(environ: Environ) -> Book | None:
    """The body, where it is just what it should be; otherwise it is put back for Flask to refuse."""
    length, kind = environ.get("CONTENT_LENGTH", ""), environ.get("CONTENT_TYPE", "")
    if kind != "application/json" or not length.isdecimal() or int(length) > LONGEST_BODY:
        return None
    raw = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(raw)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    # four quotation marks: two names, so that none of them came twice
    if type(body) is not dict or len(body) != 2 or raw.count(b'"') != 4:
        return None
    stock_id, quantity = body.get("stockId"), body.get("quantity")
    if type(stock_id) is not int or not 1 <= stock_id <= MAX_NUMBER:
        return None
    if type(quantity) is not int or not 1 <= quantity <= MAX_NUMBER:
        return None
    return Book(stock_id=stock_id, quantity=quantity)


def _address(environ: Environ) -> str:
    return f"address:{environ.get('REMOTE_ADDR') or 'unknown'}"


def _problem(error: DomainError, _path: str) -> Said:
    return refusal_said(error)


ROUTES: Mapping[tuple[str, str], HotRoute] = {
    ("POST", "/v1/"): HotRoute("/v1/bookings", book, _problem, booking_schemas.Booking),
    ("GET", "/v1/offers/"): HotRoute("/v1/offers/<number:offer_id>", offer, _problem, catalogue_schemas.PublicOffer),
    **{
        ("GET", f"{prefix}token/"): HotRoute(
            f"{prefix}token/<token>", look_up, desk.refusal_said, desk_schemas.DeskBooking
        )
        for prefix in ("/v2/bookings/", "/public/bookings/v1/")
    },
    **{
        ("PATCH", f"{prefix}use/token/"): HotRoute(f"{prefix}use/token/<token>", use, desk.refusal_said, None)
        for prefix in ("/v2/bookings/", "/public/bookings/v1/")
    },
}
