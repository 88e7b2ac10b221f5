"""The codes of all refusals, and how a refusal becomes a problem document (RFC 9457).

``/problems/<code>`` and the OpenAPI document are made from ``PROBLEMS``. A test keeps the table complete; a code that
is missing still reaches the caller, with its own status.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from services.gateway.web.responses.answers import RawResponse
from shared.kernel.errors import DomainError
from shared.kernel.french import no_break

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """``title`` is the same for every occurrence; ``meaning`` says what led to it and what a client can do."""

    code: str
    status: int
    title: str
    meaning: str

    @property
    def uri(self) -> str:
        return f"/problems/{self.code}"


_TABLE: tuple[tuple[str, int, str, str], ...] = (
    # The request itself
    ("bad-request", 400, "Bad request", "The request breaks a rule of HTTP."),
    ("bad-json", 400, "The body is not JSON", "The body must be one JSON value in UTF-8, each key given once."),
    ("not-found", 404, "Not found", "Nothing has this address, or it belongs to somebody else."),
    ("method-not-allowed", 405, "Method not allowed", "`Allow` lists the methods of this address."),
    ("not-acceptable", 406, "No such representation", "The resource has no representation in the `Accept`ed format."),
    ("request-timeout", 408, "The request took too long", "A head has 10 s, a body 20 s and more if it is large."),
    ("length-required", 411, "The body has no length", "Send it whole, with `Content-Length`, not in chunks."),
    ("too-large", 413, "The body is too large", "A body has at most 1 MiB, a document 10 MB."),
    ("target-too-long", 414, "The address is too long", "A request line has at most 8 KiB."),
    ("unsupported-media-type", 415, "Unsupported media type", "Send JSON; a form (`multipart/form-data`) with a file."),
    ("expectation-failed", 417, "Unknown expectation", "`Expect` may be `100-continue` only."),
    ("invalid", 422, "Invalid values", "`errors` says which field and why. Unknown fields are refused."),
    ("cursor-invalid", 422, "Invalid cursor", "Use `nextCursor` unchanged, with the same filters."),
    ("fields-too-large", 431, "The header fields are too large", "100 fields and 16 KiB at most."),
    ("internal-error", 500, "Internal error", "The log has it under the answer's `X-Request-Id`."),
    ("method-not-implemented", 501, "Unknown method", "The platform does not implement this method."),
    ("version-not-supported", 505, "Unknown version of HTTP", "Use HTTP/1.1 or HTTP/1.0."),
    ("unavailable", 503, "Unavailable", "Nothing was stored. Send the same request again."),
    ("too-busy", 503, "Too many requests at once", "Nothing was stored. Send the same request again."),
    ("unknown-call", 404, "Unknown call", "A service does not know a call of another: their versions differ."),
    # Who asks
    ("unauthorized", 401, "Not signed in", "The request has no token, or an expired one: sign in or refresh."),
    ("credentials-invalid", 401, "Wrong e-mail or password", "The same for an unknown or unconfirmed e-mail."),
    ("token-invalid", 401, "The token is not valid", "It is unknown, used, revoked or expired."),
    ("link-invalid", 422, "The link is not valid", "Its token is unknown or already used."),
    ("token-expired", 410, "The link has expired", "Links in mails are valid for a day: ask for another one."),
    ("email-not-confirmed", 403, "The e-mail is not confirmed yet", "Follow the link of the mail first."),
    ("forbidden", 403, "Your role does not allow this", "The token is valid, but its roles do not allow this request."),
    ("account-suspended", 403, "The account is suspended", "The person may write to the support."),
    ("too-many-requests", 429, "Too many attempts", "`Retry-After` says in how many seconds to try again."),
    # Asked for twice, asked for at once
    ("idempotency-key-required", 422, "An Idempotency-Key is needed", "Send a new value with each new booking."),
    ("idempotency-key-invalid", 422, "Invalid Idempotency-Key", "It must have 1 to 200 visible ASCII characters."),
    ("idempotency-key-reused", 422, "The key was used for another request", "Send a new key with each new request."),
    ("request-in-progress", 409, "The first request is in progress", "Send it again later, with the same key."),
    ("outcome-pending", 503, "The outcome is not known yet", "Send the same request with the same key again."),
    ("precondition-failed", 412, "The resource has changed", "`If-Match` names an older version: read it again."),
    ("conflict", 409, "Conflict with the present state", "`detail` says which."),
    ("gone", 410, "It no longer exists", "`detail` says since when, or why."),
    # Young people
    ("too-young", 422, "Accounts begin at 15", "The birth date given makes the person younger than 15."),
    ("password-weak", 422, "The password is too weak", "12 characters: upper case, lower case, digit and another."),
    (
        "email-taken",
        409,
        "This e-mail has an account",
        "Only staff get this code: the public cannot find out who has one.",
    ),
    ("not-eligible", 409, "Not eligible now", "`eligibility` of `GET /v1/me` says when."),
    ("phone-taken", 409, "The phone belongs to another account", "A number belongs to one account only."),
    ("not-a-beneficiary", 403, "Only beneficiaries can book", "`GET /v1/me` names the next step to become one."),
    (
        "phone-invalid",
        422,
        "Not a phone number that gets text messages",
        "International form, of France or overseas France.",
    ),
    ("phone-not-needed", 409, "No phone code is needed", "Phones are confirmed by 18-year-olds who have not yet."),
    ("code-invalid", 422, "Wrong or expired code", "Codes are valid for ten minutes; attempts are limited."),
    ("step-not-due", 409, "This is not the next step", "`GET /v1/me` names the next step."),
    # Bookings
    ("already-booked", 409, "This offer is booked already", "A person has one active booking per offer."),
    ("stock-not-bookable", 409, "The stock cannot be booked", "It is sold out, past its limit, or withdrawn."),
    ("insufficient-credit", 409, "Not enough credit", "The booking costs more than the remaining credit."),
    ("digital-cap-reached", 409, "The limit for digital offers is reached", "Part of a credit is for these only."),
    ("physical-cap-reached", 409, "The limit for physical goods is reached", "Part of a credit is for these only."),
    ("quantity-invalid", 409, "This many places cannot be booked", "One, or two where the offer is duo."),
    ("no-activation-code", 409, "No activation code is left", "All codes of this stock are used."),
    ("cancellation-limit-passed", 409, "It is too late to cancel", "`cancellationLimitAt` of the booking has passed."),
    ("already-used", 409, "The booking was used", "Its countermark has been validated."),
    ("already-cancelled", 409, "The booking is already cancelled", "There is nothing to cancel."),
    ("in-a-batch", 409, "The booking is being reimbursed", "It is in a payout: staff may order a correction."),
    ("not-cancelled", 409, "The booking is not cancelled", "Only a cancelled booking can be restored."),
    ("already-reimbursed", 403, "The booking was reimbursed", "It can no longer be changed."),
    ("released", 409, "The reservation was released", "The booking attempt was abandoned; make a new one."),
    ("reservation-differs", 409, "The reservation differs", "The same attempt reserved another amount."),
    ("booking-cancelled", 410, "The booking was cancelled", "Its countermark is no longer valid."),
    ("countermark-unknown", 404, "Unknown countermark", "No booking has it."),
    ("not-your-booking", 403, "Another structure's booking", "Only the offer's own structure validates it."),
    ("not-used", 410, "The booking was not used", "There is no validation to undo."),
    ("too-early", 403, "Too early to validate", "A dated booking is final after its cancellation limit."),
    ("activation-code-booking", 403, "The booking has an activation code", "Its validation cannot be undone."),
    # Cultural actors
    ("siren-invalid", 422, "Not a valid SIREN", "A SIREN has nine digits; the last is a check digit."),
    ("siren-closed", 422, "The structure has closed down", "The Sirene directory lists it as closed."),
    ("siren-foreign", 422, "The structure's seat is abroad", "The pass is for structures with a seat in France."),
    ("too-many-api-keys", 409, "Too many API keys", "A structure has at most five: delete one."),
    ("offerer-closed", 409, "The structure is closed", "It can no longer add or change anything."),
    ("siret-invalid", 422, "Not a valid SIRET", "Fourteen digits that begin with the structure's SIREN."),
    ("siret-taken", 409, "The SIRET is taken", "A SIRET belongs to one venue."),
    ("offer-in-review", 409, "The offer is in review", "It can be changed after the decision of staff."),
    ("offer-rejected", 409, "The offer was rejected", "It can no longer be changed."),
    ("offer-not-published", 409, "The offer is a draft", "Its first stock publishes it."),
    ("offer-not-in-review", 409, "The offer is not in review", "Staff decide on offers in review only."),
    ("date-in-the-past", 422, "The date has passed", "Events and booking limits lie in the future."),
    ("event-passed", 409, "The event has taken place", "Its stock can no longer be changed."),
    ("price-agreed", 409, "An agreement fixes the price", "An offer with a custom reimbursement rule keeps its price."),
    ("stock-withdrawn", 409, "The stock was withdrawn", "Add another one."),
    ("withdrawal-too-late", 409, "Too late to withdraw", "Stocks are withdrawn until 48 h after the start."),
    ("quantity-below-booked", 409, "More places are booked", "The quantity of a stock is at least what is booked."),
    ("bank-details-invalid", 422, "Invalid bank details", "`errors` says which field and why."),
    ("bank-details-not-found", 404, "No such bank details", "Nothing has this number."),
    ("bank-details-already-decided", 409, "The bank details are already decided", "The first decision stands."),
    ("document-invalid", 422, "Invalid document", "It must be a complete PDF, PNG or JPEG of at most 10 MB."),
    ("document-not-found", 404, "No such document", "Nothing has this number, or it belongs to other bank details."),
    ("too-many-documents", 409, "Too many documents", "Bank details have at most ten."),
    ("already-decided", 409, "Already decided", "The first decision stands."),
    # Finance and operators
    ("not-caught-up", 409, "Payout has not caught up", "Try again when payout has handled every validation."),
    ("cutoff-in-the-future", 409, "The cut-off is in the future", "A batch closes from the day after its cut-off."),
    (
        "earlier-than-last-batch",
        409,
        "A later batch is already closed",
        "Batches close in the order of their cut-offs.",
    ),
    ("cutoff-ends-no-period", 422, "No period ends that day", "A fortnight ends on the 15th or a month's last day."),
    ("batch-not-found", 404, "No such batch", "Nothing has this number."),
    ("batch-not-closed", 409, "The batch is not closed yet", "Try again shortly."),
    ("balances-not-noted", 404, "The batch has no such file", "It was closed before closes recorded balances."),
    ("no-transfers", 404, "The batch transfers nothing", "So there is no file for the bank."),
    ("nothing-to-transfer", 404, "The batch transfers nothing", "So there is no file for the bank."),
    ("transfer-not-found", 404, "No such transfer in the batch", "Identifiers are those of its file."),
    ("transfer-already-answered", 409, "The bank has already answered differently", "The first answer stands."),
    ("custom-rule-invalid", 422, "Invalid rule", "`detail` says what is wrong with it."),
    ("custom-rule-owner-unknown", 422, "No such offer or structure", "A rule needs an existing one."),
    ("custom-rule-overlaps", 409, "The rule overlaps another", "Rules of one offer or structure do not overlap."),
    ("line-not-found", 404, "No such line", "Nothing has this number."),
    ("line-not-in-a-batch", 409, "The line is in no batch", "Before the batch, undo the validation instead."),
    ("file-not-valid", 500, "The file is not valid", "It was not sent; the log has the reason."),
    ("not-waiting", 409, "The dead letter is not waiting", "It was already replayed or discarded."),
    ("not-understood", 409, "The message is not understood", "This release does not read its version."),
    ("clock-goes-back", 422, "The clock does not move back", "Give an instant that is not before the present one."),
    (
        "not-settled",
        503,
        "The platform has not settled",
        "Messages were still being handled when the time limit ended.",
    ),
)

PROBLEMS: dict[str, Problem] = {row[0]: Problem(*row) for row in _TABLE}
"""By code."""

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
"""The codes of Flask's own errors; any other status becomes ``bad-request`` or ``internal-error``."""


DETAILS = {
    400: "Cette requête n’est pas valable.",
    401: "Vous n’êtes pas connecté : connectez-vous pour continuer.",
    403: "Vous n’avez pas le droit de faire cela.",
    404: "Cette adresse n’existe pas, ou n’est pas la vôtre.",
    405: "Cette adresse n’accepte pas cette méthode.",
    406: "Cette adresse n’existe pas dans le format demandé.",
    408: "La requête a mis trop de temps à arriver.",
    409: "L’état actuel ne le permet pas.",
    410: "Ceci n’existe plus.",
    411: "Indiquez la longueur du contenu (Content-Length).",
    412: "Ceci a changé entre-temps : rechargez avant de modifier.",
    413: "Le contenu envoyé est trop volumineux.",
    414: "L’adresse est trop longue.",
    415: "Ce format de contenu n’est pas accepté.",
    417: "L’en-tête Expect n’accepte que « 100-continue ».",
    422: "Certaines valeurs ne sont pas acceptées : corrigez-les.",
    429: "Vous avez fait trop d’essais : patientez une minute.",
    431: "Les en-têtes de la requête sont trop longs.",
    500: "Une erreur est survenue de notre côté ; elle a été enregistrée.",
    501: "Cette méthode n’est pas prise en charge.",
    503: "Le service est momentanément indisponible : réessayez dans un instant.",
    505: "Cette version de HTTP n’est pas prise en charge.",
}
"""In French, by status: of refusals that say nothing more precise."""


def problem_document(error: DomainError) -> dict[str, Any]:
    """The members of RFC 9457, ``code``, ``errors`` of fields, and the refusal's further members."""
    known = PROBLEMS.get(error.code)
    # "key" names the error in the partners' format, and is not part of a problem document
    more = {name: value for name, value in error.extra.items() if name != "key"}
    document: dict[str, Any] = {
        **more,
        "type": f"/problems/{error.code}",
        "title": known.title if known else error.code.replace("-", " ").capitalize(),
        "status": error.status,
        "detail": detail_of(error),
        "code": error.code,
    }
    if error.errors:
        document["errors"] = error.errors
    return document


def detail_of(error: DomainError) -> str:
    """What a person reads: French."""
    return error.detail or no_break(DETAILS.get(error.status, DETAILS[500]))


def problem_response(error: DomainError) -> RawResponse:
    """The refusal as a problem document."""
    return RawResponse(error.status, orjson.dumps(problem_document(error)), MEDIA_TYPE, refusal_headers(error))


def refusal_headers(error: DomainError) -> dict[str, str]:
    """The headers that its status requires, and whether it is replayed."""
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
