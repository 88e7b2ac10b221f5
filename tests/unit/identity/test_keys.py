"""The store of keys and identity's own store: no transaction spans both, and nothing is lost or left between them."""

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
from shared.eventstore import StoreUnavailable
from shared.kernel.errors import NotFound, Unavailable
from shared.testing import empty_database
from tests.unit.identity.platform_of_identity import Platform


class Crash(BaseException):
    """The process dies here."""


class Vault:
    """The keys in a folder of their own, which a test takes away and brings back."""

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


def open_work(platform: Platform) -> int:
    """The open work that the service reports."""
    with platform.store.reading() as connection:
        return platform.service.open_work(connection)


def destroy_keys(platform: Platform) -> None:
    (task,) = [one for one in platform.service.tasks if one.name == "keys"]
    task.run()


def after_the_commit(platform: Platform, do: Any) -> None:
    """``do`` runs once, after the next commit."""

    def once() -> None:
        platform.store.on_write.remove(once)
        do()

    platform.store.on_write.append(once)


def test_an_erasure_destroys_one_key_only(platform: Platform, vault: Vault) -> None:
    who, other = platform.young(), platform.young("max@example.org")
    assert vault.holds(who)
    platform.send("erase", {}, who)
    assert not vault.holds(who) and vault.holds(other) and open_work(platform) == 0
    assert platform.ask("me", who=other)["email"] == "max@example.org"


def test_after_a_crash_a_task_destroys_the_key_of_a_committed_erasure(
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
    assert vault.holds(who) and open_work(again) == 1, "the erasure is committed, its key still exists"
    with pytest.raises(NotFound):
        again.ask("me", who=who)
    destroy_keys(again)
    assert not vault.holds(who) and open_work(again) == 0
    destroy_keys(again)
    again.store.engine.dispose()


def test_an_outage_after_the_commit_delays_the_destruction_of_the_key(platform: Platform, vault: Vault) -> None:
    who = platform.young()
    after_the_commit(platform, vault.take_away)
    assert platform.decide("erase", {}, who, "k") == {}, "a committed erasure succeeds"
    with pytest.raises(StoreUnavailable):
        destroy_keys(platform)
    assert open_work(platform) == 1
    vault.bring_back()
    assert vault.holds(who)
    destroy_keys(platform)
    assert not vault.holds(who) and open_work(platform) == 0
    assert platform.decide("erase", {}, who, "k") == {}


def test_during_an_outage_of_the_keys_an_erasure_is_refused_with_503(platform: Platform, vault: Vault) -> None:
    who = platform.young()
    vault.take_away()
    refused = platform.decide("erase", {}, who, "k")
    assert isinstance(refused, Unavailable) and refused.status == 503
    assert open_work(platform) == 0
    vault.bring_back()
    assert platform.ask("me", who=who)["email"] == "zoe@example.org"
    assert platform.decide("erase", {}, who, "k") == {}, "a transient failure is not stored under the key"
    assert not vault.holds(who)


def test_the_task_reports_an_outage_of_the_keys_without_an_erasure(platform: Platform, vault: Vault) -> None:
    destroy_keys(platform)
    vault.take_away()
    with pytest.raises(StoreUnavailable):
        destroy_keys(platform)
    vault.bring_back()
    destroy_keys(platform)


def test_a_sign_up_waits_for_the_keys_during_their_outage(platform: Platform, vault: Vault) -> None:
    platform.sign_up("max@example.org")
    platform.decide("open-account", platform.young_body("zoe@example.org"))
    vault.take_away()
    with pytest.raises(StoreUnavailable):
        platform.run_tasks()
    vault.bring_back()
    platform.run_tasks()
    assert platform.ask("me", who=platform.confirm("zoe@example.org"))["email"] == "zoe@example.org"


def test_the_key_of_an_account_that_was_not_committed_serves_the_next_one(platform: Platform, vault: Vault) -> None:
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


def test_a_late_transaction_does_not_replace_a_key(vault: Vault) -> None:
    """Its transaction will fail: another one has committed an account under the same number."""
    late, owner = KeyRing(vault.keys), KeyRing(vault.keys)
    owner.make(7)
    sealed = owner.seal(7, {"email": "zoe@example.org"})
    late.make(7)
    assert KeyRing(vault.keys).open(7, sealed) == {"email": "zoe@example.org"}
    assert late.open(7, sealed) == {"email": "zoe@example.org"}


def test_keys_of_an_older_release_are_moved_once(platform: Platform, vault: Vault) -> None:
    """Of a release without a store of keys. A second run changes nothing and brings no destroyed key back."""
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
