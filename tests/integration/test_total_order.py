"""The total order of a log: whoever has read a position never later meets a smaller one."""

from __future__ import annotations

import subprocess
import sys

import sqlalchemy as sa

from shared.eventstore import Store
from shared.eventstore.tables import stored_events
from tests.integration.conftest import MakeStore
from tests.integration.writer import EVENTS_EACH, GREENLETS
from tests.platform import ROOT
from tests.waiting import attempts

PROCESSES = 2


def run_writers(store: Store, *options: str) -> list[subprocess.Popen[bytes]]:
    url = store.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.integration.writer", url]
    return [
        subprocess.Popen([*command, str(1 + number * GREENLETS), *options], cwd=ROOT) for number in range(PROCESSES)
    ]


def tail(store: Store, writers: list[subprocess.Popen[bytes]]) -> list[int]:
    """Positions in the order in which a reader met them, looking again and again at the whole log."""
    met: list[int] = []
    known: set[int] = set()
    for _ in attempts(lambda: "the writers never ended", pause=0.005):
        over = all(writer.poll() is not None for writer in writers)
        with store.reading() as connection:
            rows = connection.execute(sa.select(stored_events.c.id).order_by(stored_events.c.id)).scalars().all()
        fresh = [row for row in rows if row not in known]
        met.extend(fresh)
        known.update(fresh)
        if over:
            assert [writer.returncode for writer in writers] == [0] * PROCESSES
            break
    return met


def test_a_tailing_reader_never_meets_a_smaller_position(make_toy_store: MakeStore) -> None:
    store = make_toy_store("toy")
    met = tail(store, run_writers(store))
    events = PROCESSES * GREENLETS * (EVENTS_EACH + 1)  # each jar is opened once
    assert len(met) == events
    assert met == sorted(met)


def test_without_the_lock_it_does(make_toy_store: MakeStore) -> None:
    """The control: the same writers and the same reader, the lock left out."""
    store = make_toy_store("toy")
    met = tail(store, run_writers(store, "--unlocked"))
    assert met != sorted(met)


def test_a_reader_that_follows_positions_misses_nothing(make_toy_store: MakeStore) -> None:
    """As the relay and the consumers do it: only what lies after the last position seen."""
    store = make_toy_store("toy")
    writers = run_writers(store)
    seen: list[int] = []
    previous: list[int] = []
    for _ in attempts(lambda: "the writers never ended", pause=0.002):
        over = all(writer.poll() is not None for writer in writers)
        page = store.messages(seen[-1] if seen else 0, 50)
        seen.extend(message.position for message in page)
        previous.extend(message.previous for message in page)
        if over and not page:
            break
    with store.reading() as connection:
        published = sa.select(stored_events.c.id).where(stored_events.c.published).order_by(stored_events.c.id)
        assert seen == list(connection.execute(published).scalars())
    assert previous == [0, *seen[:-1]]
    assert len(seen) == PROCESSES * GREENLETS * EVENTS_EACH
