"""The CSV dialect of every table of payout: French spreadsheets open it, and programs read it.

Semicolons, a UTF-8 byte order mark, CRLF, a decimal comma (a point would turn ``12.05`` into the 12th of May).

Text that people typed (a name, an address) gets an apostrophe in front where a spreadsheet would run it as a formula,
and its line breaks become spaces. Values that the platform writes keep their exact bytes: amounts (those of corrections
are negative), instants, labels, identifiers and countermarks.
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
_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The whole file as text with its byte order mark; to be encoded as UTF-8."""
    return BYTE_ORDER_MARK + lines(chain([header], rows))


def lines(rows: Iterable[Sequence[str]]) -> str:
    """Rows without a header."""
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def typed(text: str) -> str:
    """Typed text on one line, protected against formula injection."""
    line = _CONTROL.sub(" ", text).strip()
    return f"'{line}" if line.startswith(_FORMULA_STARTS) else line


def amount(cents: Cents, point: str = ",") -> str:
    """``1234`` → ``12,34``, ``-1234`` → ``-12,34``."""
    return euros(cents, point=point)


def instant(at: datetime) -> str:
    """``2021-04-07 11:34:00.497113``: UTC, always to the microsecond, as the real files had it."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def integer_percent(rate: str | None) -> str:
    """``0.95`` → ``95%``; empty for a fixed amount (decision 13). Raises FileNotValid for text that is no rate."""
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
        raise FileNotValid(f"{text!r} n’est pas un taux") from None
