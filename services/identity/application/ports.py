"""What is outside identity, as its use cases see it."""

from __future__ import annotations

from typing import Protocol

from services.identity.domain.accounts import Structure
from services.identity.domain.checks import Declared, Item
from services.identity.domain.people import Profile


class PasswordHasher(Protocol):
    """Slow on purpose; unit tests pass a fast one."""

    def hash(self, password: str) -> str: ...

    def verify(self, password: str, hashed: str | None) -> bool:
        """False for a wrong password. Takes as long for None, an account that does not exist, as for one that does."""


class IdentityProvider(Protocol):
    """Reads identity documents. Slow: never called within a transaction."""

    def check(self, declared: Declared, account: Profile) -> list[Item]: ...


class StructureDirectory(Protocol):
    """Finds legal persons. Slow: never called within a transaction."""

    def find(self, siren: str) -> Structure:
        """Raises SirenInvalid, SirenClosed, SirenForeign; Unavailable when the directory does not answer."""
