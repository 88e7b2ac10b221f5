"""How strong a password must be (domain.md §1.3)."""

from __future__ import annotations

from collections.abc import Callable

from services.identity.refusals import PasswordWeak

MIN_LENGTH, MAX_LENGTH = 12, 200
"""Characters. The maximum bounds the work of hashing."""

_RULES: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda text: len(text) >= MIN_LENGTH, f"au moins {MIN_LENGTH} caractères"),
    (lambda text: len(text) <= MAX_LENGTH, f"au plus {MAX_LENGTH} caractères"),
    (lambda text: any(char.isupper() for char in text), "une majuscule"),
    (lambda text: any(char.islower() for char in text), "une minuscule"),
    (lambda text: any(char.isdigit() for char in text), "un chiffre"),
    (lambda text: any(not char.isalnum() and not char.isspace() for char in text), "un caractère spécial"),
)


def check_password(text: str) -> None:
    """Raises PasswordWeak, which lists everything that is missing."""
    missing = [what for holds, what in _RULES if not holds(text)]
    if missing:
        detail = f"Choisissez un mot de passe plus sûr. Il lui faut : {', '.join(missing)}."
        raise PasswordWeak(detail, errors={"password": [f"Il faut {what}." for what in missing]})
