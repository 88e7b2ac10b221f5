"""Credentials: password hashes, tokens of mails, refresh tokens. Only digests of tokens are stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.identity.storage.tables import credentials, mail_tokens, refresh_tokens
from shared.eventstore import sql


def set_password(connection: sa.Connection, account: int, password_hash: str) -> None:
    sql.upsert(connection, credentials, [{"account_id": account, "password_hash": password_hash}])


def password_hash(connection: sa.Connection, account: int) -> str | None:
    query = sa.select(credentials.c.password_hash).where(credentials.c.account_id == account)
    return connection.execute(query).scalar()


def add_mail_token(connection: sa.Connection, **row: Any) -> None:
    connection.execute(mail_tokens.insert().values(used=False, **row))


def mail_token(connection: sa.Connection, digest: str, purposes: Sequence[str]) -> sa.Row[Any] | None:
    """The unused token, its row locked."""
    table = mail_tokens.c
    query = sa.select(mail_tokens).where(table.digest == digest, table.purpose.in_(purposes), ~table.used)
    return connection.execute(query.with_for_update()).first()


def use_mail_tokens(connection: sa.Connection, account: int, purpose: str) -> None:
    """Marks every token of this purpose as used: with one of them, the older ones end too."""
    table = mail_tokens.c
    connection.execute(
        mail_tokens.update().where(table.account_id == account, table.purpose == purpose).values(used=True, sealed="")
    )


def add_refresh_token(connection: sa.Connection, **row: Any) -> None:
    connection.execute(refresh_tokens.insert().values(state="fresh", **row))


def refresh_token(connection: sa.Connection, digest: str) -> sa.Row[Any] | None:
    """The token in whatever state, its row locked."""
    query = sa.select(refresh_tokens).where(refresh_tokens.c.digest == digest)
    return connection.execute(query.with_for_update()).first()


def use_refresh_token(connection: sa.Connection, digest: str) -> None:
    connection.execute(refresh_tokens.update().where(refresh_tokens.c.digest == digest).values(state="used"))


def revoke_family(connection: sa.Connection, family: int) -> None:
    connection.execute(refresh_tokens.update().where(refresh_tokens.c.family == family).values(state="revoked"))


def revoke_sessions(connection: sa.Connection, account: int) -> None:
    connection.execute(refresh_tokens.update().where(refresh_tokens.c.account_id == account).values(state="revoked"))


def prune(connection: sa.Connection, platform_now: datetime, machine_now: datetime) -> None:
    """Deletes tokens that have long expired."""
    old_mail, old_session = platform_now - timedelta(days=30), machine_now - timedelta(days=1)
    connection.execute(mail_tokens.delete().where(mail_tokens.c.expires_at < old_mail))
    connection.execute(refresh_tokens.delete().where(refresh_tokens.c.expires_at < old_session))
