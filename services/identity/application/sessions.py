"""Signing in and out, refresh tokens, passwords, and the limit of failures (decision 32)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from services.identity import storage
from services.identity.application.ports import (
    CHANGE_EMAIL,
    CONFIRM_EMAIL,
    RESET_PASSWORD,
    Ports,
    Work,
    caller_account,
    secret_digest,
)
from services.identity.application.requests import CHANGE_ADDRESS, PASSWORD_RESET, put
from services.identity.domain.accounts import Account
from services.identity.domain.errors import CredentialsInvalid, RefreshInvalid, TokenExpired, TokenInvalid
from services.identity.domain.passwords import check_password
from services.identity.domain.people import normal_email
from services.identity.sealing import KeyRing
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.errors import DomainError, Gone, Invalid, TooManyRequests, Unauthorized

FAILURES_ALLOWED, FAILURES_PERIOD = 10, timedelta(minutes=1)
_GUESSES = (Unauthorized, Invalid, Gone)
"""What a wrong password, code or token is refused with."""


class Failures:
    """Ten a minute per subject, by the machine's clock, counted where all replicas see them."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    @contextmanager
    def watching(self, kind: str, *subjects: str, guessed: str = "") -> Iterator[None]:
        """Refuses who failed too often; counts a refusal raised inside. An empty subject is nobody.

        ``guessed`` is whose secret it is about. There an attempt counts from its beginning, and what was no failure is
        given back: guesses made at once are no more than guesses made one after another.
        """
        names = [_subject(kind, subject) for subject in subjects if subject]
        self.check(names)
        if guessed:
            self.begin(kind, guessed)
        try:
            yield
        except _GUESSES:
            self.count(names)
            raise
        except BaseException:
            self._give_back(kind, guessed)
            raise
        self._give_back(kind, guessed)

    def begin(self, kind: str, subject: str) -> None:
        """Counts what begins, whatever becomes of it; raises TooManyRequests when that is one too many."""
        now = self._ports.machine.now()

        def work(work: Work) -> None:
            (row,) = storage.count_failures(work.connection, [_subject(kind, subject)], now, FAILURES_PERIOD)
            if row.failed > FAILURES_ALLOWED:  # not counted then: the minute does not begin anew
                raise _too_many(row.since + FAILURES_PERIOD - now)

        self._ports.run(work)

    def check(self, names: list[str]) -> None:
        """Raises TooManyRequests with the seconds to wait."""
        if not names:
            return
        now = self._ports.machine.now()
        with self._ports.store.reading() as connection:
            rows = storage.failures_of(connection, names, now - FAILURES_PERIOD)
        waits = [row.since + FAILURES_PERIOD - now for row in rows if row.failed >= FAILURES_ALLOWED]
        if waits:
            raise _too_many(max(waits))

    def count(self, names: list[str]) -> None:
        if names:
            now = self._ports.machine.now()
            self._ports.run(lambda work: storage.count_failures(work.connection, names, now, FAILURES_PERIOD))

    def _give_back(self, kind: str, subject: str) -> None:
        if subject:
            self._ports.run(lambda work: storage.uncount_failure(work.connection, _subject(kind, subject)))


class Sessions:
    def __init__(self, ports: Ports, failures: Failures) -> None:
        self._ports, self._failures = ports, failures

    def sign_in(self, call: Call[calls.SignIn]) -> Outcome:
        """A token pair. The same refusal, after the same time, for an unknown address as for a wrong password."""
        body = call.body
        email = normal_email(body.email)
        with self._failures.watching("sign-in", body.client_address, guessed=email):
            number, hashed = self._credentials(email)
            if not self._ports.hasher.verify(body.password, hashed):
                raise CredentialsInvalid("the e-mail or the password is not right")
        assert number is not None

        def work(work: Work) -> dict[str, Any]:
            return work.token_pair(work.usable_account(number))

        return self._ports.run(work)

    def refresh(self, call: Call[calls.Refresh]) -> Outcome:
        """A new pair for a refresh token. One that was used before was stolen, or its thief came first: its whole
        family ends."""
        body = call.body
        with self._failures.watching("refresh", body.client_address):
            outcome = self._ports.run(lambda work: _rotate(work, body.refresh_token))
            if isinstance(outcome, DomainError):  # what it revoked is committed
                raise outcome
            return outcome

    def sign_out(self, call: Call[calls.SignOut]) -> Outcome:
        """Ends the family of a refresh token; an unknown one is nobody's session."""
        body = call.body

        def work(work: Work) -> dict[str, Any]:
            row = storage.refresh_token(work.connection, secret_digest(body.refresh_token))
            if row is not None:
                storage.revoke_family(work.connection, row.family)
            return {}

        return self._ports.run(work)

    def request_password_reset(self, call: Call[calls.RequestPasswordReset]) -> Outcome:
        """The same answer whether the address has an account or not. Each request counts, so that nobody's mailbox is
        filled."""
        body = call.body
        email = normal_email(body.email)
        self._failures.begin("password-reset", email)
        self._ports.run(lambda work: put(work, PASSWORD_RESET, {"email": email}))
        return {}

    def reset_password(self, call: Call[calls.ResetPassword]) -> Outcome:
        """With the token of the mail. Every session ends."""
        body = call.body
        check_password(body.password)
        with self._failures.watching("mail-token", body.client_address):
            self._require_reset_token(body.token)  # before the slow work, which must not be had for nothing
            hashed = self._ports.hasher.hash(body.password)
            return self._ports.run(lambda work: _reset(work, body.token, hashed))

    def change_password(self, call: Call[calls.ChangePassword]) -> Outcome:
        """By the signed-in person, who knows the present one. Every session ends; the answer is a new token pair."""
        body = call.body
        number = caller_account(call)
        check_password(body.password)
        verified = self._verify(number, body.current_password)
        hashed = self._ports.hasher.hash(body.password)

        def work(work: Work) -> dict[str, Any]:
            account = work.usable_account(number)
            if storage.password_hash(work.connection, number) != verified:  # changed while this one was hashed
                raise CredentialsInvalid("the password is not right", errors={"password": ["not right"]})
            _set_password(work, account, hashed)
            return work.token_pair(account)

        return self._ports.run(work)

    def change_email(self, call: Call[calls.ChangeEmail]) -> Outcome:
        """Sends a link to the new address, which is adopted when it is followed."""
        body = call.body
        number = caller_account(call)
        self._verify(number, body.password)
        content = {"account": number, "email": normal_email(body.email)}
        self._ports.run(lambda work: put(work, CHANGE_ADDRESS, content))
        return {}

    def _credentials(self, email: str) -> tuple[int | None, str | None]:
        with self._ports.store.reading() as connection:
            number = storage.account_of_email(connection, KeyRing(self._ports.keys).digest("email", email))
            return number, storage.password_hash(connection, number) if number is not None else None

    def _verify(self, number: int, password: str) -> str | None:
        """Gives the hash that was verified. Raises CredentialsInvalid, or TooManyRequests after ten wrong ones."""
        with self._failures.watching("password", guessed=str(number)):
            with self._ports.store.reading() as connection:
                hashed = storage.password_hash(connection, number)
            if not self._ports.hasher.verify(password, hashed):
                raise CredentialsInvalid("the password is not right", errors={"password": ["not right"]})
        return hashed

    def _require_reset_token(self, token: str) -> None:
        with self._ports.store.reading() as connection:
            _reset_token(connection, token, self._ports)


def _rotate(work: Work, token: str) -> dict[str, Any] | RefreshInvalid:
    row = storage.refresh_token(work.connection, secret_digest(token))
    if row is None or row.state == "revoked" or row.expires_at <= work.ports.machine.now():
        return RefreshInvalid("sign in again")
    if row.state == "used":
        storage.revoke_family(work.connection, row.family)
        return RefreshInvalid("this refresh token was used before: sign in again")
    account = work.usable_account(row.account_id)
    storage.mark_refresh_token_used(work.connection, row.digest)
    return work.token_pair(account, family=row.family)


def mail_reset(work: Work, content: dict[str, Any]) -> None:
    """The letter to who forgot a password, if the address is anybody's."""
    number = storage.account_of_email(work.connection, work.keys.digest("email", content["email"]))
    if number is None:
        return
    account = work.account(number)
    profile = work.profile(account)
    letters = work.ports.letters
    if account.confirmed:
        token = work.mail_token(number, RESET_PASSWORD)
        work.tell(letters.reset_password(profile, token), f"reset/{secret_digest(token)}")
    else:
        token = work.mail_token(number, CONFIRM_EMAIL)
        work.tell(letters.confirm_email(profile, token), f"confirm/{secret_digest(token)}")


def _reset_token(connection: sa.Connection, token: str, ports: Ports) -> storage.Row:
    row = storage.mail_token(connection, secret_digest(token), (RESET_PASSWORD,))
    if row is None:
        raise TokenInvalid("this link was never sent, or was used before")
    if row.expires_at <= ports.store.clock.now():
        raise TokenExpired("this link is more than a day old: ask for another one")
    return row


def _reset(work: Work, token: str, hashed: str) -> dict[str, Any]:
    row = _reset_token(work.connection, token, work.ports)
    account = work.usable_account(row.account_id)
    storage.spend_mail_tokens(work.connection, account.number, RESET_PASSWORD)
    _set_password(work, account, hashed)
    return {}


def _set_password(work: Work, account: Account, hashed: str) -> None:
    storage.set_password(work.connection, account.number, hashed)
    storage.revoke_sessions(work.connection, account.number)
    account.change_password(work.now)
    work.tx.save(account)
    letter = work.ports.letters.password_changed(work.profile(account))
    work.tell(letter, f"password/{account.number}/{account.version}")


def mail_new_address(work: Work, content: dict[str, Any]) -> None:
    """The letter to a new address, unless it is somebody's."""
    number, email = content["account"], content["email"]
    account = work.account(number)
    if account.status != "active":
        return  # suspended or erased since
    if storage.account_of_email(work.connection, work.keys.digest("email", email)) is not None:
        return
    token = work.mail_token(number, CHANGE_EMAIL, work.keys.seal(number, {"email": email}))
    changed, _ = work.sealed(account, work.profile(account), email=email)
    work.tell(work.ports.letters.change_email(changed, token), f"change-email/{secret_digest(token)}")


def _too_many(wait: timedelta) -> TooManyRequests:
    """With the whole seconds to wait."""
    seconds = max(1, -int(-wait.total_seconds() // 1))
    return TooManyRequests("too many failures: wait a little", extra={"retryAfter": seconds})


def _subject(kind: str, subject: str) -> str:
    """An address or an e-mail is personal: only its digest is kept, for a day."""
    return f"{kind}/{hashlib.sha256(subject.casefold().encode()).hexdigest()[:32]}"
