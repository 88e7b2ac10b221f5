"""The calls of booking to other services."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from services.booking.domain.booking import Booking
from shared.contracts.calls import identity, wallet
from shared.contracts.calls.contract import Command
from shared.kernel.errors import DomainError, OutcomePending, Unavailable
from shared.messaging.bus import Answer, Bus

RESERVE_SECONDS = 6.0
"""Less than a caller waits for booking, so that booking itself answers it with ``outcome-pending``."""
RELEASE_SECONDS = 2.0
PEOPLE_SECONDS = 3.0


CreditAnswer = DomainError | None
"""Wallet's answer. None: the credit is reserved, or released. Unavailable: not known yet. Another refusal: it is not
reserved."""


class Wallet:
    """Young people's credits. Every command may be repeated: the same attempt gets the same answer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def reserve(self, bookings: Sequence[Booking]) -> list[CreditAnswer]:
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
        return self._send(commands, RESERVE_SECONDS)

    def release(self, bookings: Sequence[Booking]) -> list[CreditAnswer]:
        """Free bookings need no release. A release that arrives before its reservation makes that one refused."""
        commands = [
            wallet.Release(booking_id=one.booking_id, attempt=one.attempt, person_id=one.person_id)
            for one in bookings
            if one.terms.total > 0
        ]
        return self._send(commands, RELEASE_SECONDS)

    def _send(self, commands: Sequence[Command], seconds: float) -> list[CreditAnswer]:
        try:
            answers = self._bus.commands(commands, timeout=seconds)
        except Unavailable as error:
            return [error for _ in commands]
        return [_credit_answer(answer) for answer in answers]


def _credit_answer(answer: Answer | DomainError) -> CreditAnswer:
    if not isinstance(answer, DomainError):
        return None
    # an error of wallet leaves the state of the credit unknown
    return answer if answer.status < 500 else OutcomePending()


class Identity:
    """People's names, read when they are shown and not stored in booking."""

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
