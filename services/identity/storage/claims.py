"""Which account a confirmed phone (``phone``), a checked person or a checked document belongs to, by its digest."""

from __future__ import annotations

import sqlalchemy as sa

from services.identity.storage.tables import claims
from shared.eventstore import sql


def owner(connection: sa.Connection, kind: str, digest: str) -> int | None:
    query = sa.select(claims.c.account_id).where(claims.c.kind == kind, claims.c.digest == digest)
    return connection.execute(query).scalar()


def claim(connection: sa.Connection, kind: str, digest: str, account: int) -> bool:
    """Gives the digest to the account unless another account has it. Returns whether the account has it now."""
    sql.insert_ignore(connection, claims, [{"kind": kind, "digest": digest, "account_id": account}])
    return owner(connection, kind, digest) == account


def release(connection: sa.Connection, account: int, kind: str) -> None:
    connection.execute(claims.delete().where(claims.c.account_id == account, claims.c.kind == kind))
