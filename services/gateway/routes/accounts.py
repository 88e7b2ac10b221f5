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
from services.gateway.web.security import address
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


@audience.endpoint(
    "POST",
    "/v1/accounts",
    body=schemas.NewAccount,
    answers=(202, schemas.Accepted),
    refuses=["too-young", "password-weak", "phone-invalid", "too-many-requests"],
)
def open_account(body: dict[str, Any]) -> Any:
    """Opens a young person's account.

    The same answer for an e-mail that is known already; a mail with a link to confirm it is sent."""
    return send("identity", "open-account", body) or {}


@audience.endpoint(
    "POST",
    "/v1/pro/accounts",
    body=schemas.NewProAccount,
    answers=(202, schemas.Accepted),
    refuses=[
        "siren-invalid",
        "siren-closed",
        "siren-foreign",
        "password-weak",
        "phone-invalid",
        "too-many-requests",
    ],
)
def open_pro_account(body: dict[str, Any]) -> Any:
    """Opens a cultural actor's account.

    An unknown SIREN creates the structure, awaiting validation; a known one asks for an attachment to it."""
    return send("identity", "open-pro-account", body) or {}


@audience.endpoint(
    "POST",
    "/v1/accounts/confirm-email",
    body=schemas.MailToken,
    answers=(200, schemas.TokenPair),
    refuses=["link-invalid", "token-expired", "account-suspended", "too-many-requests"],
)
def confirm_email(body: dict[str, Any]) -> Any:
    """Confirms the e-mail with the token of the mail, and signs in."""
    with guarded(address()):
        return send("identity", "confirm-email", body)


@audience.endpoint(
    "POST",
    "/v1/auth/sign-in",
    body=schemas.SignIn,
    answers=(200, schemas.TokenPair),
    refuses=["credentials-invalid", "email-not-confirmed", "account-suspended", "too-many-requests"],
)
def sign_in(body: dict[str, Any]) -> Any:
    """Signs in with e-mail and password."""
    with guarded(address(), f"e-mail:{body['email'].casefold()}"):
        return send("identity", "sign-in", body)


@audience.endpoint(
    "POST",
    "/v1/auth/refresh",
    body=schemas.RefreshToken,
    answers=(200, schemas.TokenPair),
    refuses=["token-invalid", "email-not-confirmed", "account-suspended", "too-many-requests"],
)
def refresh(body: dict[str, Any]) -> Any:
    """Gives a new token pair for a refresh token; one that was used before revokes its whole family."""
    with guarded(address()):
        return send("identity", "refresh", body)


@audience.endpoint("POST", "/v1/auth/sign-out", body=schemas.RefreshToken, answers=(200, schemas.Accepted))
def sign_out(body: dict[str, Any]) -> Any:
    """Revokes a refresh token and its family."""
    return send("identity", "sign-out", body) or {}


@audience.endpoint(
    "POST",
    "/v1/auth/password-reset",
    body=schemas.PasswordReset,
    answers=(202, schemas.Accepted),
    refuses=["too-many-requests"],
)
def request_password_reset(body: dict[str, Any]) -> Any:
    """Sends a mail to reset the password, if the e-mail has an account."""
    return send("identity", "request-password-reset", body) or {}


@audience.endpoint(
    "POST",
    "/v1/auth/password-reset/confirm",
    body=schemas.NewPassword,
    answers=(200, schemas.Accepted),
    refuses=["link-invalid", "token-expired", "password-weak", "account-suspended", "too-many-requests"],
)
def reset_password(body: dict[str, Any]) -> Any:
    """Sets a new password with the token of the mail; every session ends."""
    with guarded(address()):
        return send("identity", "reset-password", body) or {}
