"""The other services, as booking asks them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from services.booking.domain.booking import Booking
from shared.contracts.calls import identity, wallet
from shared.contracts.calls.contract import Command
from shared.kernel.errors import DomainError, OutcomePending, Unavailable
from shared.messaging.bus import Bus

RESERVE_SECONDS = 6.0
"""Less than a caller waits for booking, so that it hears ``outcome-pending`` from here."""
RELEASE_SECONDS = 2.0
PEOPLE_SECONDS = 3.0


class Wallet:
    """The young people's credits. Everything asked of it may be asked again."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def reserve(self, bookings: Sequence[Booking]) -> list[DomainError | None]:
        """For each: None when its credit is held, a refusal, or an Unavailable when that is not known."""
        commands = [
            wallet.Reserve(
                booking_id=one.booking_id,
                attempt=one.attempt,
                person_id=one.person_id,
                amount=one.terms.total,
                digital=one.terms.counts_as_digital,
                physical=one.terms.counts_as_physical,
            )
            for one in bookings
        ]
        return self._ask(commands, RESERVE_SECONDS)

    def release(self, bookings: Sequence[Booking]) -> list[DomainError | None]:
        """Gives held credit back; before its reservation arrives: a mark, so that it takes nothing."""
        commands = [
            wallet.Release(booking_id=one.booking_id, attempt=one.attempt, person_id=one.person_id)
            for one in bookings
            if one.terms.total > 0
        ]
        return self._ask(commands, RELEASE_SECONDS)

    def _ask(self, commands: Sequence[Command], seconds: float) -> list[DomainError | None]:
        try:
            answers = self._bus.commands(commands, timeout=seconds)
        except Unavailable as error:
            return [error for _ in commands]
        return [_verdict(answer) for answer in answers]


def _verdict(answer: Any) -> DomainError | None:
    if not isinstance(answer, DomainError):
        return None
    # a fault over there says nothing about the credit
    return answer if answer.status < 500 else OutcomePending("wallet does not answer now")


class Identity:
    """Who the people are: names are asked for when they are shown, and kept nowhere here."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def people(self, person_ids: Collection[int]) -> dict[int, dict[str, Any]]:
        """firstName, lastName, email, phoneNumber of each. Raises Unavailable."""
        if not person_ids:
            return {}
        query = identity.People(account_ids=tuple(sorted(set(person_ids))))
        found = self._bus.query(query, timeout=PEOPLE_SECONDS)
        return {int(number): person for number, person in found["people"].items()}


__all__ = ["Identity", "Wallet"]
