"""The routes with the highest rates, which bypass Flask: a booking, an offer, the desk.

They handle the normal request only. Any other (no token, an invalid body, a query string) goes to Flask before anything
is done, so its refusals are the same by construction. Refusals of services use the same functions as Flask's routes. A
test sends the same requests to both and compares the answers.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from marshmallow import Schema
from werkzeug.http import HTTP_STATUS_CODES, generate_etag, quote_etag

from services.gateway.http.connections import Environ, Wsgi
from services.gateway.http.refusals import InternalError
from services.gateway.ports import Ports
from services.gateway.web.endpoints.calls import send_as
from services.gateway.web.requests.headers import is_key
from services.gateway.web.requests.security import caller_of, credentials_of
from services.gateway.web.responses.answers import (
    REVALIDATED,
    RawResponse,
    Verification,
    headers_of,
    json_response,
    request_id_of,
    verify,
)
from services.gateway.web.responses.problems import problem_response
from services.gateway.web.routes import bookings, desk
from services.gateway.web.schemas import bookings as booking_schemas
from services.gateway.web.schemas import catalogue as catalogue_schemas
from services.gateway.web.schemas import desk as desk_schemas
from shared.contracts.calls.booking import Book, DeskUse
from shared.eventstore.context import caused_by
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.kernel.identifiers import MAX_NUMBER
from shared.observability import metrics
from shared.runtime import tokens

StartResponse = Callable[..., Any]
Handle = Callable[[Ports, Environ, str], RawResponse | None]

log = structlog.get_logger()

MAX_BODY_BYTES = 1_000
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_TOKEN = re.compile(r"[A-Za-z0-9]{6}")
_STATUS_LINES = {code: f"{code} {phrase.upper()}" for code, phrase in HTTP_STATUS_CODES.items()}


@dataclass(frozen=True, slots=True)
class FastRoute:
    """``handle`` answers, or returns None to leave the request to Flask. The rest is as in Flask's declaration."""

    rule: str
    handle: Handle
    refused: Callable[[DomainError, str], RawResponse]
    schema: type[Schema] | None


class FastRoutes:
    """The WSGI application: these routes by (method, path up to its last segment), and Flask behind them."""

    def __init__(self, ports: Ports, flask: Wsgi, verification: Verification = "off") -> None:
        self._ports, self._flask, self._verification = ports, flask, verification

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        cut = path.rfind("/") + 1
        route = ROUTES.get((environ["REQUEST_METHOD"], path[:cut]))
        if route is None or environ.get("QUERY_STRING"):
            return self._flask(environ, start_response)
        started = time.perf_counter()
        request_id = request_id_of(environ)
        with caused_by(request_id, request_id):
            answer = self._answer(route, environ, path, path[cut:])
            if answer is not None:
                self._record(route.rule, environ["REQUEST_METHOD"], path, answer.status, started)
        if answer is None:
            return self._flask(environ, start_response)
        start_response(_STATUS_LINES[answer.status], headers_of(answer, request_id))
        return [answer.body] if answer.body else []

    def _answer(self, route: FastRoute, environ: Environ, path: str, last: str) -> RawResponse | None:
        try:
            answer = route.handle(self._ports, environ, last)
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


def book(ports: Ports, environ: Environ, last: str) -> RawResponse | None:
    caller, key = _caller(ports, environ), environ.get("HTTP_IDEMPOTENCY_KEY", "").strip()
    if last != "bookings" or caller is None or not is_key(key):
        return None
    command = _new_booking(environ)
    if command is None:
        return None
    answer = send_as(ports, command, caller=caller, key=key, batched=True)
    answered = json_response(bookings.with_email(ports, caller, [answer.result])[0], 201)
    if not answer.replayed:
        return answered
    return RawResponse(201, answered.body, headers={**answered.headers, "Idempotency-Replayed": "true"})


def offer(ports: Ports, environ: Environ, last: str) -> RawResponse | None:
    if not _NUMBER.fullmatch(last) or "HTTP_IF_NONE_MATCH" in environ:
        return None
    ports.pending_writes.wait_for_offer(int(last))
    found = ports.offer_cache.get(int(last))
    if found is None:
        return None
    return RawResponse(200, found, headers={"ETag": quote_etag(generate_etag(found)), "Cache-Control": REVALIDATED})


def look_up(ports: Ports, environ: Environ, last: str) -> RawResponse | None:
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if not _TOKEN.fullmatch(last) or not credentials_of(authorization):
        return None
    with desk.admitted(ports, _address(environ), authorization, read_only=True) as caller:
        return json_response(desk.booking_by_countermark(ports, caller, last), 200)


def use(ports: Ports, environ: Environ, last: str) -> RawResponse | None:
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if not _TOKEN.fullmatch(last) or not credentials_of(authorization):
        return None
    with desk.admitted(ports, _address(environ), authorization) as caller:
        command = DeskUse(countermark=desk.countermark_of(last))
        send_as(ports, command, caller=caller, key=None, batched=True)
    return RawResponse(204, b"", "text/html; charset=utf-8")


def _caller(ports: Ports, environ: Environ) -> Caller | None:
    try:
        return caller_of(tokens.verify(credentials_of(environ.get("HTTP_AUTHORIZATION", "")), ports.signing_key))
    except DomainError:
        return None


def _new_booking(environ: Environ) -> Book | None:
    """The body, if it is a normal one; otherwise it is restored for Flask, which refuses it."""
    length, kind = environ.get("CONTENT_LENGTH", ""), environ.get("CONTENT_TYPE", "")
    if kind != "application/json" or not length.isdecimal() or int(length) > MAX_BODY_BYTES:
        return None
    raw = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(raw)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    # four quotation marks: two names, so neither is given twice
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


def _problem(error: DomainError, _path: str) -> RawResponse:
    return problem_response(error)


ROUTES: Mapping[tuple[str, str], FastRoute] = {
    ("POST", "/v1/"): FastRoute("/v1/bookings", book, _problem, booking_schemas.Booking),
    ("GET", "/v1/offers/"): FastRoute("/v1/offers/<number:offer_id>", offer, _problem, catalogue_schemas.PublicOffer),
    **{
        ("GET", f"{prefix}token/"): FastRoute(
            f"{prefix}token/<token>", look_up, desk.refusal_response, desk_schemas.DeskBooking
        )
        for prefix in ("/v2/bookings/", "/public/bookings/v1/")
    },
    **{
        ("PATCH", f"{prefix}use/token/"): FastRoute(f"{prefix}use/token/<token>", use, desk.refusal_response, None)
        for prefix in ("/v2/bookings/", "/public/bookings/v1/")
    },
}
