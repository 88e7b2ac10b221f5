"""Staff: what waits for a decision, and the decisions."""

from __future__ import annotations

import base64
from typing import Any

from flask import Response

from services.gateway.schemas import staff as schemas
from services.gateway.schemas.pro import Documents
from services.gateway.web.audience import Audience
from services.gateway.web.calls import ask, send
from services.gateway.web.cursors import paged
from shared.contracts.calls import catalog, payout
from shared.contracts.calls.contract import STAFF

audience = Audience("Staff", "What waits for a decision, and the decisions.")

DECIDES = ["already-decided"]
EXTENSIONS = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}
CREDIT = ["insufficient-credit", "digital-cap-reached", "physical-cap-reached"]
CANCELS = ["already-cancelled", "already-reimbursed", "in-a-batch"]


def _pending(name: str, query: dict[str, Any], service: str, call: str, **about: str) -> dict[str, Any]:
    """What is pending is all that these lists hold: the filter itself does not travel."""

    def page(asked: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in asked.items() if key != "status"}
        found: dict[str, Any] = ask(service, call, {**kept, **about})
        return found

    return paged(f"pending-{name}", query, page)


@audience.endpoint(
    "GET",
    "/v1/staff/offerers",
    access=STAFF,
    query=schemas.PendingQuery,
    refuses=["cursor-invalid"],
    answers=(200, schemas.PendingOfferers),
)
def pending_offerers(query: dict[str, Any]) -> Any:
    """Structures that await validation."""
    return _pending("offerers", query, "identity", "pending", what="offerers")


@audience.endpoint(
    "GET",
    "/v1/staff/attachments",
    access=STAFF,
    query=schemas.PendingQuery,
    refuses=["cursor-invalid"],
    answers=(200, schemas.PendingAttachments),
)
def pending_attachments(query: dict[str, Any]) -> Any:
    """People who ask to be attached to a structure that is there already."""
    return _pending("attachments", query, "identity", "pending", what="attachments")


@audience.endpoint(
    "GET",
    "/v1/staff/identity-checks",
    access=STAFF,
    query=schemas.PendingQuery,
    refuses=["cursor-invalid"],
    answers=(200, schemas.PendingIdentityChecks),
)
def pending_identity_checks(query: dict[str, Any]) -> Any:
    """Identity checks that were left suspicious."""
    return _pending("identity-checks", query, "identity", "pending", what="identity-checks")


audience.forwards("GET", "/v1/staff/offers", catalog.PendingOffers, answers=(200, schemas.PendingOffers))


audience.forwards("GET", "/v1/staff/bank-details", payout.PendingBankDetails, answers=(200, schemas.PendingBankDetails))


@audience.endpoint(
    "POST",
    "/v1/staff/offerers/<number:offerer_id>/validate",
    access=STAFF,
    answers=(200, schemas.Decided),
    refuses=DECIDES,
)
def validate_offerer(offerer_id: int) -> Any:
    """Validates a structure: its offers can be seen and booked."""
    return send("identity", "validate-offerer", {"offererId": offerer_id}) or {}


@audience.endpoint(
    "POST",
    "/v1/staff/offerers/<number:offerer_id>/reject",
    access=STAFF,
    body=schemas.Rejection,
    answers=(200, schemas.Decided),
    refuses=DECIDES,
)
def reject_offerer(body: dict[str, Any], offerer_id: int) -> Any:
    """Rejects a structure."""
    return send("identity", "reject-offerer", {"offererId": offerer_id, **body}) or {}


@audience.endpoint(
    "POST",
    "/v1/staff/offerers/<number:offerer_id>/close",
    access=STAFF,
    body=schemas.Rejection,
    answers=(200, schemas.Decided),
    refuses=DECIDES,
)
def close_offerer(body: dict[str, Any], offerer_id: int) -> Any:
    """Closes a structure: nothing of it can be booked any more."""
    return send("identity", "close-offerer", {"offererId": offerer_id, **body}) or {}


@audience.endpoint(
    "POST",
    "/v1/staff/attachments/<number:attachment_id>/validate",
    access=STAFF,
    answers=(200, schemas.Decided),
    refuses=DECIDES,
)
def validate_attachment(attachment_id: int) -> Any:
    """Approves an attachment: its person sees and does what everyone of the structure does."""
    return send("identity", "approve-attachment", {"attachmentId": attachment_id}) or {}


@audience.endpoint(
    "POST",
    "/v1/staff/attachments/<number:attachment_id>/reject",
    access=STAFF,
    body=schemas.Rejection,
    answers=(200, schemas.Decided),
    refuses=DECIDES,
)
def reject_attachment(body: dict[str, Any], attachment_id: int) -> Any:
    """Rejects an attachment."""
    return send("identity", "reject-attachment", {"attachmentId": attachment_id, **body}) or {}


OFFER = "/v1/staff/offers/<number:offer_id>"

audience.forwards("POST", f"{OFFER}/validate", catalog.ApproveOffer, answers=(200, schemas.Decided))
audience.forwards("POST", f"{OFFER}/reject", catalog.RejectOffer, answers=(200, schemas.Decided))


BANK_DETAILS = "/v1/staff/bank-details/<number:bank_details_id>"

audience.forwards(
    "POST",
    f"{BANK_DETAILS}/validate",
    payout.AcceptBankDetails,
    operation="validate_bank_details",
    answers=(200, schemas.Decided),
)
audience.forwards("POST", f"{BANK_DETAILS}/reject", payout.RejectBankDetails, answers=(200, schemas.Decided))
audience.forwards(
    "GET",
    f"{BANK_DETAILS}/documents",
    payout.Documents,
    access=STAFF,
    operation="documents_of_bank_details",
    answers=(200, Documents),
)


@audience.endpoint(
    "GET",
    f"{BANK_DETAILS}/documents/<number:document_id>",
    query=payout.Document,
    access=STAFF,
    media_type="application/octet-stream",
)
def document_of_bank_details(query: payout.Document) -> Any:
    """One of them, as a file to keep: its bytes as they were sent, to be shown by nothing here."""
    found = ask(query, seconds=60.0)
    response = Response(base64.b64decode(found["content"]), mimetype="application/octet-stream")
    name = f"{found['kind']}-{query.document_id}.{EXTENSIONS[found['mediaType']]}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@audience.endpoint(
    "POST",
    "/v1/staff/identity-checks/<number:identity_check_id>/validate",
    access=STAFF,
    body=schemas.Rejection,
    answers=(200, schemas.Decided),
    refuses=DECIDES,
)
def validate_identity_check(body: dict[str, Any], identity_check_id: int) -> Any:
    """Accepts an identity check that was left suspicious."""
    return _review(identity_check_id, True, body)


@audience.endpoint(
    "POST",
    "/v1/staff/identity-checks/<number:identity_check_id>/reject",
    access=STAFF,
    body=schemas.Rejection,
    answers=(200, schemas.Decided),
    refuses=DECIDES,
)
def reject_identity_check(body: dict[str, Any], identity_check_id: int) -> Any:
    """Rejects an identity check."""
    return _review(identity_check_id, False, body)


def _review(identity_check_id: int, accept: bool, body: dict[str, Any]) -> Any:
    data = {"identityCheckId": identity_check_id, "accept": accept, **body}
    return send("identity", "review-identity-check", data) or {}


@audience.endpoint(
    "POST",
    "/v1/staff/accounts/<number:account_id>/suspend",
    access=STAFF,
    body=schemas.Reason,
    answers=(200, schemas.Decided),
    refuses=DECIDES,
)
def suspend_account(body: dict[str, Any], account_id: int) -> Any:
    """Suspends an account; for fraud, its unused bookings are cancelled."""
    return send("identity", "suspend-account", {"accountId": account_id, **body}) or {}


@audience.endpoint(
    "POST",
    "/v1/staff/accounts/<number:account_id>/unsuspend",
    access=STAFF,
    body=schemas.Reason,
    answers=(200, schemas.Decided),
    refuses=DECIDES,
)
def unsuspend_account(body: dict[str, Any], account_id: int) -> Any:
    """Ends a suspension."""
    return send("identity", "unsuspend-account", {"accountId": account_id, **body}) or {}


@audience.endpoint(
    "POST",
    "/v1/staff/bookings/<number:booking_id>/cancel",
    access=STAFF,
    body=schemas.Reason,
    answers=(200, schemas.Decided),
    refuses=CANCELS,
)
def cancel_booking(body: dict[str, Any], booking_id: int) -> Any:
    """Cancels any booking that is in no batch."""
    return send("booking", "staff-cancel", {"bookingId": booking_id, **body}) or {}


@audience.endpoint(
    "POST",
    "/v1/staff/bookings/<number:booking_id>/restore",
    access=STAFF,
    body=schemas.Reason,
    answers=(200, schemas.Decided),
    refuses=["not-cancelled", "stock-not-bookable", *CREDIT],
)
def restore_booking(body: dict[str, Any], booking_id: int) -> Any:
    """Takes a cancellation back, for what was collected all the same: the credit is taken again."""
    return send("booking", "staff-restore", {"bookingId": booking_id, **body}) or {}


audience.forwards(
    "POST",
    "/v1/staff/bookings/<number:booking_id>/correct",
    payout.Correct,
    operation="correct_booking",
    answers=(200, schemas.Correction),
)
