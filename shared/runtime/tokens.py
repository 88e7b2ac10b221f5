"""Access tokens: signed by identity and by the command line, verified by the gateway.

HS256 JSON Web Tokens. Their life goes by the machine's clock, whatever the platform's clock says.
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
"""The account number in tokens that the command line signs: no account has it."""


class BadToken(Unauthorized):
    """Not ours, altered, expired, or not a token at all."""

    code = "token-invalid"


def sign(claims: dict[str, Any], key: bytes, lifetime: timedelta) -> str:
    """A token that says ``claims`` until ``lifetime`` from now."""
    now = datetime.now(UTC)
    return jwt.encode({**claims, "iss": ISSUER, "iat": now, "exp": now + lifetime}, _secret(key), algorithm=ALGORITHM)


def verify(token: str, key: bytes) -> dict[str, Any]:
    """The claims of a token that ``sign`` made with the same key and that still lives. Raises BadToken."""
    claims = _verified(token, key)
    if claims["exp"] <= time.time():
        raise BadToken("the access token is not valid")
    return claims


@lru_cache(4096)  # a caller shows the same one for a quarter of an hour; what is refused is not kept
def _verified(token: str, key: bytes) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token, _secret(key), algorithms=[ALGORITHM], issuer=ISSUER, options={"require": ["exp", "iat", "iss"]}
        )
    except (jwt.InvalidTokenError, UnicodeError) as error:
        raise BadToken("the access token is not valid") from error
    return claims


def access_token(account_id: int, roles: frozenset[str], key: bytes, lifetime: timedelta = ACCESS_LIFETIME) -> str:
    """What identity and the command line give out: claims ``sub`` (text), ``accountId`` and ``roles``."""
    return sign({"sub": str(account_id), "accountId": account_id, "roles": sorted(roles)}, key, lifetime)


@cache
def _secret(key: bytes) -> bytes:
    """The configured key serves other purposes too and may have any length: each purpose takes its own digest of it."""
    return hashlib.sha256(b"access-token\x00" + key).digest()
