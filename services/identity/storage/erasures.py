"""The deletions of an erasure outside the log, and the queue of keys to destroy."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.identity.storage.tables import credentials, keys_to_destroy, mail_tokens, refresh_tokens
from shared.eventstore import sql


def delete_person(connection: sa.Connection, account: int) -> None:
    """Deletes passwords and tokens, and queues the destruction of the key: without it nobody reads the log's data."""
    for table in (credentials, mail_tokens, refresh_tokens):
        connection.execute(table.delete().where(table.c.account_id == account))
    sql.insert_ignore(connection, keys_to_destroy, [{"account_id": account}])


def to_destroy(connection: sa.Connection, limit: int) -> list[int]:
    """Accounts whose key is still to be destroyed."""
    return list(connection.execute(sa.select(keys_to_destroy.c.account_id).limit(limit)).scalars())


def count_to_destroy(connection: sa.Connection) -> int:
    number: int = connection.execute(sa.select(sa.func.count()).select_from(keys_to_destroy)).scalar_one()
    return number


def mark_destroyed(connection: sa.Connection, accounts: Sequence[int]) -> None:
    connection.execute(keys_to_destroy.delete().where(sql.among(keys_to_destroy.c.account_id, accounts)))
