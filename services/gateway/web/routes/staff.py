"""Staff: pending decisions, and the decisions."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any

from services.gateway.web.endpoints.audience import Audience
from services.gateway.web.endpoints.calls import ask
from services.gateway.web.responses.flask_responses import file_response
from services.gateway.web.schemas import staff as schemas
from services.gateway.web.schemas.pro import Documents
from shared.contracts.calls import booking, catalog, identity, payout
from shared.contracts.calls.contract import STAFF

audience = Audience("Staff", "Pending decisions, and the decisions.")

EXTENSIONS = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}


for what, summary, answer in (
    ("offerers", "Structures that await validation.", schemas.PendingOfferers),
    ("attachments", "People who ask to be attached to a structure that exists already.", schemas.PendingAttachments),
    ("identity-checks", "Suspicious identity checks.", schemas.PendingIdentityChecks),
):
    audience.forwards(
        "GET",
        f"/v1/staff/{what}",
        identity.PendingList,
        operation=f"pending_{what.replace('-', '_')}",
        summary=summary,
        supplied={"what": partial(str, what)},
        answers=(200, answer),
    )
audience.forwards("GET", "/v1/staff/offers", catalog.PendingOffers, answers=(200, schemas.PendingOffers))


audience.forwards("GET", "/v1/staff/bank-details", payout.PendingBankDetails, answers=(200, schemas.PendingBankDetails))


OFFERER, ATTACHMENT = "/v1/staff/offerers/<number:offerer_id>", "/v1/staff/attachments/<number:attachment_id>"

audience.forwards("POST", f"{OFFERER}/validate", identity.ValidateOfferer, answers=(200, schemas.Decided))
audience.forwards("POST", f"{OFFERER}/reject", identity.RejectOfferer, answers=(200, schemas.Decided))
audience.forwards("POST", f"{OFFERER}/close", identity.CloseOfferer, answers=(200, schemas.Decided))
audience.forwards("POST", f"{ATTACHMENT}/validate", identity.ApproveAttachment, answers=(200, schemas.Decided))
audience.forwards("POST", f"{ATTACHMENT}/reject", identity.RejectAttachment, answers=(200, schemas.Decided))

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
    """One document, as a file to download, with its original bytes."""
    found = ask(query, seconds=60.0)
    name = f"{found['kind']}-{query.document_id}.{EXTENSIONS[found['mediaType']]}"
    return file_response(base64.b64decode(found["content"]), "application/octet-stream", name)


CHECK, ACCOUNT = "/v1/staff/identity-checks/<number:identity_check_id>", "/v1/staff/accounts/<number:account_id>"

for verb, accept, summary in (
    ("validate", True, "Accepts a suspicious identity check."),
    ("reject", False, "Rejects a suspicious identity check."),
):
    audience.forwards(
        "POST",
        f"{CHECK}/{verb}",
        identity.ReviewIdentityCheck,
        operation=f"{verb}_identity_check",
        summary=summary,
        supplied={"accept": partial(bool, accept)},
        answers=(200, schemas.Decided),
    )

audience.forwards("POST", f"{ACCOUNT}/suspend", identity.SuspendAccount, answers=(200, schemas.Decided))
audience.forwards("POST", f"{ACCOUNT}/unsuspend", identity.UnsuspendAccount, answers=(200, schemas.Decided))


BOOKING = "/v1/staff/bookings/<number:booking_id>"

audience.forwards(
    "POST", f"{BOOKING}/cancel", booking.StaffCancel, operation="cancel_booking", answers=(200, schemas.Decided)
)
audience.forwards(
    "POST", f"{BOOKING}/restore", booking.StaffRestore, operation="restore_booking", answers=(200, schemas.Decided)
)


audience.forwards(
    "POST",
    "/v1/staff/bookings/<number:booking_id>/correct",
    payout.Correct,
    operation="correct_booking",
    answers=(200, schemas.Correction),
)
