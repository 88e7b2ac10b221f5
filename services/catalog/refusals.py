"""How the catalogue refuses.

DomainError
├── NotFound                       404 unknown, or of a structure that the caller is not attached to: the same answer
├── PreconditionFailed             412 the resource is no longer at the version of ``ifMatch``
├── Invalid                        422 ``errors`` names the fields
│   ├── SiretInvalid                   ``siret-invalid``
│   └── DateInThePast                  ``date-in-the-past``
└── Conflict                       409
    ├── SiretTaken                     ``siret-taken``
    ├── OffererClosed                  ``offerer-closed``
    ├── OfferInReview                  ``offer-in-review``
    ├── OfferRejected                  ``offer-rejected``
    ├── OfferNotPublished              ``offer-not-published``
    ├── OfferNotInReview               ``offer-not-in-review``
    ├── EventPassed                    ``event-passed``
    ├── PriceAgreed                    ``price-agreed``
    ├── StockWithdrawn                 ``stock-withdrawn``
    └── WithdrawalTooLate              ``withdrawal-too-late``
"""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid, NotFound


class SiretInvalid(Invalid):
    code = "siret-invalid"


class DateInThePast(Invalid):
    code = "date-in-the-past"


class SiretTaken(Conflict):
    code = "siret-taken"


class OffererClosed(Conflict):
    code = "offerer-closed"


class OfferInReview(Conflict):
    code = "offer-in-review"


class OfferRejected(Conflict):
    code = "offer-rejected"


class OfferNotPublished(Conflict):
    code = "offer-not-published"


class OfferNotInReview(Conflict):
    code = "offer-not-in-review"


class EventPassed(Conflict):
    code = "event-passed"


class PriceAgreed(Conflict):
    code = "price-agreed"


class StockWithdrawn(Conflict):
    code = "stock-withdrawn"


class WithdrawalTooLate(Conflict):
    code = "withdrawal-too-late"


def refuse_field(field: str, message: str) -> Invalid:
    """The refusal of one field's value."""
    return Invalid(message, errors={field: [message]})


def no_offerer() -> NotFound:
    return NotFound("Cette structure n'existe pas, ou vous n'y êtes pas rattaché.")


def no_venue() -> NotFound:
    return NotFound("Ce lieu n'existe pas, ou il appartient à une autre structure.")


def no_offer() -> NotFound:
    return NotFound("Cette offre n'existe pas, ou elle appartient à une autre structure.")


def no_stock() -> NotFound:
    return NotFound("Ce stock n'existe pas, ou il appartient à une autre structure.")
