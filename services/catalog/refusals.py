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
    DETAIL = "Cette structure est fermée ou refusée : vous ne pouvez plus rien y ajouter ni modifier."


class OfferInReview(Conflict):
    code = "offer-in-review"
    DETAIL = "Cette offre est en cours de vérification : vous pourrez la modifier après la décision."


class OfferRejected(Conflict):
    code = "offer-rejected"
    DETAIL = "Cette offre a été refusée : vous ne pouvez plus la modifier."


class OfferNotPublished(Conflict):
    code = "offer-not-published"
    DETAIL = "Cette offre est un brouillon : ajoutez-lui un stock pour la publier."


class OfferNotInReview(Conflict):
    code = "offer-not-in-review"
    DETAIL = "Cette offre n’attend pas de décision."


class EventPassed(Conflict):
    code = "event-passed"
    DETAIL = "L’évènement a commencé : vous ne pouvez plus modifier son stock."


class PriceAgreed(Conflict):
    code = "price-agreed"
    DETAIL = "Vous ne pouvez pas changer ce prix : le remboursement de l’offre a été convenu pour lui."


class StockWithdrawn(Conflict):
    code = "stock-withdrawn"
    DETAIL = "Ce stock a été retiré : ajoutez-en un autre."


class WithdrawalTooLate(Conflict):
    code = "withdrawal-too-late"
    DETAIL = "L’évènement a commencé il y a plus de 48 heures : ses réservations sont définitives."


def no_offerer() -> NotFound:
    return NotFound("Cette structure n’existe pas, ou vous n’y avez pas accès.")


def no_venue() -> NotFound:
    return NotFound("Ce lieu n’existe pas, ou il appartient à une autre structure.")


def no_offer() -> NotFound:
    return NotFound("Cette offre n’existe pas, ou elle appartient à une autre structure.")


def no_stock() -> NotFound:
    return NotFound("Ce stock n’existe pas, ou il appartient à une autre structure.")
