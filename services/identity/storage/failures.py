"""Failed attempts by subject, counted per period by the machine's clock. Two replicas count the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.identity.storage.tables import failures
from shared.eventstore import sql


def counts(connection: sa.Connection, subjects: Sequence[str], since: datetime) -> list[sa.Row[Any]]:
    """The counts whose period began after an instant."""
    table = failures.c
    query = sa.select(failures).where(sql.among(table.subject, subjects), table.since > since)
    return list(connection.execute(query))


def count(connection: sa.Connection, subjects: Iterable[str], now: datetime, period: timedelta) -> list[sa.Row[Any]]:
    """Adds one to each subject's count, or restarts a count whose period has ended. Returns the new counts."""
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


def uncount(connection: sa.Connection, subject: str) -> None:
    """Subtracts one from the count. If the count has restarted since, it is one too low: one more guess in a minute."""
    table = failures.c
    connection.execute(
        failures.update().where(table.subject == subject, table.failed > 0).values(failed=table.failed - 1)
    )


def prune(connection: sa.Connection, now: datetime) -> None:
    connection.execute(failures.delete().where(failures.c.since < now - timedelta(days=1)))
