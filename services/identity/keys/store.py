"""The keys of persons, in a store of their own: a file of its own, or a schema with its own role, or wherever
``DATABASE_URL_KEYS`` says. Erasing a person destroys a key here, and with it every backup of identity's own store.

No transaction spans the two stores. A key is kept before the account that it seals is committed: a crash between
leaves a key that seals nothing, which serves the next account, given the same number. It is never replaced: who comes
late, with a transaction that cannot be committed any more, would take away the key of the account that came to be. A
key is destroyed after the erasure is committed, which says so durably: whoever comes next destroys it
(``Standing.destroy_keys``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from services.identity import storage
from shared.eventstore import Store, sql
from shared.eventstore.database import Database
from shared.eventstore.sql import BigNumber
from shared.eventstore.store import translated

metadata = sa.MetaData()

person_keys = sa.Table(
    "person_keys",
    metadata,
    sa.Column("account_id", BigNumber, primary_key=True),  # 0, -1: the platform's own
    sa.Column("key", sa.LargeBinary, nullable=False),
)


class KeyStore:
    """Each method raises StoreUnavailable while the database cannot be reached."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._database = Database(engine)

    def put(self, keys: Mapping[int, bytes]) -> dict[int, bytes]:
        """Kept when this returns; gives the keys in force, of which some may have been there before."""
        rows = [{"account_id": account, "key": key} for account, key in sorted(keys.items())]
        with translated(), self._database.writing() as connection:
            sql.insert_ignore(connection, person_keys, rows)
            return _read(connection, keys)

    def read(self, accounts: Collection[int]) -> dict[int, bytes]:
        """Those that there are."""
        with translated(), self._database.reading() as connection:
            return _read(connection, accounts)

    def destroy(self, accounts: Collection[int]) -> None:
        """For ever, as far as this store goes. Safe twice."""
        with translated(), self._database.writing() as connection:
            doomed = sql.among(person_keys.c.account_id, sorted(accounts))
            connection.execute(person_keys.delete().where(doomed))

    def reach(self) -> None:
        """Does nothing else."""
        with translated(), self._database.reading() as connection:
            connection.execute(sa.select(1))

    def close(self) -> None:
        self.engine.dispose()


_KEYS = sa.select(person_keys).where(sql.among_given(person_keys.c.account_id, "accounts"))


def _read(connection: sa.Connection, accounts: Collection[int]) -> dict[int, bytes]:
    return {row.account_id: bytes(row.key) for row in connection.execute(_KEYS, {"accounts": sorted(accounts)})}


def move_in(store: Store, keys: KeyStore) -> None:
    """What identity's own store holds of keys moves here: the platform's own, made with its first schema, and those of
    persons from before there was this store. Kept here first, gone there then; safe in any number of processes, of
    which each waits for the one that moves: it must not bring back a key that another has destroyed since."""
    query = sa.select(storage.former_person_keys).order_by("account_id")
    with store.reading() as connection:
        if connection.execute(query.limit(1)).first() is None:
            return
    with store.transaction() as tx:
        found = {row.account_id: bytes(row.key) for row in tx.connection.execute(query.with_for_update())}
        if found:
            keys.put(found)
            tx.connection.execute(storage.former_person_keys.delete())
