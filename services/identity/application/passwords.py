"""Resetting a forgotten password by mail, and changing a known one. Every session of the account ends."""

from __future__ import annotations

from typing import Any

from services.identity.application import failures
from services.identity.application.deferred_requests import PASSWORD_RESET, defer
from services.identity.application.signing_up import mail_owner
from services.identity.application.tokens import RESET_PASSWORD, find_mail_token, new_token_pair
from services.identity.application.unit_of_work import Ports, UnitOfWork, caller_account
from services.identity.domain.accounts import Account
from services.identity.domain.passwords import check_password
from services.identity.domain.people import normal_email
from services.identity.refusals import wrong_password
from services.identity.storage import credentials
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call


def request_password_reset(ports: Ports, call: Call[calls.RequestPasswordReset]) -> dict[str, Any]:
    """The same answer whether or not the address has an account. Limited per address, because it sends a mail."""
    email = normal_email(call.body.email)
    failures.count(ports, "password-reset", email)
    ports.run(lambda work: defer(work, PASSWORD_RESET, {"email": email}))
    return {}


def mail_reset(work: UnitOfWork, content: dict[str, Any]) -> None:
    """The deferred part: mails the owner of the address, if there is one."""
    mail_owner(work, content["email"], work.ports.mails.reset_password, "reset")


def reset_password(ports: Ports, call: Call[calls.ResetPassword]) -> dict[str, Any]:
    """Raises TokenInvalid, TokenExpired, PasswordWeak, AccountSuspended, TooManyRequests."""
    body = call.body
    check_password(body.password)
    with failures.limited(ports, "mail-token", body.client_address):
        with ports.store.reading() as connection:  # a wrong token must not cost a hash
            find_mail_token(connection, body.token, (RESET_PASSWORD,), ports.store.clock.now())
        hashed = ports.hasher.hash(body.password)
        return ports.run(lambda work: _reset(work, body.token, hashed))


def change_password(ports: Ports, call: Call[calls.ChangePassword]) -> dict[str, Any]:
    """A new token pair. Raises CredentialsInvalid, PasswordWeak, TooManyRequests, AccountSuspended."""
    body, number = call.body, caller_account(call)
    check_password(body.password)
    verified = verify_password(ports, number, body.current_password)
    hashed = ports.hasher.hash(body.password)

    def change(work: UnitOfWork) -> dict[str, Any]:
        account = work.usable_account(number)
        if credentials.password_hash(work.connection, number) != verified:
            raise wrong_password()  # changed since it was verified
        _set_password(work, account, hashed)
        return new_token_pair(work, account)

    return ports.run(change)


def verify_password(ports: Ports, number: int, password: str) -> str | None:
    """Returns the hash that the password matches. Raises CredentialsInvalid or TooManyRequests."""
    with failures.limited(ports, "password", guessed=str(number)):
        with ports.store.reading() as connection:
            hashed = credentials.password_hash(connection, number)
        if not ports.hasher.verify(password, hashed):
            raise wrong_password()
    return hashed


def _reset(work: UnitOfWork, token: str, hashed: str) -> dict[str, Any]:
    row = find_mail_token(work.connection, token, (RESET_PASSWORD,), work.now)
    account = work.usable_account(row.account_id)
    credentials.use_mail_tokens(work.connection, account.number, RESET_PASSWORD)
    _set_password(work, account, hashed)
    return {}


def _set_password(work: UnitOfWork, account: Account, hashed: str) -> None:
    credentials.set_password(work.connection, account.number, hashed)
    credentials.revoke_sessions(work.connection, account.number)
    account.change_password(work.now)
    work.tx.save(account)
    mail = work.ports.mails.password_changed(work.profile(account))
    work.notify(mail, f"password/{account.number}/{account.version}")
