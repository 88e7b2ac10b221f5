"""People's sealed profiles, and what belongs to one account, by its digest: an e-mail address (``emails``), a confirmed
phone (claim ``phone``), a checked person (``person``) or document (``document``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.identity.storage.tables import claims, emails, people
from shared.eventstore import sql

_SEALED = sa.select(people).where(sql.among_given(people.c.account_id, "accounts"))


def sealed_profiles(connection: sa.Connection, accounts: Sequence[int]) -> list[sa.Row[Any]]:
    """The rows of the accounts that exist."""
    return list(connection.execute(_SEALED, {"accounts": accounts}))


def account_of_email(connection: sa.Connection, digest: str) -> int | None:
    return connection.execute(sa.select(emails.c.account_id).where(emails.c.digest == digest)).scalar()


def claim_email(connection: sa.Connection, digest: str, account: int) -> bool:
    """Gives the address to the account. False if it already belongs to one."""
    row = {"digest": digest, "account_id": account}
    return bool(sql.insert_new(connection, emails, [row], "digest"))


def release_email(connection: sa.Connection, account: int) -> None:
    connection.execute(emails.delete().where(emails.c.account_id == account))


def claimant(connection: sa.Connection, kind: str, digest: str) -> int | None:
    query = sa.select(claims.c.account_id).where(claims.c.kind == kind, claims.c.digest == digest)
    return connection.execute(query).scalar()


def claim(connection: sa.Connection, kind: str, digest: str, account: int) -> bool:
    """Gives the digest to the account unless another account has it. Returns whether the account has it now."""
    sql.insert_ignore(connection, claims, [{"kind": kind, "digest": digest, "account_id": account}])
    return claimant(connection, kind, digest) == account


def release_claim(connection: sa.Connection, account: int, kind: str) -> None:
    connection.execute(claims.delete().where(claims.c.account_id == account, claims.c.kind == kind))
