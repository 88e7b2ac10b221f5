"""Signing in and out. A refresh token serves once: a second use revokes its family."""

from __future__ import annotations

from typing import Any

from services.identity.application.failures import limited
from services.identity.application.tokens import new_token_pair, secret_digest
from services.identity.application.unit_of_work import Ports, UnitOfWork
from services.identity.domain.people import normal_email
from services.identity.refusals import CredentialsInvalid, RefreshInvalid
from services.identity.sealing import KeyRing
from services.identity.storage import credentials, people
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call, Outcome


def sign_in(ports: Ports, call: Call[calls.SignIn]) -> dict[str, Any]:
    """A token pair. An unknown address gets the same refusal as a wrong password, after the same time.

    Raises CredentialsInvalid, EmailNotConfirmed, AccountSuspended, TooManyRequests.
    """
    body = call.body
    email = normal_email(body.email)
    with limited(ports, "sign-in", body.client_address, guessed=email):
        number, hashed = _credentials(ports, email)
        if not ports.hasher.verify(body.password, hashed):
            raise CredentialsInvalid("Votre adresse e-mail ou votre mot de passe n’est pas le bon.")
    assert number is not None
    account = number
    return ports.run(lambda work: new_token_pair(work, work.usable_account(account)))


def refresh(ports: Ports, call: Call[calls.Refresh]) -> Outcome:
    """A new token pair. A token that was used already may be stolen: its whole family is revoked.

    Raises RefreshInvalid, AccountSuspended, TooManyRequests.
    """
    with limited(ports, "refresh", call.body.client_address):
        outcome = ports.run(lambda work: _rotate(work, call.body.refresh_token))
        if isinstance(outcome, RefreshInvalid):  # returned by the transaction, which commits the revocation
            raise outcome
        return outcome


def sign_out(work: UnitOfWork, call: Call[calls.SignOut]) -> dict[str, Any]:
    """Revokes the token's family. An unknown token is ignored."""
    row = credentials.refresh_token(work.connection, secret_digest(call.body.refresh_token))
    if row is not None:
        credentials.revoke_family(work.connection, row.family)
    return {}


def _credentials(ports: Ports, email: str) -> tuple[int | None, str | None]:
    """The account of an address and its password hash, or nothing of either."""
    with ports.store.reading() as connection:
        number = people.account_of_email(connection, KeyRing(ports.keys).digest("email", email))
        return number, credentials.password_hash(connection, number) if number is not None else None


def _rotate(work: UnitOfWork, token: str) -> dict[str, Any] | RefreshInvalid:
    row = credentials.refresh_token(work.connection, secret_digest(token))
    if row is None or row.state == "revoked" or row.expires_at <= work.ports.machine.now():
        return RefreshInvalid("Votre session est terminée : connectez-vous de nouveau.")
    if row.state == "used":
        credentials.revoke_family(work.connection, row.family)
        return RefreshInvalid("Votre session a été fermée par sécurité : connectez-vous de nouveau.")
    account = work.usable_account(row.account_id)
    credentials.use_refresh_token(work.connection, row.digest)
    return new_token_pair(work, account, family=row.family)
