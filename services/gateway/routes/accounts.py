"""Accounts of everyone: opening one, confirming its e-mail, signing in. No key is handed on here: callers are unknown,
and an outcome that holds tokens is not to be stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.gateway.schemas import accounts as schemas
from services.gateway.web.audience import Audience
from services.gateway.web.calls import send
from services.gateway.web.gate import gate
from services.gateway.web.inputs import Supplied
from services.gateway.web.security import address
from shared.contracts.calls import identity
from shared.kernel.errors import DomainError

audience = Audience("Accounts", "Opening an account, confirming its e-mail, signing in.")

GUESSES = (401, 403, 404, 410, 422)
"""What a wrong password, code or token may be refused with."""


@contextmanager
def guarded(*subjects: str) -> Iterator[None]:
    """Refuses who has failed too often, and counts a refusal of what was sent (decision 32)."""
    with gate().failures.attempt(*subjects) as attempt:
        try:
            yield
        except DomainError as refusal:
            if refusal.status in GUESSES:
                attempt.failed()
            raise


WITHOUT_ADDRESS: Supplied = {"client_address": None}
"""Failures are limited by address here, before identity hears of them."""

audience.forwards("POST", "/v1/accounts", identity.OpenAccount, answers=(202, schemas.Accepted))
audience.forwards("POST", "/v1/pro/accounts", identity.OpenProAccount, answers=(202, schemas.Accepted))
audience.forwards(
    "POST", "/v1/auth/sign-out", identity.SignOut, supplied=WITHOUT_ADDRESS, answers=(200, schemas.Accepted)
)
audience.forwards(
    "POST",
    "/v1/auth/password-reset",
    identity.RequestPasswordReset,
    supplied=WITHOUT_ADDRESS,
    answers=(202, schemas.Accepted),
)


@audience.endpoint(
    "POST",
    "/v1/accounts/confirm-email",
    command=identity.ConfirmEmail,
    supplied=WITHOUT_ADDRESS,
    answers=(200, schemas.TokenPair),
)
def confirm_email(command: identity.ConfirmEmail) -> Any:
    """Confirms the e-mail with the token of the mail, and signs in."""
    with guarded(address()):
        return send(command)


@audience.endpoint(
    "POST", "/v1/auth/sign-in", command=identity.SignIn, supplied=WITHOUT_ADDRESS, answers=(200, schemas.TokenPair)
)
def sign_in(command: identity.SignIn) -> Any:
    """Signs in with e-mail and password."""
    with guarded(address(), f"e-mail:{command.email.casefold()}"):
        return send(command)


@audience.endpoint(
    "POST", "/v1/auth/refresh", command=identity.Refresh, supplied=WITHOUT_ADDRESS, answers=(200, schemas.TokenPair)
)
def refresh(command: identity.Refresh) -> Any:
    """Gives a new token pair for a refresh token; one that was used before revokes its whole family."""
    with guarded(address()):
        return send(command)


@audience.endpoint(
    "POST",
    "/v1/auth/password-reset/confirm",
    command=identity.ResetPassword,
    supplied=WITHOUT_ADDRESS,
    answers=(200, schemas.Accepted),
)
def reset_password(command: identity.ResetPassword) -> Any:
    """Sets a new password with the token of the mail; every session ends."""
    with guarded(address()):
        return send(command) or {}
