"""The decisions of staff."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema, fields

from shared.contracts.fields import Money, Number


class Correction(Schema):
    lineId = Number(required=True, allow_none=True, metadata={"description": "null: there was nothing to correct."})
    corrects = Number(required=True)
    reimbursedCents = Money(required=True, metadata={"description": "What the correction adds."})


class Decided(Schema):
    """The resource after the decision, as far as its owner returns it."""

    class Meta:
        unknown = INCLUDE

    status = fields.String()


def pending_list(name: str, identifier: str) -> type[Schema]:
    """A list whose items have at least the identifier that their routes take."""
    item = type(
        f"Pending{name}",
        (Schema,),
        {
            "__module__": __name__,
            "Meta": type("Meta", (), {"unknown": INCLUDE}),
            identifier: Number(required=True),
        },
    )
    return type(
        f"Pending{name}List",
        (Schema,),
        {
            "__module__": __name__,
            "items": fields.List(fields.Nested(item), required=True),
            "nextCursor": fields.String(required=True, allow_none=True),
        },
    )


PendingOfferers = pending_list("Offerer", "offererId")
PendingAttachments = pending_list("Attachment", "attachmentId")
PendingOffers = pending_list("Offer", "offerId")
PendingBankDetails = pending_list("BankDetails", "bankDetailsId")
PendingIdentityChecks = pending_list("IdentityCheck", "identityCheckId")
