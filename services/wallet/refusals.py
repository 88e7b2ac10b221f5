"""How wallet refuses.

DomainError
├── Conflict 409
│   ├── InsufficientCredit     insufficient-credit
│   ├── DigitalCapReached      digital-cap-reached
│   ├── PhysicalCapReached     physical-cap-reached
│   ├── AlreadyReleased        released
│   └── ReservationDiffers     reservation-differs
└── NotFound 404               another person's wallet

InconsistentMoney is no refusal: the amounts of a credit do not add up, or a message contradicts the wallet. The call or
message fails, and an operator decides.
"""

from __future__ import annotations

from shared.kernel.errors import Conflict, NotFound


class InsufficientCredit(Conflict):
    code = "insufficient-credit"
    DETAIL = "Votre crédit ne suffit pas pour cette réservation."


class DigitalCapReached(Conflict):
    code = "digital-cap-reached"
    DETAIL = "Vous avez atteint le plafond des offres numériques de votre crédit."


class PhysicalCapReached(Conflict):
    code = "physical-cap-reached"
    DETAIL = "Vous avez atteint le plafond des biens physiques de votre crédit."


class AlreadyReleased(Conflict):
    """The attempt was released: a later reservation of it is refused."""

    code = "released"
    DETAIL = "Cette réservation a été abandonnée : réservez de nouveau."


class ReservationDiffers(Conflict):
    """The same attempt of a booking was reserved before, for another person or another amount."""

    code = "reservation-differs"
    DETAIL = "Cette tentative de réservation porte sur une autre personne ou un autre montant."


class UnknownWallet(NotFound):
    DETAIL = "Ce crédit n’existe pas."


class InconsistentMoney(Exception):
    """The amounts of a credit do not add up, or a message contradicts the wallet."""


REFUSALS: dict[str, type[Conflict]] = {
    refusal.code: refusal for refusal in (InsufficientCredit, DigitalCapReached, PhysicalCapReached, AlreadyReleased)
}
"""The refusals that an attempt keeps, by code."""
