"""Password hashing with argon2id, on a thread: it takes tens of milliseconds, and would block every green thread."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared import green

MEMORY_KIB, ROUNDS, LANES = 19_456, 2, 1
"""OWASP's minimum for argon2id: 19 MiB, two passes, one lane."""

NO_PASSWORD = f"$argon2id$v=19$m={MEMORY_KIB},t={ROUNDS},p={LANES}${'A' * 22}${'A' * 43}"
"""A hash that no password has. Verifying against it takes as long as against a real one."""


class Argon2Hasher:
    def __init__(self) -> None:
        self._argon2 = PasswordHasher(time_cost=ROUNDS, memory_cost=MEMORY_KIB, parallelism=LANES)

    def hash(self, password: str) -> str:
        return str(green.run_in_thread(self._argon2.hash, password))

    def verify(self, password: str, hashed: str | None) -> bool:
        matches = bool(green.run_in_thread(self._matches, hashed or NO_PASSWORD, password))
        return matches and hashed is not None

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._argon2.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False
