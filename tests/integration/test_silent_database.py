"""PostgreSQL says nothing any more, as when a network swallows everything: who waits is told, and goes on later."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from eventlet.support.psycopg2_patcher import eventlet_wait_callback
from psycopg2.extensions import set_wait_callback

from shared import green
from shared.eventstore import Publication, Store, StoreUnavailable, engines, store, waiting
from shared.eventstore.engines import make_engine
from shared.eventstore.errors import translated
from shared.eventstore.waiting import TimedConnection
from shared.kernel.time import RealClock
from tests.chaos.proxy import Proxies
from tests.descriptors import no_file_left_open
from tests.servers import DATABASE

pytestmark = pytest.mark.slow

SLOW = sa.text("SELECT pg_sleep(0.6)")
GIVEN_UP_SECONDS = engines.ANSWER_SECONDS / 2
"""Sooner than by any limit but the one that a test sets, on a machine that is busy too."""


class Line:
    """An engine, and what lies between it and the server."""

    def __init__(self) -> None:
        url = sa.make_url(DATABASE)
        self._proxies = Proxies({"postgresql": (url.host or "127.0.0.1", url.port or 5432)})
        self.engine = make_engine(url.set(port=self._proxies.ports["postgresql"]).render_as_string(hide_password=False))

    def silence(self) -> None:
        self._proxies.cut(["postgresql"], "silence")

    def restore(self) -> None:
        self._proxies.restore(["postgresql"])

    def close(self) -> None:
        self.restore()
        self.engine.dispose()
        self._proxies.close()


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.close()


@pytest.fixture
def one_store() -> Iterator[Store]:
    one = Store(make_engine(DATABASE), clock=RealClock(), aggregates=[], publication=Publication("toy"))
    yield one
    one.engine.dispose()


def one(engine: sa.Engine) -> int:
    with translated(), engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT 1")).scalar_one())


def told_after(engine: sa.Engine) -> float:
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable):
        one(engine)
    return time.monotonic() - begun


def test_a_statement_is_given_up_and_the_next_one_has_a_new_connection(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "ANSWER_SECONDS", 0.5)
    assert one(line.engine) == 1
    line.silence()
    assert 0.5 <= told_after(line.engine) < GIVEN_UP_SECONDS
    line.restore()
    assert one(line.engine) == 1


def test_a_connection_is_given_up(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TimedConnection, "seconds", 0.5)
    line.silence()
    assert 0.5 <= told_after(line.engine) < GIVEN_UP_SECONDS
    line.restore()
    assert one(line.engine) == 1


def test_one_that_rested_is_tried_for_no_longer_than_a_new_one(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "TRUSTED_SECONDS", 0.0)
    monkeypatch.setattr(engines, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(TimedConnection, "seconds", 0.3)
    assert one(line.engine) == 1
    line.silence()
    assert 0.6 <= told_after(line.engine) < GIVEN_UP_SECONDS


def test_the_others_go_on_meanwhile(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "ANSWER_SECONDS", 0.5)
    assert one(line.engine) == 1
    line.silence()
    waits = green.spawn(told_after, line.engine)
    steps = 0
    while not waits.dead:
        green.sleep(0.01)
        steps += 1
    assert steps > 2, "whoever is held up takes one step before and one after"
    waits.wait()


def test_with_the_library_s_own_waiting_nobody_is_told(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a statement outlives its limit when nobody looks at the time."""
    monkeypatch.setattr(engines, "ANSWER_SECONDS", 0.3)
    assert one(line.engine) == 1
    line.silence()
    set_wait_callback(eventlet_wait_callback)
    try:
        waits = green.spawn(told_after, line.engine)
        green.sleep(0.9)
        assert not waits.dead
    finally:
        waiting.install_wait_callback()
    line.restore()
    waits.wait()


def test_who_reads_waits_less_than_who_writes(one_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "READ_SECONDS", 0.3)
    with pytest.raises(StoreUnavailable), one_store.reading() as connection:
        connection.execute(sa.text("SELECT pg_sleep(5)"))
    with one_store.reading() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    with one_store.transaction() as tx:  # on the same connection
        tx.connection.execute(SLOW)
    with one_store.snapshot() as connection:
        connection.execute(SLOW)


def test_a_port_that_takes_connections_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TimedConnection, "seconds", 0.3)
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        place.listen()
        engine = make_engine(f"postgresql+psycopg2://postgres@127.0.0.1:{place.getsockname()[1]}/postgres")
        with no_file_left_open():
            assert 0.3 <= told_after(engine) < GIVEN_UP_SECONDS


def test_a_statement_that_is_given_up_leaves_nothing_open(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "ANSWER_SECONDS", 0.3)
    with no_file_left_open():
        assert one(line.engine) == 1
        line.silence()
        told_after(line.engine)
