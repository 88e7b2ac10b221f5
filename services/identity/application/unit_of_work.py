"""Identity's ports, and the unit of work of a use case: one transaction with the ports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from services.identity.domain.accounts import Account, Structure
from services.identity.domain.checks import Declared, Item
from services.identity.domain.offerers import Offerer
from services.identity.domain.people import Profile
from services.identity.keys import KeyStore
from services.identity.mails import Mails
from services.identity.refusals import no_account, no_offerer
from services.identity.sealing import KeyRing
from shared.eventstore import Store, Transaction
from shared.eventstore.outcomes import Call
from shared.kernel.errors import Unauthorized
from shared.kernel.randomness import Randomness
from shared.kernel.time import Clock
from shared.notifications import Notification, Outbox

T = TypeVar("T")


class PasswordHasher(Protocol):
    """Slow on purpose; unit tests pass a fast one."""

    def hash(self, password: str) -> str: ...

    def verify(self, password: str, hashed: str | None) -> bool:
        """False for a wrong password. Takes as long for None, an account that does not exist, as for one that does."""


class IdentityProvider(Protocol):
    """Reads identity documents. Slow: never called within a transaction."""

    def check(self, declared: Declared, account: Profile) -> list[Item]: ...


class StructureDirectory(Protocol):
    """Finds legal persons. Slow: never called within a transaction."""

    def find(self, siren: str) -> Structure:
        """Raises SirenInvalid, SirenClosed, SirenForeign; Unavailable when the directory does not answer."""


@dataclass(frozen=True)
class Ports:
    store: Store
    """With the platform's clock, which may be simulated."""
    keys: KeyStore
    outbox: Outbox
    mails: Mails
    hasher: PasswordHasher
    provider: IdentityProvider
    directory: StructureDirectory
    randomness: Randomness
    machine: Clock
    """The machine's clock: of sessions and failures."""
    signing_key: bytes
    key_environment: str
    """The first part of API keys: letters and digits."""

    def run(self, work: Callable[[UnitOfWork], T]) -> T:
        """Runs ``work`` in a transaction, and again after a conflict. A raised refusal is not committed."""
        return self.store.run(lambda tx: work(UnitOfWork(self, tx)))


class UnitOfWork:
    """One transaction of a use case."""

    def __init__(self, ports: Ports, tx: Transaction) -> None:
        self.ports = ports
        self.tx = tx
        self.now = tx.now
        self.connection = tx.connection
        self.keys = KeyRing(ports.keys)

    def account(self, number: int) -> Account:
        """Raises NotFound."""
        account = self.tx.get(Account, Account.stream(number))
        if account is None:
            raise no_account()
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
            raise no_offerer()
        return offerer

    def profile(self, account: Account) -> Profile:
        return self.keys.open_profile(account.number, account.sealed)

    def changed_profile(self, account: Account, **changes: Any) -> tuple[Profile, str]:
        """The account's profile with these changes, and the same one sealed."""
        changed = replace(self.profile(account), **changes)
        return changed, self.keys.seal_profile(account.number, changed)

    def notify(self, notification: Notification, key: str) -> None:
        """Sends a notification after the commit, once per key. An erased person gets none."""
        if notification.to:
            self.ports.outbox.write(self.tx, notification, key=key)


def caller_account(call: Call[Any]) -> int:
    """The account that makes the call. Raises Unauthorized for the platform itself."""
    if call.caller is None:
        raise Unauthorized
    return call.caller.account_id
