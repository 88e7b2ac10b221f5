"""How wallet says no.

DomainError
├── Conflict 409
│   ├── InsufficientCredit     insufficient-credit
│   ├── DigitalCapReached      digital-cap-reached
│   ├── PhysicalCapReached     physical-cap-reached
│   ├── AlreadyReleased        released
│   └── AnotherReservation     reservation-differs
├── NotFound 404               somebody else's wallet
└── Invalid 422                what is not an amount, a number, an instant, a cursor

MoneyAstray is no refusal: money that does not add up, or news of a reservation that cannot be. It stops whoever meets
it, and an operator looks.
"""

from __future__ import annotations

from shared.kernel.errors import Conflict


class InsufficientCredit(Conflict):
    code = "insufficient-credit"

    def __init__(self) -> None:
        super().__init__("Le crédit restant ne suffit pas.")


class DigitalCapReached(Conflict):
    code = "digital-cap-reached"

    def __init__(self) -> None:
        super().__init__("Le plafond des offres numériques est atteint.")


class PhysicalCapReached(Conflict):
    code = "physical-cap-reached"

    def __init__(self) -> None:
        super().__init__("Le plafond des biens physiques est atteint.")


class AlreadyReleased(Conflict):
    """The attempt was given up; what comes later for it takes nothing."""

    code = "released"

    def __init__(self) -> None:
        super().__init__("Cette réservation a déjà été abandonnée.")


class AnotherReservation(Conflict):
    """The same booking and attempt were asked for before, by another person or for another amount."""

    code = "reservation-differs"


class MoneyAstray(Exception):
    """An identity of a credit is broken, or a message speaks of money that is not there."""


REFUSALS: dict[str, type[Conflict]] = {
    refusal.code: refusal for refusal in (InsufficientCredit, DigitalCapReached, PhysicalCapReached, AlreadyReleased)
}
"""The refusals that are remembered with a reservation, by code."""
