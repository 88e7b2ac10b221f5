"""The decisions of staff."""

from __future__ import annotations

from marshmallow import Schema, fields

from services.gateway.web.schemas.shapes import Extensible, page_of
from shared.contracts.fields import Money, Number


class Correction(Schema):
    lineId = Number(required=True, allow_none=True, metadata={"description": "null: there was nothing to correct."})
    corrects = Number(required=True)
    reimbursedCents = Money(required=True, metadata={"description": "What the correction adds."})


class Decided(Extensible):
    """The resource after the decision, as far as its owner returns it."""

    status = fields.String()


def pending_list(name: str, identifier: str) -> type[Schema]:
    """A list whose items have at least the identifier that their routes take."""
    item = Extensible.from_dict({identifier: Number(required=True)}, name=f"Pending{name}")
    return page_of(item, f"Pending{name}List")


PendingOfferers = pending_list("Offerer", "offererId")
PendingAttachments = pending_list("Attachment", "attachmentId")
PendingOffers = pending_list("Offer", "offerId")
PendingBankDetails = pending_list("BankDetails", "bankDetailsId")
PendingIdentityChecks = pending_list("IdentityCheck", "identityCheckId")
