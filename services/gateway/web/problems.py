"""Every code the platform refuses with, and how a refusal becomes a problem document (RFC 9457).

``PROBLEMS`` is what ``/problems/<code>`` and the OpenAPI document are made from. A code of a service that does not
stand here still reaches the caller, with the status it came with; a test keeps the table complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response

from shared.kernel.errors import DomainError

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """``title`` is the same at every occurrence; ``meaning`` says what led to it and what a client can do."""

    code: str
    status: int
    title: str
    meaning: str

    @property
    def uri(self) -> str:
        return f"/problems/{self.code}"


_TABLE: tuple[tuple[str, int, str, str], ...] = (
    # The request itself
    ("bad-request", 400, "The request cannot be understood", "It breaks a rule of HTTP."),
    ("bad-json", 400, "The body is not JSON", "The body must be one JSON value in UTF-8, each key given once."),
    ("not-found", 404, "There is no such thing", "Nothing has this address, or it belongs to somebody else."),
    ("method-not-allowed", 405, "This address does not take this method", "`Allow` lists the methods that it takes."),
    ("not-acceptable", 406, "No such representation", "The address cannot be given in the format that was asked."),
    ("too-large", 413, "The body is too large", "A body has at most 1 MiB."),
    ("unsupported-media-type", 415, "The body has another format", "Send `Content-Type: application/json`."),
    ("invalid", 422, "Some values are not accepted", "`errors` says which field and why. Unknown fields are refused."),
    (
        "cursor-invalid",
        422,
        "The cursor is not one of ours",
        "Use `nextCursor` as it was given, with the same filters.",
    ),
    ("internal-error", 500, "Something went wrong on our side", "It was recorded under the answer's `X-Request-Id`."),
    ("unavailable", 503, "Not available right now", "Nothing was stored; the same request may be sent again."),
    # Who asks
    ("unauthorized", 401, "You are not signed in", "No token came, or it is not valid any more: sign in or refresh."),
    ("credentials-invalid", 401, "E-mail or password is wrong", "Also when the e-mail is not known or not confirmed."),
    ("token-invalid", 401, "The token is not valid", "It is unknown, used, revoked or older than its life."),
    ("forbidden", 403, "Your role does not allow this", "The token is valid; its roles do not reach this address."),
    ("account-suspended", 403, "The account is suspended", "Write to the support to have it looked at."),
    ("too-many-requests", 429, "Too many attempts", "`Retry-After` says in how many seconds to try again."),
    # Asked for twice, asked for at once
    ("idempotency-key-required", 422, "An Idempotency-Key is needed", "Send a new value with each new booking."),
    ("idempotency-key-invalid", 422, "The Idempotency-Key is not usable", "1 to 200 visible ASCII characters."),
    ("idempotency-key-reused", 422, "The key came with another body", "A key stands for one request for ever."),
    ("request-in-progress", 409, "The first request is still open", "Its outcome can be asked for with the same key."),
    ("outcome-pending", 503, "The outcome is not known yet", "Send the same request with the same key again."),
    ("precondition-failed", 412, "It has changed meanwhile", "`If-Match` names an older version: read it again."),
    ("conflict", 409, "This does not go with the present state", "`detail` says what stands against it."),
    ("gone", 410, "It is not there any more", "`detail` says since when, or why."),
    # Young people
    ("too-young", 422, "Accounts begin at 15", "The birth date given makes the person younger than 15."),
    ("not-a-beneficiary", 403, "Only beneficiaries can book", "`GET /v1/me` names the next step to become one."),
    ("phone-invalid", 422, "Not a phone number we can write to", "International form, of France or overseas France."),
    ("phone-not-needed", 409, "No phone code is needed", "Phones are confirmed by 18-year-olds who have not yet."),
    ("code-invalid", 422, "The code is wrong or too old", "Codes live ten minutes; attempts are limited."),
    ("step-not-due", 409, "This is not the next step", "`GET /v1/me` names the next step."),
    # Bookings
    ("already-booked", 409, "This offer is booked already", "One live booking per person and offer."),
    ("stock-not-bookable", 409, "This cannot be booked", "Sold out, past its limit, or withdrawn."),
    ("insufficient-credit", 409, "Not enough credit", "The booking costs more than what is left."),
    ("digital-cap-reached", 409, "The limit for digital offers is reached", "Part of a credit is for these only."),
    ("physical-cap-reached", 409, "The limit for physical goods is reached", "Part of a credit is for these only."),
    ("quantity-invalid", 409, "This many places cannot be booked", "One, or two where the offer is duo."),
    ("no-activation-code", 409, "No activation code is left", "All codes of this stock were given."),
    ("cancellation-limit-passed", 409, "It is too late to cancel", "`cancellationLimitAt` of the booking has passed."),
    ("already-used", 409, "The booking was used", "Its countermark has been validated."),
    ("already-cancelled", 409, "The booking was cancelled before", "Nothing is left to cancel."),
    # Cultural actors
    ("siren-invalid", 422, "Not a valid SIREN", "Nine digits, the last of which checks the others."),
    ("siret-invalid", 422, "Not a valid SIRET", "Fourteen digits that check out and begin with the structure's SIREN."),
    ("iban-invalid", 422, "Not a valid IBAN", "Its check digits or its length do not fit."),
    ("bic-invalid", 422, "Not a valid BIC", "Eight or eleven letters and digits."),
    ("quantity-below-booked", 409, "More than that is booked already", "A stock keeps at least what is booked."),
    # Finance and operators
    ("not-caught-up", 409, "Validations are still under way", "Ask again when payout has heard of all of them."),
    ("cutoff-in-the-future", 409, "The cut-off lies ahead", "A batch closes from the day after its cut-off."),
    (
        "earlier-than-last-batch",
        409,
        "A later batch is closed already",
        "Batches close in the order of their cut-offs.",
    ),
    ("clock-goes-back", 422, "The clock does not go back", "Give an instant that is not before the present one."),
    (
        "not-settled",
        503,
        "Still under way",
        "Messages were still being handled when the time allowed for waiting ended.",
    ),
)

PROBLEMS: dict[str, Problem] = {row[0]: Problem(*row) for row in _TABLE}
"""Every documented problem by its code."""

HTTP_CODES = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid",
    429: "too-many-requests",
    503: "unavailable",
}
"""What a bare HTTP status of the framework is called here; any other becomes ``bad-request`` or ``internal``."""


class BadJson(DomainError):
    status = 400
    code = "bad-json"


class UnsupportedMediaType(DomainError):
    status = 415
    code = "unsupported-media-type"


def problem_document(error: DomainError) -> dict[str, Any]:
    """The members of RFC 9457, ``code``, ``errors`` where fields are at fault, and what else the refusal says."""
    known = PROBLEMS.get(error.code)
    # "key" is how the partners' interface names its errors; it is no part of a problem document
    more = {name: value for name, value in error.extra.items() if name != "key"}
    document: dict[str, Any] = {
        **more,
        "type": f"/problems/{error.code}",
        "title": known.title if known else error.code.replace("-", " ").capitalize(),
        "status": error.status,
        "detail": error.detail or (known.meaning if known else ""),
        "code": error.code,
    }
    if error.errors:
        document["errors"] = error.errors
    return document


def problem_response(error: DomainError) -> Response:
    """The refusal as it is sent, with the headers that its status asks for."""
    response = Response(orjson.dumps(problem_document(error)), status=error.status, mimetype=MEDIA_TYPE)
    return with_refusal_headers(response, error)


def with_refusal_headers(response: Response, error: DomainError) -> Response:
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="passculture"'
    retry_after = error.extra.get("retryAfter")
    if isinstance(retry_after, int):
        response.headers["Retry-After"] = str(max(1, retry_after))
    elif error.status == 503:
        response.headers["Retry-After"] = "1"
    return response
