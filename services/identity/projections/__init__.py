"""Identity's read models: one class per question.

A row that a use case wrote itself, in the statement that decided, is folded by a rebuild only (``live=False``).
"""

from __future__ import annotations

from services.identity.projections.offerers import ApiKeys, Attachments, Offerers, Sirens
from services.identity.projections.people import Birthdays, Claims, Emails, IdentityChecks, People
from shared.projections import Projection


def projections() -> list[Projection]:
    """In the order in which they are written."""
    return [People(), Emails(), Claims(), IdentityChecks(), Birthdays(), Offerers(), Sirens(), Attachments(), ApiKeys()]
