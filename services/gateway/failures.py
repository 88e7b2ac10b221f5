"""Guessing is slow: failures of sign-in, codes and countermark look-ups, counted where every replica sees them.

Ten a minute per subject (decisions 22 and 32), by the machine's clock. A success is never counted. The table holds the
last minute only.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from services.gateway.storage import failures
from shared.eventstore import Store, sql
from shared.kernel.errors import TooManyRequests

ALLOWED = 10
WINDOW_SECONDS = 60.0
LOOK_SECONDS = 0.25
"""For so long another replica's failures may not be known here."""
MOST_KNOWN = 10_000


class Failures:
    """A subject is whatever must not fail too often: an address, an account, an API key, an e-mail."""

    def __init__(self, store: Store, machine_time: Callable[[], float] = time.time) -> None:
        self._store = store
        self._time = machine_time
        self._refused: frozenset[str] | None = frozenset()
        """Who has failed too often, as it was when the table was last looked at; None: too many to know."""
        self._looked = -LOOK_SECONDS

    def check(self, *subjects: str) -> None:
        """Raises TooManyRequests when any of the subjects has failed ten times within the last minute.

        Most have not, and who has is looked up for all who ask within a quarter of a second, and after each failure
        that is counted here.
        """
        now = self._time()
        if not 0 <= now - self._looked < LOOK_SECONDS:
            self._look(now)
        if self._refused is None or not self._refused.isdisjoint(_hashed(subjects)):
            self._check(now, subjects)

    def _look(self, now: float) -> None:
        table = failures.c
        query = sa.select(table.subject).where(table.at > now - WINDOW_SECONDS).group_by(table.subject)
        with self._store.reading() as connection:
            many = query.having(sa.func.count() >= ALLOWED).limit(MOST_KNOWN + 1)
            found = frozenset(connection.execute(many).scalars())
        self._refused = found if len(found) <= MOST_KNOWN else None
        self._looked = now

    def _check(self, now: float, subjects: Sequence[str]) -> None:
        with self._store.reading() as connection:
            rows = connection.execute(
                sa.select(failures.c.subject, failures.c.at)
                .where(sql.among(failures.c.subject, _hashed(subjects)))
                .where(failures.c.at > now - WINDOW_SECONDS)
                .order_by(failures.c.at.desc())
            ).all()
        for subject in _hashed(subjects):
            instants = [row.at for row in rows if row.subject == subject]
            if len(instants) >= ALLOWED:
                seconds = int(instants[ALLOWED - 1] + WINDOW_SECONDS - now) + 1
                raise TooManyRequests("too many failures: wait a little", extra={"retryAfter": max(1, seconds)})

    def count(self, *subjects: str) -> None:
        """Writes one failure of each subject, and forgets what is older than the window."""
        now = self._time()
        with self._store.transaction() as tx:
            tx.connection.execute(failures.delete().where(failures.c.at <= now - WINDOW_SECONDS))
            tx.connection.execute(failures.insert(), [{"subject": subject, "at": now} for subject in _hashed(subjects)])
        self._looked = now - LOOK_SECONDS


def _hashed(subjects: Sequence[str]) -> list[str]:
    """No address, e-mail or key stands in the table."""
    return sorted({hashlib.sha256(subject.encode("utf-8", "replace")).hexdigest() for subject in subjects})
