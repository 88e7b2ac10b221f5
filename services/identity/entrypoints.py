"""Identity on the bus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.identity.bootstrap import build
from shared.eventstore.outcomes import Call
from shared.hosting import Hosted, takes_commands, takes_queries


class IdentityService:
    """Accounts, eligibility, identity checks, structures, sign-in, and all personal data."""

    name = "identity"
    build = staticmethod(build)
    identity = Hosted()

    @takes_commands
    def decide(self, calls: Sequence[Call]) -> Any:
        return self.identity.decide(calls)

    @takes_queries
    def answer(self, calls: Sequence[Call]) -> Any:
        return self.identity.answer(calls)
