"""Limits guessing: counts failed sign-ins, codes and countermark look-ups, for all replicas together.

A subject may fail ten times a minute (decisions 22 and 32), by the machine's clock. A success is not counted. The table
holds the last minute only.

Concurrent attempts give no more guesses than consecutive ones: a process lets a subject have as many attempts open as
failures are left to it, and the next one waits. A look-up, which changes nothing, does not wait: its result is withheld
once its subject has failed too often. These counts are in memory, so a success writes nothing; at worst each replica
lets ten failures pass before it reads those of the others.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.gateway.storage.failures import add_failures, blocked_subjects, failures_of
from shared import green
from shared.eventstore import Store
from shared.kernel.errors import DomainError, TooManyRequests
from shared.messaging.answering import TooBusy

ALLOWED = 10
WINDOW_SECONDS = 60.0
REFRESH_SECONDS = 0.25
"""How old what is known of the other replicas' failures may be."""
MAX_SUBJECTS = 10_000
WAIT_SECONDS = 10.0
"""How long an attempt waits for those before it."""


@dataclass(slots=True)
class _Subject:
    """The attempts of a subject in this process."""

    attempts: int = 0
    """Open ones, and those that wait."""

    open: int = 0
    failed: deque[float] = field(default_factory=lambda: deque(maxlen=ALLOWED))
    waiting: deque[green.Event] = field(default_factory=deque)

    def check(self, now: float) -> None:
        """Raises TooManyRequests if no failure is left."""
        while self.failed and self.failed[0] <= now - WINDOW_SECONDS:
            self.failed.popleft()
        if len(self.failed) >= ALLOWED:
            raise _too_many(self.failed[0], now)

    def has_room(self, now: float) -> bool:
        """Whether one more attempt may begin. Raises TooManyRequests if no failure is left."""
        self.check(now)
        return self.open < ALLOWED - len(self.failed)

    def wake_next(self) -> None:
        if self.waiting:
            self.waiting.popleft().send()


class Failures:
    """The failures of all subjects: addresses, accounts, API keys, e-mails."""

    def __init__(
        self, store: Store, machine_time: Callable[[], float] = time.time, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        self._store = store
        self._time = machine_time
        self._wait_seconds = wait_seconds
        self._blocked: frozenset[str] | None = frozenset()
        """The subjects that have failed too often, as last read from the table; None if they are too many."""
        self._refreshed_at = -REFRESH_SECONDS
        self._subjects: dict[str, _Subject] = {}

    @contextmanager
    def look_up(self, *subjects: str) -> Iterator[LookUp]:
        """Like ``attempt``, for queries: no limit on concurrency; once a subject has used up its failures the caller
        gets TooManyRequests instead of the result."""
        look_up = LookUp(self)
        for subject in subjects:
            look_up.take(subject)
        try:
            yield look_up
        except DomainError:
            if not look_up.has_failed:
                self.check_known(*look_up.subjects)
            raise
        self.check_known(*look_up.subjects)

    @contextmanager
    def attempt(self, *subjects: str) -> Iterator[Attempt]:
        """An attempt of some subjects that may fail. Raises TooManyRequests, or TooBusy after WAIT_SECONDS."""
        attempt = Attempt(self)
        try:
            for subject in subjects:
                attempt.take(subject)
            yield attempt
        finally:
            for subject in attempt.subjects:
                self._leave(subject)

    def take(self, subject: str) -> None:
        """Opens an attempt of the subject, after waiting until it may. Raises as ``attempt``."""
        self.check(subject)
        known = self._subjects.setdefault(subject, _Subject())
        known.attempts += 1
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
            with green.Timeout(self._wait_seconds, TooBusy("Trop de demandes à la fois : réessayez dans un instant.")):
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
        """Ends an attempt and wakes the next one. A subject without attempts and failures is not kept."""
        known.attempts -= 1
        known.wake_next()
        if not known.attempts and not known.failed:
            del self._subjects[subject]

    def check_known(self, *subjects: str) -> None:
        """Like ``check``, with the failures that this process has counted."""
        for subject in subjects:
            if (known := self._subjects.get(subject)) is not None:
                known.check(self._time())

    def check(self, *subjects: str) -> None:
        """Raises TooManyRequests if one of the subjects has failed ten times within the last minute.

        Most have not: the blocked subjects are read once for all calls of a quarter of a second, and after each failure
        that this process counts.
        """
        now = self._time()
        if not 0 <= now - self._refreshed_at < REFRESH_SECONDS:
            self._refresh(now)
        if self._blocked is None or not self._blocked.isdisjoint(_hashed(subjects)):
            self._check(now, subjects)

    def _refresh(self, now: float) -> None:
        with self._store.reading() as connection:
            found = blocked_subjects(connection, since=now - WINDOW_SECONDS, allowed=ALLOWED, limit=MAX_SUBJECTS + 1)
        self._blocked = found if len(found) <= MAX_SUBJECTS else None
        self._refreshed_at = now

    def _check(self, now: float, subjects: Sequence[str]) -> None:
        with self._store.reading() as connection:
            failures = failures_of(connection, _hashed(subjects), since=now - WINDOW_SECONDS)
        for instants in failures.values():
            if len(instants) >= ALLOWED:
                raise _too_many(instants[ALLOWED - 1], now)

    def count(self, *subjects: str) -> None:
        """Stores a failure of each subject, and deletes those that are older than the window."""
        now = self._time()
        for subject in subjects:  # before the transaction, for concurrent attempts
            self._subjects.setdefault(subject, _Subject()).failed.append(now)
        if len(self._subjects) > MAX_SUBJECTS:
            self._forget_old(now)
        with self._store.transaction() as tx:
            add_failures(tx.connection, _hashed(subjects), at=now, expired=now - WINDOW_SECONDS)
        self._refreshed_at = now - REFRESH_SECONDS

    def _forget_old(self, now: float) -> None:
        for subject, known in list(self._subjects.items()):
            if not known.attempts and known.failed[-1] <= now - WINDOW_SECONDS:
                del self._subjects[subject]


class Attempt:
    """An open attempt and its subjects."""

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self.subjects: list[str] = []

    def take(self, subject: str) -> None:
        """Adds a subject. Raises as ``Failures.attempt``."""
        self._failures.take(subject)
        self.subjects.append(subject)

    def failed(self) -> None:
        """Counts a failure of each subject."""
        self._failures.count(*self.subjects)


class LookUp(Attempt):
    """An attempt that is not limited in concurrency."""

    has_failed = False

    def take(self, subject: str) -> None:
        self._failures.check(subject)
        self._failures.check_known(subject)
        self.subjects.append(subject)

    def failed(self) -> None:
        """Counts a failure of each subject. Raises TooManyRequests instead if a subject has used up its failures."""
        self._failures.check_known(*self.subjects)
        self.has_failed = True
        super().failed()


def _too_many(first: float, now: float) -> TooManyRequests:
    """``first``: the instant of the oldest failure within the window."""
    seconds = int(first + WINDOW_SECONDS - now) + 1
    return TooManyRequests("Trop d’essais infructueux : patientez une minute.", extra={"retryAfter": max(1, seconds)})


def _hashed(subjects: Sequence[str]) -> list[str]:
    """The table holds no address, e-mail or key."""
    return sorted({hashlib.sha256(subject.encode("utf-8", "replace")).hexdigest() for subject in subjects})
