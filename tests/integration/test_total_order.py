"""The total order of a log: after a position has become visible, no smaller one does."""

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
    """The positions in the order in which they become visible to a reader that polls the whole log."""
    visible: list[int] = []
    known: set[int] = set()
    for _ in attempts(lambda: "the writers do not end", pause=0.005):
        ended = all(writer.poll() is not None for writer in writers)
        with store.reading() as connection:
            rows = connection.execute(sa.select(stored_events.c.id).order_by(stored_events.c.id)).scalars().all()
        new = [row for row in rows if row not in known]
        visible.extend(new)
        known.update(new)
        if ended:
            assert [writer.returncode for writer in writers] == [0] * PROCESSES
            break
    return visible


def test_positions_become_visible_in_order(make_toy_store: MakeStore) -> None:
    store = make_toy_store("toy")
    visible = tail(store, run_writers(store))
    events = PROCESSES * GREENLETS * (EVENTS_EACH + 1)  # each jar is opened once
    assert len(visible) == events
    assert visible == sorted(visible)


def test_control_without_the_lock_positions_become_visible_out_of_order(make_toy_store: MakeStore) -> None:
    """The same writers and reader, without the lock on the log."""
    store = make_toy_store("toy")
    visible = tail(store, run_writers(store, "--unlocked"))
    assert visible != sorted(visible)


def test_reader_after_the_last_position_misses_nothing(make_toy_store: MakeStore) -> None:
    """The relay and the consumers read only events after the last position that they have seen."""
    store = make_toy_store("toy")
    writers = run_writers(store)
    seen: list[int] = []
    previous: list[int] = []
    for _ in attempts(lambda: "the writers do not end", pause=0.002):
        ended = all(writer.poll() is not None for writer in writers)
        page = store.messages(seen[-1] if seen else 0, 50)
        seen.extend(message.position for message in page)
        previous.extend(message.previous for message in page)
        if ended and not page:
            break
    with store.reading() as connection:
        published = sa.select(stored_events.c.id).where(stored_events.c.published).order_by(stored_events.c.id)
        assert seen == list(connection.execute(published).scalars())
    assert previous == [0, *seen[:-1]]
    assert len(seen) == PROCESSES * GREENLETS * EVENTS_EACH
