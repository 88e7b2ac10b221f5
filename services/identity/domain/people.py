"""A person's data, in the open: made when it is unsealed, gone when the use case ends."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from services.identity.domain.errors import PhoneInvalid

ERASED = "effacé"
"""What is shown where an erased person's name would stand."""

_NATIONAL = {"33": 9, "262": 9, "590": 9, "594": 9, "596": 9, "508": 6, "681": 6}
"""Where codes are sent to (domain.md §1.3): country code → digits after it. Mainland; Réunion and Mayotte; Guadeloupe,
Guyane, Martinique; Saint-Pierre-et-Miquelon; Wallis-et-Futuna."""
_OUTSIDE = ("984", "987", "988")
"""Postcodes outside the scheme (domain.md §1.1): Terres australes, Polynésie, Nouvelle-Calédonie."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What identity knows of a person; each service that shows it asks for it. Sealed wherever it is stored.

    ``phone_number`` in international form or empty; ``birth_date`` None for those who are no young people.
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
    """Two spellings of an address that lead to one mailbox are one account."""
    return text.strip().lower()


def normal_name(text: str) -> str:
    """Case, accents, hyphens, apostrophes and spaces do not tell two names apart; any script is kept."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if char.isalnum())


def normal_phone(text: str) -> str:
    """``06 31 44 10 45`` or ``+33 6 31…`` → ``+33631441045``. Raises PhoneInvalid for other countries or lengths."""
    digits = re.sub(r"[\s.\-()]", "", text)
    if not digits.isascii():
        raise _phone_invalid()
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    elif digits.startswith("0"):
        digits = "+33" + digits[1:]
    for country, length in _NATIONAL.items():
        if re.fullmatch(rf"\+{country}[1-9]\d{{{length - 1}}}", digits):
            return digits
    raise _phone_invalid()


def _phone_invalid() -> PhoneInvalid:
    detail = "a phone number of France and its overseas territories is expected"
    return PhoneInvalid(detail, errors={"phoneNumber": [detail]})


def in_territory(postal_code: str) -> bool:
    """Whether the scheme serves this postcode; an unknown one is not held against anybody."""
    return not postal_code.startswith(_OUTSIDE)


def department(postal_code: str) -> str:
    """``80000`` → ``80``; three digits from 97 upward; Corsica's two by their postcodes; empty when unknown."""
    if postal_code[:2] in ("97", "98"):
        return postal_code[:3]
    if postal_code[:2] == "20":
        return "2A" if postal_code[:3] in ("200", "201") else "2B"
    return postal_code[:2]


def person_text(first_name: str, last_name: str, birth: date) -> str:
    """One text for one person, however the names are written: the duplicate rule compares it."""
    return f"{normal_name(first_name)}/{normal_name(last_name)}/{birth.isoformat()}"


def document_text(number: str) -> str:
    """One text for one document, however it is spaced."""
    return re.sub(r"\s", "", number).upper()
