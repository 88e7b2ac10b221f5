"""Authenticates the caller: the account of an access token, or the structure of an API key."""

from __future__ import annotations

from typing import Any

from flask import g, request

from services.gateway.ports import Ports, current_ports
from shared.contracts.calls.contract import Authority
from shared.kernel.callers import Caller
from shared.kernel.errors import Unauthorized
from shared.kernel.identifiers import MAX_NUMBER
from shared.runtime import tokens


class BadToken(Unauthorized):
    code = "token-invalid"


def admit(access: Authority) -> None:
    """Authenticates and authorises the caller of the request. Raises Unauthorized, Forbidden."""
    g.caller = None
    if not access.anyone:
        token = required_credentials(request.headers.get("Authorization", ""))
        caller = caller_of(tokens.verify(token, current_ports().signing_key))
        access.check(caller)
        g.caller = caller


def required_credentials(authorization: str) -> str:
    """The bearer token of an ``Authorization`` header. Raises Unauthorized."""
    credentials = credentials_of(authorization)
    if not credentials:
        raise Unauthorized("Connectez-vous : cette adresse demande un en-tête « Authorization: Bearer ».")
    return credentials


def credentials_of(authorization: str) -> str:
    """The bearer token of an ``Authorization`` header; empty if there is none."""
    scheme, _, credentials = authorization.partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""


def caller_of(claims: dict[str, Any]) -> Caller:
    """Raises BadToken when the claims are not those of an access token."""
    account_id, roles = claims.get("accountId"), claims.get("roles")
    if not isinstance(account_id, int) or isinstance(account_id, bool) or not 0 <= account_id <= MAX_NUMBER:
        raise BadToken("Ce jeton ne désigne aucun compte : reconnectez-vous.")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise BadToken("Ce jeton ne donne aucun rôle : reconnectez-vous.")
    return Caller(account_id=account_id, roles=frozenset(roles))


def desk_caller(ports: Ports, credentials: str) -> Caller:
    """The account of an access token, or the structure of an API key: both are bearer tokens. Raises Unauthorized."""
    if credentials.count(".") == 2:
        return caller_of(tokens.verify(credentials, ports.signing_key))
    return Caller(account_id=tokens.COMMAND_LINE, offerer_id=ports.api_keys.offerer_of(credentials))


def address() -> str:
    """The network address of the client, as a subject of ``Failures``."""
    return f"address:{request.remote_addr or 'unknown'}"
