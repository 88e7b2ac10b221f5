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

    def __init__(self) -> None:
        super().__init__("Votre crédit ne suffit pas.")


class DigitalCapReached(Conflict):
    code = "digital-cap-reached"

    def __init__(self) -> None:
        super().__init__("Le plafond des offres numériques est atteint.")


class PhysicalCapReached(Conflict):
    code = "physical-cap-reached"

    def __init__(self) -> None:
        super().__init__("Le plafond des biens physiques est atteint.")


class AlreadyReleased(Conflict):
    """The attempt was released: a later reservation of it is refused."""

    code = "released"

    def __init__(self) -> None:
        super().__init__("Cette réservation a déjà été abandonnée.")


class ReservationDiffers(Conflict):
    """The same attempt of a booking was reserved before, for another person or another amount."""

    code = "reservation-differs"

    def __init__(self) -> None:
        super().__init__("Cette tentative de réservation porte sur une autre personne ou un autre montant.")


class UnknownWallet(NotFound):
    def __init__(self) -> None:
        super().__init__("Ce crédit n'existe pas.")


class InconsistentMoney(Exception):
    """The amounts of a credit do not add up, or a message contradicts the wallet."""


REFUSALS: dict[str, type[Conflict]] = {
    refusal.code: refusal for refusal in (InsufficientCredit, DigitalCapReached, PhysicalCapReached, AlreadyReleased)
}
"""The refusals that an attempt keeps, by code."""
