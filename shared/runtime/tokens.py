"""Access tokens: signed by identity and by the command line, verified by the gateway.

JSON Web Tokens signed with HS256. They expire by the machine's clock, also where the platform's clock is simulated.
"""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any

import jwt

from shared.kernel.errors import Unauthorized

ALGORITHM = "HS256"
ISSUER = "passculture"
ACCESS_LIFETIME = timedelta(minutes=15)
COMMAND_LINE = 0
"""The account number in tokens of the command line; no account has it."""


class BadToken(Unauthorized):
    """Not signed with this key, altered, expired, or not a token."""

    code = "token-invalid"
    DETAIL = "Votre session a expiré ou n’est pas valable : connectez-vous de nouveau."


def sign(claims: dict[str, Any], key: bytes, lifetime: timedelta) -> str:
    """A token with these claims, valid for ``lifetime`` from now."""
    now = datetime.now(UTC)
    return jwt.encode({**claims, "iss": ISSUER, "iat": now, "exp": now + lifetime}, _secret(key), algorithm=ALGORITHM)


def verify(token: str, key: bytes) -> dict[str, Any]:
    """The claims of a token that was signed with this key and has not expired. Raises BadToken."""
    claims = _verified(token, key)
    if claims["exp"] <= time.time():
        raise BadToken
    return claims


@lru_cache(4096)  # a caller sends the same token for a quarter of an hour; refusals are not cached
def _verified(token: str, key: bytes) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token, _secret(key), algorithms=[ALGORITHM], issuer=ISSUER, options={"require": ["exp", "iat", "iss"]}
        )
    except (jwt.InvalidTokenError, UnicodeError) as error:
        raise BadToken from error
    return claims


def access_token(account_id: int, roles: frozenset[str], key: bytes, lifetime: timedelta = ACCESS_LIFETIME) -> str:
    """A token of an account: the claims ``sub`` (text), ``accountId`` and ``roles``."""
    return sign({"sub": str(account_id), "accountId": account_id, "roles": sorted(roles)}, key, lifetime)


@cache
def _secret(key: bytes) -> bytes:
    """Derives this purpose's key: the configured one serves several purposes and may have any length."""
    return hashlib.sha256(b"access-token\x00" + key).digest()
