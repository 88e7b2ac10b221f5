"""Guessing is slow: failures of sign-in, codes and countermark look-ups, counted where every replica sees them.

Ten a minute per subject (decisions 22 and 32), by the machine's clock. A success is never counted. The table holds the
last minute only.

What is asked at once is no more than what is asked one after another: in a process a subject has as many attempts open
as it may still fail, and the next one waits. What is only looked up need not wait: it is told nothing, whatever was
found, once its subject has failed too often. That is counted in memory, so a success writes nothing; at worst each
replica lets ten failures through before it hears of the others'.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from services.gateway.storage import failures
from shared import green
from shared.eventstore import Store, sql
from shared.kernel.errors import DomainError, TooManyRequests
from shared.messaging.answering import TooBusy

ALLOWED = 10
WINDOW_SECONDS = 60.0
LOOK_SECONDS = 0.25
"""For so long another replica's failures may not be known here."""
MOST_KNOWN = 10_000
WAIT_SECONDS = 10.0
"""For so long an attempt waits for those before it."""


@dataclass(slots=True)
class _Subject:
    """What this process knows of one."""

    asking: int = 0
    """Attempts that are open or wait for it."""

    open: int = 0
    failed: deque[float] = field(default_factory=lambda: deque(maxlen=ALLOWED))
    waiting: deque[green.Event] = field(default_factory=deque)

    def check(self, now: float) -> None:
        """Raises TooManyRequests when no failure is left."""
        while self.failed and self.failed[0] <= now - WINDOW_SECONDS:
            self.failed.popleft()
        if len(self.failed) >= ALLOWED:
            raise _too_many(self.failed[0], now)

    def has_room(self, now: float) -> bool:
        """For one more attempt. Raises TooManyRequests when no failure is left."""
        self.check(now)
        return self.open < ALLOWED - len(self.failed)

    def wake_next(self) -> None:
        if self.waiting:
            self.waiting.popleft().send()


class Failures:
    """A subject is whatever must not fail too often: an address, an account, an API key, an e-mail."""

    def __init__(
        self, store: Store, machine_time: Callable[[], float] = time.time, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        self._store = store
        self._time = machine_time
        self._wait_seconds = wait_seconds
        self._refused: frozenset[str] | None = frozenset()
        """Who has failed too often, as it was when the table was last looked at; None: too many to know."""
        self._looked = -LOOK_SECONDS
        self._subjects: dict[str, _Subject] = {}

    @contextmanager
    def looking(self, *subjects: str) -> Iterator[Looking]:
        """As ``attempt``, for what changes nothing: any number at once, and TooManyRequests in the place of what was
        found, or of why not, when others have failed too often meanwhile."""
        looking = Looking(self)
        for subject in subjects:
            looking.take(subject)
        try:
            yield looking
        except DomainError:
            if not looking.has_failed:
                self.check_known(*looking.subjects)
            raise
        self.check_known(*looking.subjects)

    @contextmanager
    def attempt(self, *subjects: str) -> Iterator[Attempt]:
        """What may fail, of these subjects. Raises TooManyRequests; TooBusy when those before it take too long."""
        attempt = Attempt(self)
        try:
            for subject in subjects:
                attempt.take(subject)
            yield attempt
        finally:
            for subject in attempt.subjects:
                self._leave(subject)

    def take(self, subject: str) -> None:
        """Waits for a place among the subject's open attempts. Raises as ``attempt``."""
        self.check(subject)
        known = self._subjects.setdefault(subject, _Subject())
        known.asking += 1
        try:
            if known.waiting or not known.has_room(self._time()):
                self._wait(known)
        except BaseException:
            self._forget(subject, known)
            raise
        known.open += 1
        if known.waiting and known.has_room(self._time()):
            known.wake_next()

    def _wait(self, known: _Subject) -> None:
        turn = green.Event()
        known.waiting.append(turn)
        try:
            with green.Timeout(self._wait_seconds, TooBusy("too many at once: ask again")):
                turn.wait()
                while not known.has_room(self._time()):
                    turn = green.Event()
                    known.waiting.appendleft(turn)
                    turn.wait()
        finally:
            if turn in known.waiting:
                known.waiting.remove(turn)

    def _leave(self, subject: str) -> None:
        known = self._subjects[subject]
        known.open -= 1
        self._forget(subject, known)

    def _forget(self, subject: str, known: _Subject) -> None:
        """One attempt less: the next one's turn. Nothing is kept of a subject of whom there is nothing to know."""
        known.asking -= 1
        known.wake_next()
        if not known.asking and not known.failed:
            del self._subjects[subject]

    def check_known(self, *subjects: str) -> None:
        """``check``, of the failures that were counted in this process."""
        for subject in subjects:
            if (known := self._subjects.get(subject)) is not None:
                known.check(self._time())

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
                raise _too_many(instants[ALLOWED - 1], now)

    def count(self, *subjects: str) -> None:
        """Writes one failure of each subject, and forgets what is older than the window."""
        now = self._time()
        for subject in subjects:  # at once: writing takes time, and others ask meanwhile
            self._subjects.setdefault(subject, _Subject()).failed.append(now)
        if len(self._subjects) > MOST_KNOWN:
            self._forget_old(now)
        with self._store.transaction() as tx:
            tx.connection.execute(failures.delete().where(failures.c.at <= now - WINDOW_SECONDS))
            tx.connection.execute(failures.insert(), [{"subject": subject, "at": now} for subject in _hashed(subjects)])
        self._looked = now - LOOK_SECONDS

    def _forget_old(self, now: float) -> None:
        for subject, known in list(self._subjects.items()):
            if not known.asking and known.failed[-1] <= now - WINDOW_SECONDS:
                del self._subjects[subject]


class Attempt:
    """Something that may fail, and of which subjects it is one."""

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self.subjects: list[str] = []

    def take(self, subject: str) -> None:
        """It is this one's too. Raises as ``Failures.attempt``."""
        self._failures.take(subject)
        self.subjects.append(subject)

    def failed(self) -> None:
        """It did, and is counted of each of its subjects."""
        self._failures.count(*self.subjects)


class Looking(Attempt):
    """An attempt that holds no place."""

    has_failed = False

    def take(self, subject: str) -> None:
        self._failures.check(subject)
        self._failures.check_known(subject)
        self.subjects.append(subject)

    def failed(self) -> None:
        """Raises TooManyRequests when it is one too many: it is not counted then."""
        self._failures.check_known(*self.subjects)
        self.has_failed = True
        super().failed()


def _too_many(first: float, now: float) -> TooManyRequests:
    """``first``: the instant of the oldest of the failures that are too many."""
    seconds = int(first + WINDOW_SECONDS - now) + 1
    return TooManyRequests("too many failures: wait a little", extra={"retryAfter": max(1, seconds)})


def _hashed(subjects: Sequence[str]) -> list[str]:
    """No address, e-mail or key stands in the table."""
    return sorted({hashlib.sha256(subject.encode("utf-8", "replace")).hexdigest() for subject in subjects})
