"""The department of a postal code, and the time zone of a department."""

from __future__ import annotations

import re

_POSTAL_CODE = re.compile(r"(0[1-9]|[1-8]\d|9[0-578])\d{3}")
MAINLAND = "Europe/Paris"

_OVERSEAS = {
    "971": "America/Guadeloupe",
    "972": "America/Martinique",
    "973": "America/Cayenne",
    "974": "Indian/Reunion",
    "975": "America/Miquelon",
    "976": "Indian/Mayotte",
    "977": "America/St_Barthelemy",
    "978": "America/Marigot",
    "984": "Indian/Kerguelen",
    "986": "Pacific/Wallis",
    "987": "Pacific/Tahiti",
    "988": "Pacific/Noumea",
    "989": "Pacific/Pitcairn",  # Clipperton has no zone of its own; the real system uses this one
}


def is_postal_code(text: str) -> bool:
    """Five ASCII digits of a department that exists."""
    return text.isascii() and _POSTAL_CODE.fullmatch(text) is not None


def department_code(postal_code: str) -> str:
    """``75`` for 75011, ``974`` for 97400: three digits from 97 upward, as in the real system."""
    return postal_code[:3] if postal_code >= "97" else postal_code[:2]


def timezone(department: str) -> str:
    """The IANA name of a department's zone."""
    return _OVERSEAS.get(department, MAINLAND)
