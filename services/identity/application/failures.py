"""Limits guessing: ten failures a minute per subject, by the machine's clock, for all replicas (decision 32)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from services.identity.application.unit_of_work import Ports, UnitOfWork
from services.identity.refusals import too_many
from services.identity.storage import failures
from shared.kernel.errors import Gone, Invalid, TooManyRequests, Unauthorized

MAX_FAILURES, PERIOD = 10, timedelta(minutes=1)
_FAILURES = (Unauthorized, Invalid, Gone)
"""How a wrong password, code or token is refused."""


@contextmanager
def limited(ports: Ports, kind: str, *subjects: str, guessed: str = "") -> Iterator[None]:
    """Raises TooManyRequests for a subject with too many failures; counts a failure that is raised inside.

    ``guessed``: the subject whose secret the attempt is about. Its attempts are counted when they begin and uncounted
    when they do not fail, so that concurrent attempts give no more guesses than consecutive ones. Empty subjects are
    ignored.
    """
    names = [_subject(kind, subject) for subject in subjects if subject]
    _check(ports, names)
    if guessed:
        count(ports, kind, guessed)
    try:
        yield
    except _FAILURES:
        if names:
            now = ports.machine.now()
            ports.run(lambda work: failures.count(work.connection, names, now, PERIOD))
        raise
    except BaseException:
        _uncount(ports, kind, guessed)
        raise
    _uncount(ports, kind, guessed)


def count(ports: Ports, kind: str, subject: str) -> None:
    """Counts an attempt, whatever its result. Raises TooManyRequests beyond MAX_FAILURES, which is not counted."""
    now = ports.machine.now()

    def add_one(work: UnitOfWork) -> None:
        (row,) = failures.count(work.connection, [_subject(kind, subject)], now, PERIOD)
        if row.failed > MAX_FAILURES:  # rolled back: more attempts must not prolong the wait
            raise _too_many(row.since + PERIOD - now)

    ports.run(add_one)


def _check(ports: Ports, names: list[str]) -> None:
    if not names:
        return
    now = ports.machine.now()
    with ports.store.reading() as connection:
        rows = failures.counts(connection, names, now - PERIOD)
    waits = [row.since + PERIOD - now for row in rows if row.failed >= MAX_FAILURES]
    if waits:
        raise _too_many(max(waits))


def _uncount(ports: Ports, kind: str, subject: str) -> None:
    if subject:
        ports.run(lambda work: failures.uncount(work.connection, _subject(kind, subject)))


def _too_many(wait: timedelta) -> TooManyRequests:
    return too_many("Trop d’essais", wait)


def _subject(kind: str, subject: str) -> str:
    """A digest: the table holds no e-mail or network address."""
    return f"{kind}/{hashlib.sha256(subject.casefold().encode()).hexdigest()[:32]}"
