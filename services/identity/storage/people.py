"""People's sealed profiles, and the digests of their e-mail addresses: an address belongs to one account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.identity.storage.tables import emails, people
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
