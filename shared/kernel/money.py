"""Euros as integer cents, rates as exact fractions, and the single rounding rule."""

from __future__ import annotations

from fractions import Fraction
from typing import NewType

Cents = NewType("Cents", int)
"""An amount of money in euro cents, an integer; negative only where its name says so."""

ZERO = Cents(0)
MAX_CENTS = Cents(10**12)
"""The largest amount on the platform: ten billion euros."""


def round_half_away(exact: Fraction) -> Cents:
    """The nearest whole cent, halves rounded away from zero (decision 14: once, on a booking's total)."""
    magnitude = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return Cents(magnitude if exact >= 0 else -magnitude)


def share(total: Cents, rate: Fraction) -> Cents:
    """``rate`` of ``total``, rounded once."""
    return round_half_away(total * rate)


def euros(amount: Cents, *, point: str = ".") -> str:
    """``1234`` cents as ``12.34``; ``point`` is the decimal mark."""
    sign, magnitude = ("-" if amount < 0 else ""), abs(amount)
    return f"{sign}{magnitude // 100}{point}{magnitude % 100:02d}"
