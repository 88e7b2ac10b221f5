"""Accounts: opening one, confirming its e-mail, signing in.

Callers have no token yet, so no Idempotency-Key is passed on: an outcome with tokens is never stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from marshmallow import Schema

from services.gateway.ports import current_ports
from services.gateway.web.endpoints.audience import Audience
from services.gateway.web.endpoints.calls import send
from services.gateway.web.requests.inputs import Supplied
from services.gateway.web.requests.security import address
from services.gateway.web.schemas import accounts as schemas
from shared.contracts.calls import identity
from shared.contracts.calls.contract import Command
from shared.kernel.errors import DomainError

audience = Audience("Accounts", "Opening an account, confirming its e-mail, signing in.")

GUESSES = (401, 403, 404, 410, 422)
"""The statuses that refuse a wrong password, code or token."""

WITHOUT_ADDRESS: Supplied = {"client_address": None}
"""The gateway itself limits failures by network address: identity does not get it."""


@contextmanager
def limited(*subjects: str) -> Iterator[None]:
    """Counts a refused guess as a failure of the subjects. Raises TooManyRequests after too many (decision 32)."""
    with current_ports().failures.attempt(*subjects) as attempt:
        try:
            yield
        except DomainError as refusal:
            if refusal.status in GUESSES:
                attempt.failed()
            raise


def forwards_limited(
    to: Audience, rule: str, call: type[Command], answer: type[Schema], subject: Callable[[Any], str] | None = None
) -> None:
    """Like ``Audience.forwards``, with failures limited by network address and by the subject of the command."""

    def view(command: Command) -> Any:
        with limited(address(), *([] if subject is None else [subject(command)])):
            return send(command) or {}

    view.__name__, view.__doc__ = call.NAME.replace("-", "_"), call.__doc__
    to.endpoint("POST", rule, command=call, supplied=WITHOUT_ADDRESS, answers=(200, answer))(view)


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
forwards_limited(audience, "/v1/accounts/confirm-email", identity.ConfirmEmail, schemas.TokenPair)
forwards_limited(
    audience, "/v1/auth/sign-in", identity.SignIn, schemas.TokenPair, lambda call: f"e-mail:{call.email.casefold()}"
)
forwards_limited(audience, "/v1/auth/refresh", identity.Refresh, schemas.TokenPair)
forwards_limited(audience, "/v1/auth/password-reset/confirm", identity.ResetPassword, schemas.Accepted)
