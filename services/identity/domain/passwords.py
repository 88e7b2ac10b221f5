"""What a password must be (domain.md §1.3)."""

from __future__ import annotations

from collections.abc import Callable

from services.identity.domain.errors import PasswordWeak

MINIMUM, MAXIMUM = 12, 200
"""Characters. The maximum bounds the work of hashing."""

_RULES: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda text: len(text) >= MINIMUM, f"at least {MINIMUM} characters"),
    (lambda text: len(text) <= MAXIMUM, f"at most {MAXIMUM} characters"),
    (lambda text: any(char.isupper() for char in text), "an upper-case letter"),
    (lambda text: any(char.islower() for char in text), "a lower-case letter"),
    (lambda text: any(char.isdigit() for char in text), "a digit"),
    (lambda text: any(not char.isalnum() and not char.isspace() for char in text), "a special character"),
)


def check_password(text: str) -> None:
    """Raises PasswordWeak, which names everything that is missing."""
    missing = [f"needs {what}" for holds, what in _RULES if not holds(text)]
    if missing:
        raise PasswordWeak("the password is too weak", errors={"password": missing})
