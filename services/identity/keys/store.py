"""The keys of people, in a store of their own: a file, a schema with its own role, or ``DATABASE_URL_KEYS``.

Erasing a person destroys a key here: it makes the person's data unreadable in every backup of identity's own store.

No transaction spans the two stores. A key is stored before its account is committed: a crash in between leaves a key
that seals nothing, and the next account of the same number uses it. A key is never replaced: a transaction that is
about to fail must not overwrite the key of the account that was committed under its number. A key is destroyed after
the erasure is committed; that commit queues the destruction (``application/erasing.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from shared.eventstore import sql
from shared.eventstore.database import Database
from shared.eventstore.errors import translated
from shared.eventstore.sql import BigNumber

metadata = sa.MetaData()

person_keys = sa.Table(
    "person_keys",
    metadata,
    sa.Column("account_id", BigNumber, primary_key=True),  # 0 and -1: the platform's own keys
    sa.Column("key", sa.LargeBinary, nullable=False),
)

_BY_ACCOUNT = sa.select(person_keys).where(sql.among_given(person_keys.c.account_id, "accounts"))


class KeyStore:
    """Each method raises StoreUnavailable while the database cannot be reached."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._database = Database(engine)

    def put(self, keys: Mapping[int, bytes]) -> dict[int, bytes]:
        """Commits keys for the accounts that have none, and returns the keys of all of them."""
        rows = [{"account_id": account, "key": key} for account, key in sorted(keys.items())]
        with translated(), self._database.writing() as connection:
            sql.insert_ignore(connection, person_keys, rows)
            return _read(connection, keys)

    def read(self, accounts: Collection[int]) -> dict[int, bytes]:
        """The keys that exist."""
        with translated(), self._database.reading() as connection:
            return _read(connection, accounts)

    def destroy(self, accounts: Collection[int]) -> None:
        """Deletes keys. Idempotent."""
        with translated(), self._database.writing() as connection:
            given = sql.among(person_keys.c.account_id, sorted(accounts))
            connection.execute(person_keys.delete().where(given))

    def ping(self) -> None:
        """Checks that the database can be reached."""
        with translated(), self._database.reading() as connection:
            connection.execute(sa.select(1))

    def close(self) -> None:
        self.engine.dispose()


def _read(connection: sa.Connection, accounts: Collection[int]) -> dict[int, bytes]:
    rows = connection.execute(_BY_ACCOUNT, {"accounts": sorted(accounts)})
    return {row.account_id: bytes(row.key) for row in rows}
