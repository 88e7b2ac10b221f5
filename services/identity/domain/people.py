"""A person's data in clear: it exists only while a use case runs."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from services.identity.refusals import PhoneInvalid

ERASED = "effacé"
"""Shown instead of an erased person's name."""

_NATIONAL = {"33": 9, "262": 9, "590": 9, "594": 9, "596": 9, "508": 6, "681": 6}
"""Codes are sent to these numbers (domain.md §1.3): country code → digits after it. Mainland; Réunion and Mayotte;
Guadeloupe, Guyane, Martinique; Saint-Pierre-et-Miquelon; Wallis-et-Futuna."""
_EXPECTED_PHONE = "Indiquez un numéro de téléphone de France métropolitaine ou d’outre-mer."
_OUTSIDE = ("984", "987", "988")
"""Postcodes outside the scheme (domain.md §1.1): Terres australes, Polynésie, Nouvelle-Calédonie."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A person's data. Sealed wherever it is stored; services that show it ask identity each time.

    ``phone_number`` in international form, or empty; ``birth_date`` None for cultural actors and staff.
    """

    email: str
    first_name: str
    last_name: str
    birth_date: date | None = None
    postal_code: str = ""
    phone_number: str = ""
    address: str = ""
    city: str = ""
    activity: str = ""
    marketing_consent: bool = False

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "birth_date": self.birth_date.isoformat() if self.birth_date else None}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Profile:
        birth = stored["birth_date"]
        return cls(**{**stored, "birth_date": date.fromisoformat(birth) if birth else None})


NOBODY = Profile(email="", first_name=ERASED, last_name=ERASED)
"""A person whose key was destroyed."""


def normal_email(text: str) -> str:
    """One form for all spellings of an address, so that a mailbox has one account."""
    return text.strip().lower()


def normal_name(text: str) -> str:
    """A name without case, accents, hyphens, apostrophes and spaces, for comparisons; any script is kept."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if char.isalnum())


def normal_phone(text: str) -> str:
    """``06 31 44 10 45`` or ``+33 6 31…`` → ``+33631441045``. Raises PhoneInvalid for other countries or lengths."""
    digits = re.sub(r"[\s.\-()]", "", text)
    if not digits.isascii():
        raise PhoneInvalid(_EXPECTED_PHONE)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    elif digits.startswith("0"):
        digits = "+33" + digits[1:]
    for country, length in _NATIONAL.items():
        if re.fullmatch(rf"\+{country}[1-9]\d{{{length - 1}}}", digits):
            return digits
    raise PhoneInvalid(_EXPECTED_PHONE)


def in_territory(postal_code: str) -> bool:
    """Whether the scheme serves this postcode. True for an unknown one."""
    return not postal_code.startswith(_OUTSIDE)


def department(postal_code: str) -> str:
    """``80000`` → ``80``; three digits from 97 upward; Corsica's two by their postcodes; empty when unknown."""
    if postal_code[:2] in ("97", "98"):
        return postal_code[:3]
    if postal_code[:2] == "20":
        return "2A" if postal_code[:3] in ("200", "201") else "2B"
    return postal_code[:2]


def person_text(first_name: str, last_name: str, birth: date) -> str:
    """One text for all spellings of a person, to find duplicates."""
    return f"{normal_name(first_name)}/{normal_name(last_name)}/{birth.isoformat()}"


def document_text(number: str) -> str:
    """One text for all spellings of a document's number."""
    return re.sub(r"\s", "", number).upper()
