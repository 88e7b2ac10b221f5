"""Hashes passwords with argon2 in a thread of the system: it takes tens of milliseconds and would block the others."""

from __future__ import annotations

from typing import Any, Protocol

from argon2 import PasswordHasher as _Argon2
from argon2.exceptions import InvalidHashError, VerificationError

from shared import green

MEMORY_KIB, ROUNDS, LANES = 19_456, 2, 1
"""The least that OWASP recommends for argon2id: 19 MiB, two passes, one lane."""


NOBODY = f"$argon2id$v=19$m={MEMORY_KIB},t={ROUNDS},p={LANES}${'A' * 22}${'A' * 43}"
"""A hash that no password has; trying one against it takes as long as against a real one."""


class PasswordHasher(Protocol):
    """Slow on purpose; a unit test passes a quick one."""

    def hash(self, password: str) -> str: ...

    def verify(self, password: str, hashed: str | None) -> bool:
        """False for a wrong password. As long for None, an account that does not exist, as for one that does."""


class Argon2Hasher:
    def __init__(self) -> None:
        self._argon2 = _Argon2(time_cost=ROUNDS, memory_cost=MEMORY_KIB, parallelism=LANES)

    def hash(self, password: str) -> str:
        return str(_on_a_thread(self._argon2.hash, password))

    def verify(self, password: str, hashed: str | None) -> bool:
        right = bool(_on_a_thread(self._matches, hashed or NOBODY, password))
        return right and hashed is not None

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._argon2.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False


def _on_a_thread(function: Any, *arguments: Any) -> Any:
    return green.run_in_thread(function, *arguments)
