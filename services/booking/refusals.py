"""How booking refuses.

DomainError
├── Forbidden 403
│   ├── NotABeneficiary        not-a-beneficiary
│   ├── NotYours               not-your-booking
│   ├── NotYourOffer           forbidden
│   ├── TooEarly               too-early
│   ├── NotUndoable            activation-code-booking
│   ├── DeskReimbursed         already-reimbursed
│   ├── DeskCancelled          booking-cancelled
│   └── DeskCannotCancelUsed   already-used
├── NotFound 404               booking, stock, countermark, offer
├── Conflict 409
│   ├── AlreadyBooked          already-booked
│   ├── QuantityInvalid        quantity-invalid
│   ├── StockNotBookable       stock-not-bookable
│   ├── NoActivationCode       no-activation-code
│   ├── AlreadyCancelled       already-cancelled
│   ├── AlreadyUsed            already-used
│   ├── LimitPassed            cancellation-limit-passed
│   ├── InABatch               in-a-batch
│   ├── NotCancelled           not-cancelled
│   └── QuantityBelowBooked    quantity-below-booked
├── Gone 410
│   ├── NotUsed                not-used
│   ├── DeskAlreadyUsed        already-used
│   ├── DeskAlreadyCancelled   booking-cancelled
│   └── DeskReimbursing        already-reimbursed
└── Invalid 422                a period that ends before it begins

A refusal named ``Desk…`` has the meaning of another one, with the status and the key of the partners' format.

A refusal of the desk carries ``extra["key"]``, its JSON key, and the words of that format (domain.md §5.2).
``booking_cancelled`` is the key of ``/public/bookings/v1``, with 410; on ``/v2`` the same refusal is 403 ``booking``
(decision 20).
"""

from __future__ import annotations

from shared.kernel.errors import Conflict, Forbidden, Gone, NotFound


class NotABeneficiary(Forbidden):
    code = "not-a-beneficiary"
    DETAIL = "Seuls les bénéficiaires du pass Culture peuvent réserver : demandez d’abord votre crédit."


class AlreadyBooked(Conflict):
    code = "already-booked"
    DETAIL = "Vous avez déjà réservé cette offre."


class QuantityInvalid(Conflict):
    code = "quantity-invalid"
    DETAIL = "Vous pouvez réserver une place, ou deux pour une offre duo."


class StockNotBookable(Conflict):
    code = "stock-not-bookable"
    DETAIL = "Cette offre n’est pas réservable : elle est complète, ou ses réservations sont closes."


class NoActivationCode(Conflict):
    code = "no-activation-code"
    DETAIL = "Il ne reste pas de code d’activation : choisissez une autre offre."


class AlreadyCancelled(Conflict):
    code = "already-cancelled"
    DETAIL = "Cette réservation est déjà annulée."


class AlreadyUsed(Conflict):
    code = "already-used"
    DETAIL = "Cette réservation a déjà été utilisée : vous ne pouvez plus l’annuler."


class LimitPassed(Conflict):
    code = "cancellation-limit-passed"
    DETAIL = "Le délai d’annulation est passé : vous ne pouvez plus annuler cette réservation."


class InABatch(Conflict):
    code = "in-a-batch"
    DETAIL = "Cette réservation est dans un lot de remboursement : demandez une correction."


class NotCancelled(Conflict):
    code = "not-cancelled"
    DETAIL = "Cette réservation n’est pas annulée."


class QuantityBelowBooked(Conflict):
    code = "quantity-below-booked"


class UnknownBooking(NotFound):
    DETAIL = "Cette réservation n’existe pas, ou elle n’est pas à vous."


class UnknownStock(NotFound):
    DETAIL = "Ce stock n’existe pas."


class UnknownCountermark(NotFound):
    code = "countermark-unknown"

    def __init__(self) -> None:
        super().__init__("Cette contremarque n'a pas été trouvée", extra={"key": "global"})


class UnknownOffer(NotFound):
    def __init__(self) -> None:
        super().__init__("Cette offre n'a pas été trouvée.", extra={"key": "offer"})


class NotYourOffer(Forbidden):
    def __init__(self) -> None:
        super().__init__("Vous n'avez pas les droits suffisants pour cette offre.", extra={"key": "user"})


class NotYours(Forbidden):
    code = "not-your-booking"

    def __init__(self) -> None:
        detail = "Vous n'avez pas les droits suffisants pour valider cette contremarque."
        super().__init__(detail, extra={"key": "user"})


class DeskReimbursed(Forbidden):
    code = "already-reimbursed"

    def __init__(self) -> None:
        super().__init__("Cette réservation a été remboursée", extra={"key": "payment"})


class DeskAlreadyUsed(Gone):
    code = "already-used"

    def __init__(self) -> None:
        super().__init__("Cette réservation a déjà été validée", extra={"key": "booking"})


class DeskCancelled(Forbidden):
    code = "booking-cancelled"

    def __init__(self) -> None:
        super().__init__("Cette réservation a été annulée", extra={"key": "booking_cancelled"})


class TooEarly(Forbidden):
    code = "too-early"

    def __init__(self, booked: str, from_when: str) -> None:
        detail = (
            f"Cette réservation a été effectuée le {booked}. "
            f"Veuillez attendre jusqu’au {from_when} pour valider la contremarque."
        )
        super().__init__(detail, extra={"key": "booking"})


class NotUndoable(Forbidden):
    code = "activation-code-booking"

    def __init__(self) -> None:
        super().__init__("Cette réservation ne peut pas être marquée comme inutilisée", extra={"key": "booking"})


class DeskReimbursing(Gone):
    """A validation in a batch can no longer be undone."""

    code = "already-reimbursed"

    def __init__(self) -> None:
        super().__init__("Le remboursement est en cours de traitement", extra={"key": "payment"})


class NotUsed(Gone):
    code = "not-used"

    def __init__(self) -> None:
        super().__init__("Cette réservation n'a pas encore été validée", extra={"key": "booking"})


class DeskAlreadyCancelled(Gone):
    """The desk cannot cancel it a second time."""

    code = "booking-cancelled"

    def __init__(self) -> None:
        super().__init__("Cette contremarque a déjà été annulée", extra={"key": "global"})


class DeskCannotCancelUsed(Forbidden):
    code = "already-used"

    def __init__(self) -> None:
        super().__init__("Impossible d'annuler une réservation consommée", extra={"key": "global"})
