"""Stream identifiers, and the checks of SIREN, SIRET, IBAN, BIC and e-mail addresses."""

from __future__ import annotations

import re
from uuid import UUID, uuid5

from stdnum import iban as _iban
from stdnum.exceptions import ValidationError
from stdnum.fr import siren as _siren
from stdnum.fr import siret as _siret

_STREAMS = UUID("6f1f1d6e-5f0c-5a0e-9d1f-2f6a0c1b7e11")
_BIC = re.compile(r"[A-Z]{6}[A-Z2-9][A-NP-Z0-9]([A-Z0-9]{3})?")
"""The pattern of ``BICIdentifier`` in pain.001. The eighth character cannot be the letter O, to detect a mistyped
zero."""
_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}"
)
MAX_NUMBER = 2**53 - 1
"""The largest identifier in URLs and bodies: JSON parsers that read numbers as doubles are exact up to here."""


def stream_id(kind: str, number: int | str) -> UUID:
    """The UUID of an aggregate's stream, derived from its kind and number: ``stream_id("booking", 17)``."""
    return uuid5(_STREAMS, f"{kind}/{number}")


def siren(text: str) -> str:
    """Nine digits with a valid check digit, spaces removed. Raises ValueError."""
    return _checked(_siren.validate, text, "SIREN")


def siret(text: str) -> str:
    """Fourteen digits with a valid check digit, spaces removed. Raises ValueError."""
    return _checked(_siret.validate, text, "SIRET")


def iban(text: str) -> str:
    """Upper case without spaces; the check digits and the country's format are verified. Raises ValueError."""
    return _checked(_iban.validate, text, "IBAN")


def bic(text: str) -> str:
    """Eight or eleven characters, upper case, as transfer files require. Raises ValueError."""
    compact = text.replace(" ", "").upper()
    if not _BIC.fullmatch(compact):
        raise ValueError(f"not a BIC: {text[:40]!r}")
    return compact


def email(text: str) -> str:
    """The address unchanged, if every mail server accepts it: ASCII only (no SMTPUTF8). Raises ValueError."""
    if len(text) > 254 or not _EMAIL.fullmatch(text) or len(text.partition("@")[0]) > 64:
        raise ValueError(f"not an e-mail address: {text[:40]!r}")
    return text


def _checked(validate: object, text: str, name: str) -> str:
    # isdigit() and stdnum accept digits of other scripts; an identifier is ASCII only
    if not text.isascii():
        raise ValueError(f"not a {name}: {text[:40]!r}")
    try:
        return str(validate(text))  # type: ignore[operator]
    except ValidationError:
        raise ValueError(f"not a {name}: {text[:40]!r}") from None
