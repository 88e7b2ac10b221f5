"""Who makes a call: an account with its roles, or a structure's API key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Caller:
    """``offerer_id`` is set for an API key only; the command line's tokens have account 0."""

    account_id: int
    roles: frozenset[str] = frozenset()
    offerer_id: int | None = None

    def to_wire(self) -> dict[str, Any]:
        return {"accountId": self.account_id, "roles": sorted(self.roles), "offererId": self.offerer_id}

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Caller:
        return cls(wire["accountId"], frozenset(wire["roles"]), wire["offererId"])

    def name(self) -> str:
        return f"offerer-{self.offerer_id}" if self.offerer_id is not None else f"account-{self.account_id}"
