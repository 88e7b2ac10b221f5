"""Identity's tables and queries.

Two families. Read models are folded from the log (``projections.py``) and hold personal data sealed or as digests.
The others are not in the log on purpose: passwords, sessions, tokens, counted failures. The keys of persons stand in a
store of their own (``keys/``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from shared.eventstore import sql
from shared.eventstore.sql import BigNumber, Instant, Json

metadata = sa.MetaData()

# ---- read models

people = sa.Table(
    "people",
    metadata,
    sa.Column("account_id", BigNumber, primary_key=True),
    sa.Column("sealed", sa.Text, nullable=False),  # empty once erased
    sa.Column("roles", Json, nullable=False),
)

emails = sa.Table(
    "emails",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("account_id", BigNumber, nullable=False, unique=True),
)

claims = sa.Table(
    "claims",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),  # phone, person, document
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("account_id", BigNumber, nullable=False),
    sa.Index("claims_account", "account_id"),
)

identity_checks = sa.Table(
    "identity_checks",
    metadata,
    sa.Column("check_id", BigNumber, primary_key=True),
    sa.Column("account_id", BigNumber, nullable=False),
    sa.Column("status", sa.Text, nullable=False),  # ok, ko, pending
    sa.Column("items", Json, nullable=False),
    sa.Column("sealed_declared", sa.Text, nullable=False),
    sa.Column("checked_at", Instant, nullable=False),
    sa.Index("identity_checks_status", "status", "check_id"),
    sa.Index("identity_checks_account", "account_id"),
)

birthdays = sa.Table(
    "birthdays",
    metadata,
    sa.Column("account_id", BigNumber, primary_key=True),
    sa.Column("birth_date", sa.Date, nullable=False),
    sa.Column("age", sa.Integer, nullable=False),
    sa.Column("due_at", Instant, nullable=False, index=True),
)

offerers = sa.Table(
    "offerers",
    metadata,
    sa.Column("offerer_id", BigNumber, primary_key=True),
    sa.Column("siren", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("postal_code", sa.Text, nullable=False),
    sa.Column("city", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("registered_at", Instant, nullable=False),
    sa.Index("offerers_status", "status", "offerer_id"),
)

sirens = sa.Table(
    "sirens",
    metadata,
    sa.Column("siren", sa.Text, primary_key=True),
    sa.Column("offerer_id", BigNumber, nullable=False),
)

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("attachment_id", BigNumber, primary_key=True),
    sa.Column("offerer_id", BigNumber, nullable=False, index=True),
    sa.Column("account_id", BigNumber, nullable=False, index=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Index("attachments_status", "status", "attachment_id"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("prefix", sa.Text, primary_key=True),
    sa.Column("offerer_id", BigNumber, nullable=False, index=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

# ---- not in the log, on purpose

former_person_keys = sa.Table(
    "person_keys",
    metadata,
    # what the first schema makes here, and older releases kept here; it moves to the store of keys at the first start
    sa.Column("account_id", BigNumber, primary_key=True),
    sa.Column("key", sa.LargeBinary, nullable=False),
)

doomed_keys = sa.Table(
    "doomed_keys",
    metadata,
    # persons whose erasure is committed, and whose key is still to be destroyed
    sa.Column("account_id", BigNumber, primary_key=True),
)

credentials = sa.Table(
    "credentials",
    metadata,
    sa.Column("account_id", BigNumber, primary_key=True),
    sa.Column("password_hash", sa.Text, nullable=False),
)

mail_tokens = sa.Table(
    "mail_tokens",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),  # confirm-email, reset-password, change-email
    sa.Column("account_id", BigNumber, nullable=False, index=True),
    sa.Column("sealed", sa.Text, nullable=False),  # the new profile, for change-email
    sa.Column("expires_at", Instant, nullable=False),  # the platform's clock
    sa.Column("used", sa.Boolean, nullable=False),
)

refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("family", BigNumber, nullable=False, index=True),
    sa.Column("account_id", BigNumber, nullable=False, index=True),
    sa.Column("expires_at", Instant, nullable=False, index=True),  # the machine's clock
    sa.Column("state", sa.Text, nullable=False),  # fresh, used, revoked
)

failures = sa.Table(
    "failures",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("since", Instant, nullable=False, index=True),  # the machine's clock
    sa.Column("failed", sa.Integer, nullable=False),
)

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("id", BigNumber, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False),  # sign-up, password-reset, change-email
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
)

Row = sa.Row[Any]


# ---- uniqueness, decided by the statement


def claim_email(connection: sa.Connection, digest: str, account: int) -> bool:
    """False when the address is an account's already."""
    row = {"digest": digest, "account_id": account}
    return bool(sql.insert_new(connection, emails, [row], "digest"))


def release_email(connection: sa.Connection, account: int) -> None:
    connection.execute(emails.delete().where(emails.c.account_id == account))


def account_of_email(connection: sa.Connection, digest: str) -> int | None:
    return connection.execute(sa.select(emails.c.account_id).where(emails.c.digest == digest)).scalar()


def claim(connection: sa.Connection, kind: str, digest: str, account: int) -> bool:
    """First come, first served: whether the claim is this account's, from now on or since before."""
    sql.insert_ignore(connection, claims, [{"kind": kind, "digest": digest, "account_id": account}])
    query = sa.select(claims.c.account_id).where(claims.c.kind == kind, claims.c.digest == digest)
    owner: int = connection.execute(query).scalar_one()
    return owner == account


def claimed_by_another(connection: sa.Connection, kind: str, digest: str, account: int) -> bool:
    query = sa.select(claims.c.account_id).where(claims.c.kind == kind, claims.c.digest == digest)
    owner = connection.execute(query).scalar()
    return owner is not None and owner != account


def release_claims(connection: sa.Connection, account: int, kind: str) -> None:
    connection.execute(claims.delete().where(claims.c.account_id == account, claims.c.kind == kind))


def claim_siren(connection: sa.Connection, siren: str, offerer: int) -> int:
    """The number of the structure of this SIREN: the given one when it is new."""
    sql.insert_ignore(connection, sirens, [{"siren": siren, "offerer_id": offerer}])
    known: int = connection.execute(sa.select(sirens.c.offerer_id).where(sirens.c.siren == siren)).scalar_one()
    return known


# ---- passwords and mails' tokens


def set_password(connection: sa.Connection, account: int, password_hash: str) -> None:
    sql.upsert(connection, credentials, [{"account_id": account, "password_hash": password_hash}])


def password_hash(connection: sa.Connection, account: int) -> str | None:
    query = sa.select(credentials.c.password_hash).where(credentials.c.account_id == account)
    return connection.execute(query).scalar()


def put_mail_token(connection: sa.Connection, **row: Any) -> None:
    connection.execute(mail_tokens.insert().values(used=False, **row))


def mail_token(connection: sa.Connection, digest: str, purposes: Sequence[str]) -> Row | None:
    table = mail_tokens.c
    query = sa.select(mail_tokens).where(table.digest == digest, table.purpose.in_(purposes), ~table.used)
    return connection.execute(query.with_for_update()).first()


def spend_mail_tokens(connection: sa.Connection, account: int, purpose: str) -> None:
    """One was used: those that were mailed before it serve no more either."""
    table = mail_tokens.c
    connection.execute(
        mail_tokens.update().where(table.account_id == account, table.purpose == purpose).values(used=True, sealed="")
    )


# ---- sessions


def put_refresh_token(connection: sa.Connection, **row: Any) -> None:
    connection.execute(refresh_tokens.insert().values(state="fresh", **row))


def refresh_token(connection: sa.Connection, digest: str) -> Row | None:
    query = sa.select(refresh_tokens).where(refresh_tokens.c.digest == digest)
    return connection.execute(query.with_for_update()).first()


def mark_refresh_token_used(connection: sa.Connection, digest: str) -> None:
    connection.execute(refresh_tokens.update().where(refresh_tokens.c.digest == digest).values(state="used"))


def revoke_family(connection: sa.Connection, family: int) -> None:
    connection.execute(refresh_tokens.update().where(refresh_tokens.c.family == family).values(state="revoked"))


def revoke_sessions(connection: sa.Connection, account: int) -> None:
    connection.execute(refresh_tokens.update().where(refresh_tokens.c.account_id == account).values(state="revoked"))


# ---- failures


def failures_of(connection: sa.Connection, subjects: Sequence[str], since: datetime) -> list[Row]:
    """The counts that began after an instant."""
    table = failures.c
    query = sa.select(failures).where(sql.among(table.subject, subjects), table.since > since)
    return list(connection.execute(query))


def count_failures(connection: sa.Connection, subjects: Iterable[str], now: datetime, period: timedelta) -> list[Row]:
    """One more for each subject; a count whose period is over begins anew. Gives the counts as they are now."""
    rows = [{"subject": subject, "since": now, "failed": 1} for subject in sorted(set(subjects))]
    statement = sql.insert(connection, failures).values(rows)
    current = failures.c.since > now - period
    counted = statement.on_conflict_do_update(
        index_elements=["subject"],
        set_={
            "failed": sa.case((current, failures.c.failed + 1), else_=1),
            "since": sa.case((current, failures.c.since), else_=statement.excluded.since),
        },
    )
    return list(connection.execute(counted.returning(failures.c.since, failures.c.failed)))


def uncount_failure(connection: sa.Connection, subject: str) -> None:
    """It was none. A count that has begun anew meanwhile may be one too low: that is one guess in a minute."""
    table = failures.c
    connection.execute(
        failures.update().where(table.subject == subject, table.failed > 0).values(failed=table.failed - 1)
    )


# ---- requests: answered first, done afterwards


def put_request(connection: sa.Connection, **row: Any) -> None:
    connection.execute(requests.insert().values(attempts=0, **row))


def open_requests(connection: sa.Connection, attempts: int) -> int:
    query = sa.select(sa.func.count()).select_from(requests).where(requests.c.attempts < attempts)
    number: int = connection.execute(query).scalar_one()
    return number


def take_request(connection: sa.Connection, attempts: int) -> Row | None:
    """The oldest that nobody else is at, gone from the table when the transaction commits."""
    oldest = sa.select(requests).where(requests.c.attempts < attempts).order_by(requests.c.id).limit(1)
    row = connection.execute(oldest.with_for_update(skip_locked=True)).first()
    if row is not None:
        connection.execute(requests.delete().where(requests.c.id == row.id))
    return row


def count_attempt(connection: sa.Connection, number: int) -> None:
    connection.execute(requests.update().where(requests.c.id == number).values(attempts=requests.c.attempts + 1))


# ---- questions


def offerers_of_account(connection: sa.Connection, account: int) -> list[Row]:
    """The structures that an account acts for, or asked to act for, in the order of their numbers."""
    query = (
        sa.select(offerers, attachments.c.status.label("attachment"))
        .join(attachments, attachments.c.offerer_id == offerers.c.offerer_id)
        .where(attachments.c.account_id == account, attachments.c.status.in_(("pending", "approved")))
        .order_by(offerers.c.offerer_id)
    )
    return list(connection.execute(query))


def offerer(connection: sa.Connection, number: int) -> Row | None:
    return connection.execute(sa.select(offerers).where(offerers.c.offerer_id == number)).first()


def accounts_of_offerer(connection: sa.Connection, number: int) -> list[int]:
    """Those who act for a structure."""
    query = sa.select(attachments.c.account_id).where(
        attachments.c.offerer_id == number, attachments.c.status == "approved"
    )
    return list(connection.execute(query.order_by(attachments.c.account_id)).scalars())


def applicants(connection: sa.Connection, offerer_ids: Sequence[int]) -> dict[int, int]:
    """The first account attached to each structure."""
    table = attachments.c
    query = sa.select(table.offerer_id, sa.func.min(table.account_id)).where(
        sql.among(table.offerer_id, offerer_ids), table.status == "approved"
    )
    return {row[0]: row[1] for row in connection.execute(query.group_by(table.offerer_id))}


def offerers_by_status(connection: sa.Connection, status: str, after: int, limit: int) -> list[Row]:
    table = offerers.c
    query = sa.select(offerers).where(table.status == status, table.offerer_id > after)
    return list(connection.execute(query.order_by(table.offerer_id).limit(limit)))


def attachments_by_status(connection: sa.Connection, status: str, after: int, limit: int) -> list[Row]:
    table = attachments.c
    query = (
        sa.select(attachments, offerers.c.siren, offerers.c.name)
        .join(offerers, offerers.c.offerer_id == table.offerer_id)
        .where(table.status == status, table.attachment_id > after)
    )
    return list(connection.execute(query.order_by(table.attachment_id).limit(limit)))


def checks_by_status(connection: sa.Connection, status: str, after: int, limit: int) -> list[Row]:
    table = identity_checks.c
    query = sa.select(identity_checks).where(table.status == status, table.check_id > after)
    return list(connection.execute(query.order_by(table.check_id).limit(limit)))


def account_of_check(connection: sa.Connection, number: int) -> int | None:
    return connection.execute(
        sa.select(identity_checks.c.account_id).where(identity_checks.c.check_id == number)
    ).scalar()


def offerer_of_attachment(connection: sa.Connection, number: int) -> int | None:
    return connection.execute(sa.select(attachments.c.offerer_id).where(attachments.c.attachment_id == number)).scalar()


_SEALED = sa.select(people).where(sql.among_given(people.c.account_id, "accounts"))


def sealed_people(connection: sa.Connection, account_ids: Sequence[int]) -> list[Row]:
    return list(connection.execute(_SEALED, {"accounts": account_ids}))


def api_keys_by_prefix(connection: sa.Connection, prefixes: Sequence[str]) -> dict[str, Row]:
    query = sa.select(api_keys).where(sql.among(api_keys.c.prefix, prefixes))
    return {row.prefix: row for row in connection.execute(query)}


def api_keys_of_offerer(connection: sa.Connection, number: int) -> list[Row]:
    query = sa.select(api_keys).where(api_keys.c.offerer_id == number)
    return list(connection.execute(query.order_by(api_keys.c.created_at, api_keys.c.prefix)))


def next_birthday(connection: sa.Connection) -> datetime | None:
    return connection.execute(sa.select(sa.func.min(birthdays.c.due_at, type_=Instant))).scalar()


def due_birthdays(connection: sa.Connection, now: datetime, limit: int) -> list[Row]:
    """In the order in which they fall, locked: two replicas may run the timer."""
    query = sa.select(birthdays).where(birthdays.c.due_at <= now).order_by(birthdays.c.due_at, birthdays.c.account_id)
    return list(connection.execute(query.limit(limit).with_for_update()))


def prune(connection: sa.Connection, *, platform: datetime, machine: datetime) -> None:
    """What can serve nobody any more: old tokens, old sessions, old counts."""
    day = timedelta(days=1)
    connection.execute(mail_tokens.delete().where(mail_tokens.c.expires_at < platform - 30 * day))
    connection.execute(refresh_tokens.delete().where(refresh_tokens.c.expires_at < machine - day))
    connection.execute(failures.delete().where(failures.c.since < machine - day))


def forget_person(connection: sa.Connection, account: int) -> None:
    """Everything of a person that is not in the log; the key, without which nobody reads what is in it, is doomed."""
    for table in (credentials, mail_tokens, refresh_tokens):
        connection.execute(table.delete().where(table.c.account_id == account))
    sql.insert_ignore(connection, doomed_keys, [{"account_id": account}])


def doomed(connection: sa.Connection, limit: int) -> list[int]:
    return list(connection.execute(sa.select(doomed_keys.c.account_id).limit(limit)).scalars())


def count_doomed(connection: sa.Connection) -> int:
    number: int = connection.execute(sa.select(sa.func.count()).select_from(doomed_keys)).scalar_one()
    return number


def forget_doomed(connection: sa.Connection, accounts: Sequence[int]) -> None:
    connection.execute(doomed_keys.delete().where(sql.among(doomed_keys.c.account_id, accounts)))
