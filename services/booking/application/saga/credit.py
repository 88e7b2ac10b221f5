"""Transaction 2: wallet reserves the credits of a batch."""

from __future__ import annotations

from collections.abc import Sequence

from services.booking import refusals
from services.booking.domain.booking import Booking
from services.booking.neighbours import CreditAnswer, Wallet
from shared.kernel.errors import Unavailable


def reserve_credits(wallet: Wallet, waiting: Sequence[Booking]) -> list[CreditAnswer]:
    """Wallet's answers, in order. When no activation code is left, a reserved credit is released before the caller gets
    its refusal.

    The release leaves a mark in wallet, so that another try ends the same way.
    """
    paid = [booking for booking in waiting if booking.terms.total > 0]
    answers = dict(zip((one.booking_id for one in paid), wallet.reserve(paid), strict=True))
    codeless = [one for one in waiting if one.lacks_code and _suffices(answers.get(one.booking_id))]
    reserved = [one for one in codeless if one.terms.total > 0]
    released = dict(zip((one.booking_id for one in reserved), wallet.release(reserved), strict=True))
    for booking in codeless:
        unknown = released.get(booking.booking_id)
        answers[booking.booking_id] = unknown if isinstance(unknown, Unavailable) else refusals.NoActivationCode()
    return [answers.get(booking.booking_id) for booking in waiting]


def _suffices(answer: CreditAnswer) -> bool:
    """``released``: an earlier try has reserved and released the credit."""
    return answer is None or answer.code == "released"
