"""Names of streams, the numbers that France and its banks give (SIREN, SIRET, IBAN, BIC), and addresses of mails."""

from __future__ import annotations

import re
from uuid import UUID, uuid5

from stdnum import iban as _iban
from stdnum.exceptions import ValidationError
from stdnum.fr import siren as _siren
from stdnum.fr import siret as _siret

_STREAMS = UUID("6f1f1d6e-5f0c-5a0e-9d1f-2f6a0c1b7e11")
_BIC = re.compile(r"[A-Z]{6}[A-Z2-9][A-NP-Z0-9]([A-Z0-9]{3})?")
"""As the banks' own files have it (``BICIdentifier`` of pain.001): the eighth character is no letter O, so that a zero
mistyped is seen."""
_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}"
)
MAX_NUMBER = 2**53 - 1
"""Numbers in URLs and bodies stay where every JSON reader keeps them exact."""


def stream_id(kind: str, number: int | str) -> UUID:
    """The stream of the thing that people know by ``number``: ``stream_id("booking", 17)``."""
    return uuid5(_STREAMS, f"{kind}/{number}")


def siren(text: str) -> str:
    """Nine digits with their check digit, spaces removed. Raises ValueError."""
    return _checked(_siren.validate, text, "SIREN")


def siret(text: str) -> str:
    """Fourteen digits with their check digit, spaces removed. Raises ValueError."""
    return _checked(_siret.validate, text, "SIRET")


def iban(text: str) -> str:
    """Upper case, no spaces, check digits and the country's own structure verified. Raises ValueError."""
    return _checked(_iban.validate, text, "IBAN")


def bic(text: str) -> str:
    """Eight or eleven characters, upper case; a transfer file takes it as it is. Raises ValueError."""
    compact = text.replace(" ", "").upper()
    if not _BIC.fullmatch(compact):
        raise ValueError(f"not a BIC: {text[:40]!r}")
    return compact


def email(text: str) -> str:
    """An address that every mail server takes: ASCII, as it stands. Raises ValueError."""
    if len(text) > 254 or not _EMAIL.fullmatch(text) or len(text.partition("@")[0]) > 64:
        raise ValueError(f"not an e-mail address: {text[:40]!r}")
    return text


def _checked(validate: object, text: str, name: str) -> str:
    # isdigit() and the check digits accept digits of other scripts; an identifier has ASCII only
    if not text.isascii():
        raise ValueError(f"not a {name}: {text[:40]!r}")
    try:
        return str(validate(text))  # type: ignore[operator]
    except ValidationError:
        raise ValueError(f"not a {name}: {text[:40]!r}") from None
