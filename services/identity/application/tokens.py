"""Tokens of mails and of sessions. Their 256 random bits need no slow hash: a SHA-256 of each is stored."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from services.identity.application.unit_of_work import UnitOfWork
from services.identity.domain.accounts import Account
from services.identity.refusals import TokenExpired, unknown_link
from services.identity.storage import credentials
from shared.eventstore import Connection
from shared.runtime import tokens

MAIL_TOKEN_LIFE = timedelta(hours=24)
"""By the platform's clock (domain.md §1.3)."""
REFRESH_LIFE = timedelta(days=30)
"""By the machine's clock; each refresh starts anew."""
CONFIRM_EMAIL, CHANGE_EMAIL, RESET_PASSWORD = "confirm-email", "change-email", "reset-password"


def new_mail_token(work: UnitOfWork, account: int, purpose: str, sealed: str = "") -> str:
    """A token for a mail, valid for MAIL_TOKEN_LIFE."""
    token = _secret(work, "mail-token")
    credentials.add_mail_token(
        work.connection,
        digest=secret_digest(token),
        purpose=purpose,
        account_id=account,
        sealed=sealed,
        expires_at=work.now + MAIL_TOKEN_LIFE,
    )
    return token


def find_mail_token(connection: Connection, token: str, purposes: Sequence[str], now: datetime) -> Any:
    """The row of an unused token, locked. Raises TokenInvalid or TokenExpired."""
    row = credentials.mail_token(connection, secret_digest(token), purposes)
    if row is None:
        raise unknown_link()
    if row.expires_at <= now:
        raise TokenExpired
    return row


def new_token_pair(work: UnitOfWork, account: Account, family: int | None = None) -> dict[str, Any]:
    """An access token and a refresh token, of a new family unless one is given."""
    refresh = _secret(work, "refresh-token")
    credentials.add_refresh_token(
        work.connection,
        digest=secret_digest(refresh),
        family=family or work.tx.next_number("refresh-family"),
        account_id=account.number,
        expires_at=work.ports.machine.now() + REFRESH_LIFE,
    )
    return {
        "accessToken": tokens.access_token(account.number, frozenset(account.roles), work.ports.signing_key),
        "refreshToken": refresh,
        "expiresIn": int(tokens.ACCESS_LIFETIME.total_seconds()),
    }


def secret_digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _secret(work: UnitOfWork, purpose: str) -> str:
    """256 random bits. The number makes each one different where the randomness is seeded."""
    chance = work.ports.randomness.draw(purpose, work.tx.next_number(purpose))
    return base64.urlsafe_b64encode(chance.randbytes(32)).rstrip(b"=").decode()
