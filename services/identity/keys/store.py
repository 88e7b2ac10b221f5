"""The keys of persons, in a store of their own: a file of its own, or a schema with its own role, or wherever
``DATABASE_URL_KEYS`` says. Erasing a person destroys a key here, and with it every backup of identity's own store.

No transaction spans the two stores. A key is kept before the account that it seals is committed: a crash between
leaves a key that seals nothing, and the next account, which is given the same number, replaces it. A key is destroyed
after the erasure is committed, which says so durably: whoever comes next destroys it (``Standing.destroy_keys``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext

import sqlalchemy as sa

from services.identity import storage
from shared.eventstore import Store, sql
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
    """Raises StoreUnavailable while its database cannot be reached."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def put(self, keys: Mapping[int, bytes]) -> None:
        """Kept when this returns. A number's older key was made for an account that never came to be."""
        rows = [{"account_id": account, "key": key} for account, key in sorted(keys.items())]
        with self._writing() as connection:
            sql.upsert(connection, person_keys, rows)

    def read(self, accounts: Collection[int]) -> dict[int, bytes]:
        """Those that there are."""
        with translated(), self._engine.connect() as connection:
            query = sa.select(person_keys).where(sql.among(connection, person_keys.c.account_id, sorted(accounts)))
            return {row.account_id: bytes(row.key) for row in connection.execute(query)}

    def destroy(self, accounts: Collection[int]) -> None:
        """For ever, as far as this store goes. Safe twice."""
        with self._writing() as connection:
            doomed = sql.among(connection, person_keys.c.account_id, sorted(accounts))
            connection.execute(person_keys.delete().where(doomed))

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        gate = getattr(self._engine, "gate", None) or nullcontext()
        with translated(), gate, self._engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                yield connection


def move_in(store: Store, keys: KeyStore) -> None:
    """What identity's own store holds of keys moves here: the platform's own, made with its first schema, and those of
    persons from before there was this store. Kept here first, gone there then; safe in any number of processes."""
    with store.reading() as connection:
        found = {row.account_id: bytes(row.key) for row in connection.execute(sa.select(storage.former_person_keys))}
    if found:
        keys.put(found)
        with store.transaction() as tx:
            tx.connection.execute(storage.former_person_keys.delete())
