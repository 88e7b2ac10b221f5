"""Many credited young people at once, through identity's own log: signing them up over HTTP is not what is measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta

from services.identity.bootstrap import AGGREGATES
from services.identity.domain.accounts import Account, Role
from services.identity.domain.people import Profile
from services.identity.keys import KeyStore
from services.identity.projections import projections
from services.identity.publishing import publication
from services.identity.sealing import KeyRing
from shared.eventstore import Store, Transaction
from shared.kernel.time import SettableClock
from shared.runtime.tokens import sign
from tests.platform import Platform

AT_ONCE = 500


def beneficiaries(platform: Platform, count: int) -> list[int]:
    """Opens, confirms and activates accounts; gives their numbers. Their credits show when this returns."""
    accounts = decided(platform, count)
    numbers = [account.number for account in accounts]
    enter(platform, accounts)
    return numbers


def decided(platform: Platform, count: int) -> list[Account]:
    """The accounts, with all that happened to them, of which nobody was told yet."""
    with _identity(platform) as (identity, keys):
        accounts: list[Account] = []
        while len(accounts) < count:
            with identity.transaction() as tx:
                accounts += _opened(tx, KeyRing(keys), min(AT_ONCE, count - len(accounts)), _eighteen(tx.now))
    return accounts


def enter(platform: Platform, accounts: list[Account]) -> None:
    """Returns when everybody has handled everything."""
    with _identity(platform) as (identity, _):
        for begin in range(0, len(accounts), AT_ONCE):
            with identity.transaction() as tx:
                tx.save(*accounts[begin : begin + AT_ONCE])
    platform.wait_until_caught_up()


def tokens(platform: Platform, numbers: list[int]) -> list[str]:
    """An access token for each, good for the whole of a long run."""
    key = (platform.state / "signing.key").read_bytes()
    return [
        sign({"sub": str(one), "accountId": one, "roles": ["beneficiary"]}, key, timedelta(hours=6)) for one in numbers
    ]


def _eighteen(now: datetime) -> date:
    """18 since some months ago."""
    some_months_ago = now.date() - timedelta(days=100)
    return some_months_ago.replace(year=some_months_ago.year - 18, day=min(some_months_ago.day, 28))


def _opened(tx: Transaction, keys: KeyRing, count: int, born: date) -> list[Account]:
    numbers, checks = tx.next_number("account", count), tx.next_number("identity-check", count)
    keys.make(*range(numbers, numbers + count))
    return [_account(tx, keys, numbers + offset, checks + offset, born) for offset in range(count)]


def _account(tx: Transaction, keys: KeyRing, number: int, check: int, born: date) -> Account:
    email = f"person{number}@example.org"
    profile = Profile(
        email, "Zoé", f"Martin{number}", born, "80000", f"+336{20_000_000 + number}", "1 rue de la Paix", "Amiens"
    )
    sealed = keys.seal_profile(number, profile)
    account = Account.open(tx.now, number, [Role.BENEFICIARY], email_digest=keys.digest("email", email), sealed=sealed)
    account.confirm_email(tx.now)
    account.confirm_phone(tx.now, phone_digest=keys.digest("phone", profile.phone_number))
    account.record_check(
        tx.now,
        profile,
        check=check,
        items=(),
        person_digest=keys.digest("person", email),
        document_digest=keys.digest("document", email),
        sealed_declared=sealed,
    )
    account.complete_profile(tx.now, profile, sealed=sealed)
    return account


@contextmanager
def _identity(platform: Platform) -> Iterator[tuple[Store, KeyStore]]:
    """Its stores, as identity opens them itself."""
    engines = [platform.engine(name) for name in ("identity", "keys")]
    clock = SettableClock(platform.now())
    store = Store(engines[0], clock=clock, aggregates=AGGREGATES, publication=publication, projections=projections())
    try:
        yield store, KeyStore(engines[1])
    finally:
        for engine in engines:
            engine.dispose()
