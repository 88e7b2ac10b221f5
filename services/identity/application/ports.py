"""What is outside identity, and what a use case has at hand within one transaction."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from services.identity import storage
from services.identity.domain.accounts import Account
from services.identity.domain.checks import IdentityProvider
from services.identity.domain.offerers import Offerer
from services.identity.domain.people import Profile
from services.identity.hashing import PasswordHasher
from services.identity.keys import KeyStore
from services.identity.mails import Letters
from services.identity.sealing import KeyRing
from services.identity.sirene import StructureDirectory
from shared.contracts.calls.contract import Command
from shared.eventstore import Conflict, Store, Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.errors import DomainError, NotFound, Unauthorized, Unavailable
from shared.kernel.randomness import Randomness
from shared.kernel.time import Clock
from shared.messaging import calls
from shared.messaging.calls import CommandHandler
from shared.notifications import Notification, Outbox
from shared.runtime import tokens

T = TypeVar("T")
C = TypeVar("C", bound=Command)

MAIL_TOKEN_LIFE = timedelta(hours=24)
"""By the platform's clock (domain.md §1.3)."""
REFRESH_LIFE = timedelta(days=30)
"""By the machine's clock; each refresh begins anew."""
CONFIRM_EMAIL, CHANGE_EMAIL, RESET_PASSWORD = "confirm-email", "change-email", "reset-password"


@dataclass(frozen=True)
class Ports:
    store: Store
    keys: KeyStore
    outbox: Outbox
    letters: Letters
    hasher: PasswordHasher
    provider: IdentityProvider
    directory: StructureDirectory
    randomness: Randomness
    machine: Clock
    signing_key: bytes
    key_environment: str
    """The first part of API keys: letters and digits."""

    def run(self, work: Callable[[Work], T]) -> T:
        """``work`` in one transaction, again on a conflict. What it returns is committed, a DomainError too."""
        result: T = self.store.run(lambda tx: work(Work(self, tx)))
        return result


class Work:
    """One transaction of a use case."""

    def __init__(self, ports: Ports, tx: Transaction) -> None:
        self.ports = ports
        self.tx = tx
        self.now = tx.now
        self.connection = tx.connection
        self.keys = KeyRing(ports.keys)

    # ---- aggregates

    def account(self, number: int) -> Account:
        """Raises NotFound."""
        account = self.tx.get(Account, Account.stream(number))
        if account is None:
            raise NotFound("no such account")
        return account

    def usable_account(self, number: int) -> Account:
        """Raises NotFound, AccountSuspended or EmailNotConfirmed."""
        account = self.account(number)
        account.require_usable()
        return account

    def offerer(self, number: int) -> Offerer:
        """Raises NotFound."""
        offerer = self.tx.get(Offerer, Offerer.stream(number))
        if offerer is None:
            raise NotFound("no such structure")
        return offerer

    def profile(self, account: Account) -> Profile:
        return self.keys.open_profile(account.number, account.sealed)

    def sealed(self, account: Account, profile: Profile, **changes: Any) -> tuple[Profile, str]:
        """The changed profile, and the same sealed."""
        changed = replace(profile, **changes)
        return changed, self.keys.seal_profile(account.number, changed)

    # ---- secrets

    def mail_token(self, account: int, purpose: str, sealed: str = "") -> str:
        """A token to mail, good for a day; only its digest is kept."""
        token = self._secret("mail-token")
        storage.put_mail_token(
            self.connection,
            digest=secret_digest(token),
            purpose=purpose,
            account_id=account,
            sealed=sealed,
            expires_at=self.now + MAIL_TOKEN_LIFE,
        )
        return token

    def token_pair(self, account: Account, family: int | None = None) -> dict[str, Any]:
        """An access and a refresh token; a new family unless the refresh token takes the place of one."""
        refresh = self._secret("refresh-token")
        storage.put_refresh_token(
            self.connection,
            digest=secret_digest(refresh),
            family=family or self.tx.next_number("refresh-family"),
            account_id=account.number,
            expires_at=self.ports.machine.now() + REFRESH_LIFE,
        )
        access = tokens.access_token(account.number, frozenset(account.roles), self.ports.signing_key)
        return {
            "accessToken": access,
            "refreshToken": refresh,
            "expiresIn": int(tokens.ACCESS_LIFETIME.total_seconds()),
        }

    def _secret(self, purpose: str) -> str:
        """256 bits of chance. The number makes seeded chance give another one each time."""
        chance = self.ports.randomness.draw(purpose, self.tx.next_number(purpose))
        return base64.urlsafe_b64encode(chance.randbytes(32)).rstrip(b"=").decode()

    # ---- telling people

    def tell(self, notification: Notification, key: str) -> None:
        """Sent after the commit; nothing goes to a person who was erased."""
        if notification.to:
            self.ports.outbox.write(self.tx, notification, key=key)


def secret_digest(secret: str) -> str:
    """Of what has 256 bits of chance: nothing slower is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def caller_account(call: Call[Any]) -> int:
    """The account that asks. Raises Unauthorized for nobody and for an API key."""
    if call.caller is None or call.caller.offerer_id is not None:
        raise Unauthorized("sign in first")
    return call.caller.account_id


def unstored(contract: type[C], handler: Callable[[Call[C]], Outcome]) -> CommandHandler:
    """A command that opens its own transactions and whose outcome is not stored: it holds secrets, does slow work
    outside of transactions, or commits although it refuses."""
    return calls.each(contract, partial(_decided, handler))


def _decided(handler: Callable[[Call[C]], Outcome], call: Call[C]) -> Outcome:
    try:
        return handler(call)
    except DomainError as refusal:
        return refusal
    except Conflict:
        return Unavailable("too many are changing the same thing")
