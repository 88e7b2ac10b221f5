"""The store of keys beside identity's own: no transaction spans both, and nothing is lost or kept between them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.identity.keys import KeyStore, move_former_keys
from services.identity.keys.store import person_keys
from services.identity.sealing import KeyRing
from services.identity.storage import tables
from shared.eventstore.store import StoreUnavailable
from shared.kernel.errors import NotFound, Unavailable
from shared.testing import empty_database
from tests.unit.identity.platform_of_identity import Platform


class Crash(BaseException):
    """The process ends here: nothing of what would follow is done."""


class Vault:
    """The keys in a folder of their own, which can be taken away and brought back."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._away = folder, folder.with_name("away")
        folder.mkdir()
        self._engine = empty_database(folder, "keys")
        self.keys = KeyStore(self._engine)

    def take_away(self) -> None:
        self._engine.dispose()
        shutil.move(self.folder, self._away)

    def bring_back(self) -> None:
        self._engine.dispose()
        shutil.move(self._away, self.folder)

    def holds(self, account: int) -> bool:
        return account in self.keys.read([account])


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = Vault(tmp_path / "vault")
    yield made
    made.keys.close()


@pytest.fixture
def platform(tmp_path: Path, vault: Vault) -> Iterator[Platform]:
    made = Platform(tmp_path, keys=vault.keys)
    yield made
    made.store.engine.dispose()


def doomed(platform: Platform) -> int:
    """What ``settle`` waits for."""
    with platform.store.reading() as connection:
        return platform.service.open_work(connection)


def keep_keys(platform: Platform) -> None:
    (task,) = [one for one in platform.service.tasks if one.name == "keys"]
    task.run()


def after_the_commit(platform: Platform, do: Any) -> None:
    """Once: of the next transaction."""

    def once() -> None:
        platform.store.on_write.remove(once)
        do()

    platform.store.on_write.append(once)


def test_an_erasure_destroys_the_key_and_only_that(platform: Platform, vault: Vault) -> None:
    who, other = platform.young(), platform.young("max@example.org")
    assert vault.holds(who)
    platform.send("erase", {}, who)
    assert not vault.holds(who) and vault.holds(other) and doomed(platform) == 0
    assert platform.ask("me", who=other)["email"] == "max@example.org"


def test_a_crash_between_the_erasure_and_the_destruction_is_made_good(
    platform: Platform, vault: Vault, tmp_path: Path
) -> None:
    who = platform.young()

    def crash() -> None:
        raise Crash

    after_the_commit(platform, crash)
    with pytest.raises(Crash):
        platform.send("erase", {}, who)
    platform.store.engine.dispose()
    again = Platform(tmp_path, keys=vault.keys)
    assert vault.holds(who) and doomed(again) == 1, "the erasure is committed, its key is still there"
    with pytest.raises(NotFound):
        again.ask("me", who=who)
    keep_keys(again)
    assert not vault.holds(who) and doomed(again) == 0
    keep_keys(again)
    again.store.engine.dispose()


def test_keys_that_go_away_after_the_commit_are_destroyed_when_they_are_back(platform: Platform, vault: Vault) -> None:
    who = platform.young()
    after_the_commit(platform, vault.take_away)
    assert platform.decide("erase", {}, who, "k") == {}, "what is committed is not taken back"
    with pytest.raises(StoreUnavailable):
        keep_keys(platform)
    assert doomed(platform) == 1
    vault.bring_back()
    assert vault.holds(who)
    keep_keys(platform)
    assert not vault.holds(who) and doomed(platform) == 0
    assert platform.decide("erase", {}, who, "k") == {}


def test_without_the_keys_nothing_is_erased_and_the_caller_is_told_to_come_again(
    platform: Platform, vault: Vault
) -> None:
    who = platform.young()
    vault.take_away()
    refused = platform.decide("erase", {}, who, "k")
    assert isinstance(refused, Unavailable) and refused.status == 503
    assert doomed(platform) == 0
    vault.bring_back()
    assert platform.ask("me", who=who)["email"] == "zoe@example.org"
    assert platform.decide("erase", {}, who, "k") == {}, "the same key: what is temporary was not stored"
    assert not vault.holds(who)


def test_keys_that_are_away_are_known_before_anybody_is_erased(platform: Platform, vault: Vault) -> None:
    keep_keys(platform)
    vault.take_away()
    with pytest.raises(StoreUnavailable):
        keep_keys(platform)
    vault.bring_back()
    keep_keys(platform)


def test_a_sign_up_without_the_keys_waits_for_them(platform: Platform, vault: Vault) -> None:
    platform.sign_up("max@example.org")
    platform.decide("open-account", platform.young_body("zoe@example.org"))
    vault.take_away()
    with pytest.raises(StoreUnavailable):
        platform.run_tasks()
    vault.bring_back()
    platform.run_tasks()
    assert platform.ask("me", who=platform.confirm("zoe@example.org"))["email"] == "zoe@example.org"


def test_a_key_whose_account_never_came_to_be_serves_the_next(platform: Platform, vault: Vault) -> None:
    platform.decide("open-account", platform.young_body("zoe@example.org"))

    def crash(_connection: sa.Connection) -> None:
        raise Crash

    sa.event.listen(platform.store.engine, "commit", crash)
    with pytest.raises(Crash):
        platform.run_tasks()
    sa.event.remove(platform.store.engine, "commit", crash)
    kept = vault.keys.read([1])
    assert kept and platform.messages() == []
    platform.run_tasks()
    assert platform.confirm("zoe@example.org") == 1
    assert platform.ask("me", who=1)["email"] == "zoe@example.org"
    assert vault.keys.read([1]) == kept


def test_who_comes_late_takes_nobody_s_key_away(vault: Vault) -> None:
    """Its transaction is lost, but it does not know yet: another has been given the same number since."""
    late, owner = KeyRing(vault.keys), KeyRing(vault.keys)
    owner.make(7)
    sealed = owner.seal(7, {"email": "zoe@example.org"})
    late.make(7)
    assert KeyRing(vault.keys).open(7, sealed) == {"email": "zoe@example.org"}
    assert late.open(7, sealed) == {"email": "zoe@example.org"}


def test_an_older_store_s_keys_move_once(platform: Platform, vault: Vault) -> None:
    """As a release kept them that had no store of keys; moving in again changes nothing and brings nothing back."""
    who = platform.young()
    key = vault.keys.read([who])
    vault.keys.destroy([who])
    with platform.store.transaction() as tx:
        row = {"account_id": who, "key": key[who]}
        tx.connection.execute(tables.former_person_keys.insert().values(row))
    for _ in range(2):
        move_former_keys(platform.store, vault.keys)
        assert vault.keys.read([who]) == key
        assert platform.ask("me", who=who)["email"] == "zoe@example.org"
    with platform.store.reading() as connection:
        assert connection.execute(sa.select(tables.former_person_keys)).all() == []
    platform.send("erase", {}, who)
    move_former_keys(platform.store, vault.keys)
    assert not vault.holds(who)


def test_the_migration_makes_the_table_that_the_code_reads(vault: Vault) -> None:
    with empty_database(vault.folder, "keys").connect() as connection:
        inspector = sa.inspect(connection)
        made = {column["name"]: column["nullable"] for column in inspector.get_columns("person_keys")}
        assert made == {column.name: bool(column.nullable) for column in person_keys.columns}
        assert inspector.get_pk_constraint("person_keys")["constrained_columns"] == ["account_id"]
