"""An identity check: items, each ok, suspicious or ko, and their result (domain.md §1.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

_DOCUMENT = re.compile(r"\w{8,12}|[\w ]{14}")


class Outcome(StrEnum):
    OK = "ok"
    SUSPICIOUS = "suspicious"
    KO = "ko"


@dataclass(frozen=True, slots=True)
class Item:
    """One comparison. ``detail`` holds no personal data."""

    name: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """An identity document, as the person declares it."""

    document_number: str
    first_name: str
    last_name: str
    birth_date: date

    def to_json(self) -> dict[str, Any]:
        return {
            "documentNumber": self.document_number,
            "firstName": self.first_name,
            "lastName": self.last_name,
            "birthDate": self.birth_date.isoformat(),
        }


def overall(items: Iterable[Item]) -> Outcome:
    """ko if any item is ko, ok if all are ok, else suspicious: for staff to review."""
    outcomes = {item.outcome for item in items}
    if Outcome.KO in outcomes:
        return Outcome.KO
    return Outcome.OK if outcomes <= {Outcome.OK} else Outcome.SUSPICIOUS


def document_item(number: str) -> Item:
    """ok for 8 to 12 letters and digits, or 14 with spaces; staff review any other form."""
    known = _DOCUMENT.fullmatch(number) is not None
    return Item("document-number", Outcome.OK) if known else Item("document-number", Outcome.SUSPICIOUS, "unusual form")


def duplicate_items(*, person_taken: bool, document_taken: bool) -> list[Item]:
    """Suspicious if another account was checked under this name and birth date, or with this document."""
    return [_unique("unique-person", person_taken), _unique("unique-document", document_taken)]


def _unique(name: str, taken: bool) -> Item:
    return Item(name, Outcome.SUSPICIOUS, "known from another account") if taken else Item(name, Outcome.OK)
