"""How every table of payout is written: for a double click in a French spreadsheet, and for a program.

Semicolons, a UTF-8 byte order mark, CRLF, a decimal comma (a point would turn ``12.05`` into the 12th of May).

A text that people typed (a name, an address) and that a spreadsheet would run as a formula gets an apostrophe in front,
and its line breaks become spaces. Nothing that the platform itself writes is altered: amounts (a correction's is
negative), instants, labels, identifiers and countermarks keep their exact bytes.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import chain

from services.payout.refusals import FileNotValid
from shared.kernel.money import Cents, euros, round_half_away

BYTE_ORDER_MARK = "\ufeff"
_RUN_AS_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The whole file as text, its byte order mark first: encode it as UTF-8."""
    return BYTE_ORDER_MARK + lines(chain([header], rows))


def lines(rows: Iterable[Sequence[str]]) -> str:
    """Rows alone."""
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def typed(text: str) -> str:
    """A text that somebody typed, on one line, that no spreadsheet runs."""
    line = _CONTROL.sub(" ", text).strip()
    return f"'{line}" if line.startswith(_RUN_AS_FORMULA) else line


def amount(cents: Cents, point: str = ",") -> str:
    """``1234`` → ``12,34``; a negative one keeps its sign."""
    return euros(cents, point=point)


def instant(at: datetime) -> str:
    """``2021-04-07 11:34:00.497113``: UTC, always to the microsecond, as the real files had it."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def integer_percent(rate: str | None) -> str:
    """``0.95`` → ``95%``; empty for a fixed amount (decision 13). Raises FileNotValid for what is no rate."""
    return "" if rate is None else f"{round_half_away(_rate(rate) * 100)}%"


def exact_percent(rate: str | None) -> str:
    """``0.925`` → ``92,5%``; empty for a fixed amount."""
    if rate is None:
        return ""
    percent = f"{Decimal(rate) * 100 if _rate(rate) else Decimal(0):f}"
    whole = percent.rstrip("0").rstrip(".") if "." in percent else percent
    return f"{whole.replace('.', ',')}%"


def _rate(text: str) -> Fraction:
    try:
        return Fraction(Decimal(text))
    except (InvalidOperation, ValueError, OverflowError):
        raise FileNotValid(f"not a rate: {text!r}") from None
