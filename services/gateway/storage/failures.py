"""Failed attempts by subject, shared by all replicas of the gateway. Instants are seconds of the machine's clock."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.gateway.storage.tables import failures
from shared.eventstore import Connection, sql


def blocked_subjects(connection: Connection, *, since: float, allowed: int, limit: int) -> frozenset[str]:
    """At most ``limit`` subjects with ``allowed`` or more failures after an instant."""
    recent = sa.select(failures.c.subject).where(failures.c.at > since).group_by(failures.c.subject)
    blocked = recent.having(sa.func.count() >= allowed).limit(limit)
    return frozenset(connection.execute(blocked).scalars())


def failures_of(connection: Connection, subjects: Sequence[str], *, since: float) -> dict[str, list[float]]:
    """The instants of the failures of each subject after an instant, newest first."""
    query = (
        sa.select(failures.c.subject, failures.c.at)
        .where(sql.among(failures.c.subject, subjects), failures.c.at > since)
        .order_by(failures.c.at.desc())
    )
    found: dict[str, list[float]] = {subject: [] for subject in subjects}
    for subject, at in connection.execute(query):
        found[subject].append(at)
    return found


def add_failures(connection: Connection, subjects: Sequence[str], *, at: float, expired: float) -> None:
    """Stores one failure of each subject, and deletes all failures up to the instant ``expired``."""
    connection.execute(failures.delete().where(failures.c.at <= expired))
    connection.execute(failures.insert(), [{"subject": subject, "at": at} for subject in subjects])
