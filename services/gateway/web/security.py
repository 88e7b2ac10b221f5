"""Who is asking: the account of a signed token, or the structure of an API key."""

from __future__ import annotations

from typing import Any

from flask import g, request

from services.gateway.web.gate import Gate, gate
from shared.contracts.calls.contract import Authority
from shared.kernel.callers import Caller
from shared.kernel.errors import Unauthorized
from shared.kernel.identifiers import MAX_NUMBER
from shared.runtime import tokens


class BadToken(Unauthorized):
    code = "token-invalid"


def admit(access: Authority) -> None:
    """Puts the caller beside the request. Raises Unauthorized or Forbidden."""
    g.caller = None
    if not access.anyone:
        caller = signed_in()
        access.check(caller)
        g.caller = caller


def signed_in() -> Caller:
    """The account that the access token names. Raises Unauthorized."""
    return caller_of(tokens.verify(bearer(), gate().signing_key))


def bearer() -> str:
    """What stands after ``Authorization: Bearer``. Raises Unauthorized."""
    return required(request.headers.get("Authorization", ""))


def required(authorization: str) -> str:
    """What stands after ``Bearer``. Raises Unauthorized."""
    credentials = credentials_of(authorization)
    if not credentials:
        raise Unauthorized("sign in: this address needs `Authorization: Bearer <token>`")
    return credentials


def credentials_of(authorization: str) -> str:
    """What stands after ``Bearer``; empty where nothing does."""
    scheme, _, credentials = authorization.partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""


def caller_of(claims: dict[str, Any]) -> Caller:
    """Raises BadToken when the claims are not those of an access token."""
    account_id, roles = claims.get("accountId"), claims.get("roles")
    if not isinstance(account_id, int) or isinstance(account_id, bool) or not 0 <= account_id <= MAX_NUMBER:
        raise BadToken("the token names no account")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise BadToken("the token names no roles")
    return Caller(account_id=account_id, roles=frozenset(roles))


def desk_caller(here: Gate, credentials: str) -> Caller:
    """A signed-in account, or the structure of an API key: both come as a bearer. Raises Unauthorized."""
    if credentials.count(".") == 2:
        return caller_of(tokens.verify(credentials, here.signing_key))
    return Caller(account_id=tokens.COMMAND_LINE, offerer_id=here.api_keys.offerer_of(credentials))


def address() -> str:
    """Where the request comes from."""
    return f"address:{request.remote_addr or 'unknown'}"
