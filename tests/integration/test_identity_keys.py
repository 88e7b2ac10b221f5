"""The store of keys in a separate PostgreSQL database, which can be down while identity's database is up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.identity.keys import KeyStore, move_former_keys
from services.identity.sealing import KeyRing
from services.identity.storage import tables
from shared import green
from shared.eventstore import StoreUnavailable
from shared.kernel.errors import Unavailable
from tests.integration.conftest import Empty
from tests.servers import DATABASE, Schema, lock_waiters, own_database
from tests.unit.identity.platform_of_identity import Platform
from tests.waiting import attempts, wait_until


class Vault:
    """A database of keys that a test can make unavailable."""

    def __init__(self, url: str) -> None:
        self._engine = Schema(url, "keys").engine
        self._database = sa.make_url(url).database
        self._admin = sa.create_engine(DATABASE, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
        self.keys = KeyStore(self._engine)

    def take_away(self) -> None:
        """Refuses new connections and terminates the open ones."""
        with self._admin.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {self._database} ALLOW_CONNECTIONS false")
            terminate = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :of")
            connection.execute(terminate, {"of": self._database})

    def bring_back(self) -> None:
        with self._admin.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {self._database} ALLOW_CONNECTIONS true")


@pytest.fixture
def vault() -> Iterator[Vault]:
    with own_database() as url:
        made = Vault(url)
        yield made
        made.keys.close()


@pytest.fixture
def platform(empty: Empty, vault: Vault, tmp_path: Path) -> Platform:
    return Platform(tmp_path, engine=empty("identity"), keys=vault.keys)


def destroy_keys(platform: Platform) -> None:
    (task,) = [one for one in platform.service.tasks if one.name == "keys"]
    task.run()


def until_back(platform: Platform) -> None:
    """Runs the task until it succeeds: a terminated connection fails once more before the pool replaces it."""
    for _ in attempts(lambda: "the keys stay unavailable"):
        try:
            return destroy_keys(platform)
        except StoreUnavailable:
            pass


def test_outage_of_the_keys_refuses_erasure_and_delays_destruction(platform: Platform, vault: Vault) -> None:
    first, second = platform.young(), platform.young("max@example.org")
    vault.take_away()
    refused = platform.decide("erase", {}, first, "k")
    assert isinstance(refused, Unavailable), refused
    with pytest.raises(StoreUnavailable):
        destroy_keys(platform)
    vault.bring_back()
    until_back(platform)
    assert platform.decide("erase", {}, first, "k") == {}
    assert set(vault.keys.read([first, second])) == {second}

    def once() -> None:
        platform.store.on_write.remove(once)
        vault.take_away()

    platform.store.on_write.append(once)
    assert platform.decide("erase", {}, second, "k2") == {}
    vault.bring_back()
    until_back(platform)
    assert vault.keys.read([first, second]) == {}
    with platform.store.reading() as connection:
        assert platform.service.open_work(connection) == 0


def test_concurrent_creations_of_a_key_return_the_same_key(vault: Vault) -> None:
    rings = [KeyRing(vault.keys) for _ in range(8)]
    pool = green.Pool(8)
    list(pool.imap(lambda ring: ring.make(7), rings))
    sealed = [ring.seal(7, {"n": 1}) for ring in rings]
    assert {KeyRing(vault.keys).open(7, one)["n"] for one in sealed} == {1}


def test_slow_move_of_keys_does_not_restore_a_destroyed_key(platform: Platform, vault: Vault) -> None:
    reached, go_on = green.Event(), green.Event()

    class Slow(KeyStore):
        def put(self, keys: Mapping[int, bytes]) -> dict[int, bytes]:
            reached.send()
            go_on.wait()
            return super().put(keys)

    who = platform.young()
    key = vault.keys.read([who])[who]
    with platform.store.transaction() as tx:
        tx.connection.execute(tables.former_person_keys.insert().values({"account_id": who, "key": key}))
    moving = green.spawn(move_former_keys, platform.store, Slow(vault._engine))
    reached.wait()

    def move_and_erase() -> None:
        move_former_keys(platform.store, vault.keys)
        platform.send("erase", {}, who)

    erasing = green.spawn(move_and_erase)
    wait_until(lambda: erasing.dead or lock_waiters(platform.store.engine))
    go_on.send()
    moving.wait()
    erasing.wait()
    assert vault.keys.read([who]) == {}
