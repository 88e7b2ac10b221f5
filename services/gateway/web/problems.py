"""Every code the platform refuses with, and how a refusal becomes a problem document (RFC 9457).

``PROBLEMS`` is what ``/problems/<code>`` and the OpenAPI document are made from. A code of a service that does not
stand here still reaches the caller, with the status it came with; a test keeps the table complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response

from services.gateway.web.answers import Said
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
    ("request-timeout", 408, "The request took too long", "A head has 10 s, a body 20 s and more if it is long."),
    ("length-required", 411, "The body has no length", "Send it whole, with `Content-Length`, not in chunks."),
    ("too-large", 413, "The body is too large", "A body has at most 1 MiB, a document 10 MB."),
    ("target-too-long", 414, "The address is too long", "A request line has at most 8 KiB."),
    ("unsupported-media-type", 415, "The body has another format", "JSON; a form (`multipart/form-data`) for a file."),
    ("expectation-failed", 417, "Expect asks for something unknown", "Only `100-continue` is known."),
    ("invalid", 422, "Some values are not accepted", "`errors` says which field and why. Unknown fields are refused."),
    (
        "cursor-invalid",
        422,
        "The cursor is not one of ours",
        "Use `nextCursor` as it was given, with the same filters.",
    ),
    ("fields-too-large", 431, "The header fields are too large", "100 fields and 16 KiB at most."),
    ("internal-error", 500, "Something went wrong on our side", "It was recorded under the answer's `X-Request-Id`."),
    ("method-not-implemented", 501, "Unknown method", "No address of the platform knows this method."),
    ("version-not-supported", 505, "Unknown version of HTTP", "HTTP/1.1 and HTTP/1.0 are known."),
    ("unavailable", 503, "Not available right now", "Nothing was stored; the same request may be sent again."),
    ("too-busy", 503, "Too many at once", "Nothing was stored; the same request may be sent again."),
    ("unknown-call", 404, "Unknown call", "One service asked another for what it does not know: versions differ."),
    # Who asks
    ("unauthorized", 401, "You are not signed in", "No token came, or it is not valid any more: sign in or refresh."),
    ("credentials-invalid", 401, "E-mail or password is wrong", "Also when the e-mail is not known or not confirmed."),
    ("token-invalid", 401, "The token is not valid", "It is unknown, used, revoked or older than its life."),
    ("link-invalid", 422, "The link is not valid", "Its token was never sent, or was used before."),
    ("token-expired", 410, "The link is too old", "Links in mails live a day: ask for another one."),
    ("email-not-confirmed", 403, "The e-mail is not confirmed yet", "Follow the link of the mail first."),
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
    ("password-weak", 422, "The password is too weak", "12 characters: capital, small letter, digit and another."),
    ("email-taken", 409, "This e-mail has an account", "Told to staff only; the public is never told."),
    ("not-eligible", 409, "Not eligible now", "`eligibility` of `GET /v1/me` says when."),
    ("phone-taken", 409, "The phone belongs to another account", "A number is confirmed by one account only."),
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
    ("in-a-batch", 409, "The booking is being reimbursed", "It has entered a payout: staff may order a correction."),
    ("not-cancelled", 409, "The booking is not cancelled", "Only what was cancelled can be restored."),
    ("already-reimbursed", 403, "The booking was reimbursed", "Nothing of it can be changed any more."),
    ("released", 409, "The credit was given back meanwhile", "The attempt was given up; a new one may be made."),
    ("reservation-differs", 409, "Asked for otherwise before", "The same attempt was made for another amount."),
    ("booking-cancelled", 410, "The booking was cancelled", "Its countermark is worth nothing any more."),
    ("countermark-unknown", 404, "Unknown countermark", "Nobody holds it."),
    ("not-your-booking", 403, "Another structure's booking", "Only its own structure validates a countermark."),
    ("not-used", 410, "The booking was not used", "There is no validation to take back."),
    ("too-early", 403, "Too early to validate", "A dated booking is final after its cancellation limit."),
    ("activation-code-booking", 403, "It came with an activation code", "Such a booking stays validated."),
    # Cultural actors
    ("siren-invalid", 422, "Not a valid SIREN", "Nine digits, the last of which checks the others."),
    ("siren-closed", 422, "The structure has ceased", "The Sirene directory knows it as closed."),
    ("siren-foreign", 422, "The structure's seat is abroad", "The pass is for structures with a seat in France."),
    ("too-many-api-keys", 409, "There are five API keys", "Delete one that is not needed any more."),
    ("offerer-closed", 409, "The structure is closed", "Nothing of it can be added or changed any more."),
    ("siret-invalid", 422, "Not a valid SIRET", "Fourteen digits that check out and begin with the structure's SIREN."),
    ("siret-taken", 409, "A venue has this SIRET already", "A SIRET belongs to one venue."),
    ("offer-in-review", 409, "Staff are looking at this offer", "It can be changed once they have decided."),
    ("offer-rejected", 409, "The offer was rejected", "It cannot be changed any more."),
    ("offer-not-published", 409, "The offer is a draft", "Its first stock publishes it."),
    ("offer-not-in-review", 409, "Nobody was asked to look at it", "Only an offer in review is decided on."),
    ("date-in-the-past", 422, "The date has passed", "An event begins, and is booked, in the future."),
    ("event-passed", 409, "The event has taken place", "Its stock cannot be changed any more."),
    ("price-agreed", 409, "An agreement fixes the price", "An offer with a reimbursement rule of its own keeps it."),
    ("stock-withdrawn", 409, "The stock was withdrawn", "Add another one."),
    ("withdrawal-too-late", 409, "Too late to withdraw", "Stocks are withdrawn until 48 h after the start."),
    ("quantity-below-booked", 409, "More than that is booked already", "A stock keeps at least what is booked."),
    ("bank-details-invalid", 422, "These bank details do not check out", "`errors` says what is wrong with them."),
    ("bank-details-not-found", 404, "No such bank details", "Nothing has this number."),
    ("bank-details-already-decided", 409, "These bank details were decided on", "The first decision stands."),
    ("document-invalid", 422, "The document is not accepted", "A whole PDF, PNG or JPEG of at most 10 MB."),
    ("document-not-found", 404, "No such document", "Nothing has this number, or it belongs to other bank details."),
    ("too-many-documents", 409, "There are ten documents", "No more can be added to these bank details."),
    ("already-decided", 409, "It was decided on before", "The first decision stands."),
    # Finance and operators
    ("not-caught-up", 409, "Validations are still under way", "Ask again when payout has heard of all of them."),
    ("cutoff-in-the-future", 409, "The cut-off lies ahead", "A batch closes from the day after its cut-off."),
    (
        "earlier-than-last-batch",
        409,
        "A later batch is closed already",
        "Batches close in the order of their cut-offs.",
    ),
    ("cutoff-ends-no-period", 422, "No period ends that day", "A fortnight ends on the 15th or a month's last day."),
    ("batch-not-found", 404, "No such batch", "Nothing has this number."),
    ("batch-not-closed", 409, "The batch is not closed yet", "Ask again shortly."),
    ("balances-not-noted", 404, "The batch has no such file", "It was closed before balances were noted at a close."),
    ("no-transfers", 404, "The batch transfers nothing", "So there is no file for the bank."),
    ("nothing-to-transfer", 404, "The batch transfers nothing", "So there is no file for the bank."),
    ("transfer-not-found", 404, "No such transfer in the batch", "Identifiers are those of its file."),
    ("transfer-already-answered", 409, "The bank answered otherwise before", "The first answer stands."),
    ("custom-rule-invalid", 422, "The rule does not hold together", "`detail` says what is wrong with it."),
    ("custom-rule-owner-unknown", 422, "No such offer or structure", "A rule is about one that there is."),
    ("custom-rule-overlaps", 409, "Another rule covers this", "Rules of one offer or structure do not overlap."),
    ("line-not-found", 404, "No such line", "Nothing has this number."),
    ("line-not-in-a-batch", 409, "The line is in no batch", "Before its batch the validation itself is undone."),
    ("file-not-valid", 500, "The file is not valid", "It was not handed out; operators know."),
    ("not-waiting", 409, "It does not wait any more", "It was replayed or discarded before."),
    ("not-understood", 409, "The message is not understood", "It is in a version that this release does not read."),
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
    408: "request-timeout",
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


def refusal_said(error: DomainError) -> Said:
    """The refusal as a problem document."""
    return Said(error.status, orjson.dumps(problem_document(error)), MEDIA_TYPE, refusal_headers(error))


def refusal_headers(error: DomainError) -> dict[str, str]:
    """Those that its status asks for, and whether it is a repetition."""
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="passculture"'
    retry_after = error.extra.get("retryAfter")
    if isinstance(retry_after, int):
        headers["Retry-After"] = str(max(1, retry_after))
    elif error.status == 503:
        headers["Retry-After"] = "1"
    if getattr(error, "replayed", False):
        headers["Idempotency-Replayed"] = "true"
    return headers


def response_of(said: Said) -> Response:
    """The same, for the framework."""
    return Response(said.body, status=said.status, mimetype=said.media_type, headers=dict(said.headers))
