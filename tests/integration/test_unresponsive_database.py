"""An unresponsive PostgreSQL, as in a network partition: statements time out and later ones succeed."""

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
MAX_WAIT_SECONDS = engines.ANSWER_SECONDS / 2
"""Shorter than any time-out that a test does not set, even on a busy machine."""


class ProxiedEngine:
    """An engine that is connected to the server through a proxy."""

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
def proxied() -> Iterator[ProxiedEngine]:
    proxied = ProxiedEngine()
    yield proxied
    proxied.close()


@pytest.fixture
def store_under_test() -> Iterator[Store]:
    made = Store(make_engine(DATABASE), clock=RealClock(), aggregates=[], publication=Publication("toy"))
    yield made
    made.engine.dispose()


def select_one(engine: sa.Engine) -> int:
    with translated(), engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT 1")).scalar_one())


def seconds_to_failure(engine: sa.Engine) -> float:
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable):
        select_one(engine)
    return time.monotonic() - begun


def test_statement_times_out_and_the_next_one_gets_a_new_connection(
    proxied: ProxiedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "ANSWER_SECONDS", 0.5)
    assert select_one(proxied.engine) == 1
    proxied.silence()
    assert 0.5 <= seconds_to_failure(proxied.engine) < MAX_WAIT_SECONDS
    proxied.restore()
    assert select_one(proxied.engine) == 1


def test_connection_attempt_times_out(proxied: ProxiedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TimedConnection, "seconds", 0.5)
    proxied.silence()
    assert 0.5 <= seconds_to_failure(proxied.engine) < MAX_WAIT_SECONDS
    proxied.restore()
    assert select_one(proxied.engine) == 1


def test_idle_connection_is_checked_for_no_longer_than_a_new_one(
    proxied: ProxiedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "TRUSTED_SECONDS", 0.0)
    monkeypatch.setattr(engines, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(TimedConnection, "seconds", 0.3)
    assert select_one(proxied.engine) == 1
    proxied.silence()
    assert 0.6 <= seconds_to_failure(proxied.engine) < MAX_WAIT_SECONDS


def test_waiting_for_the_database_does_not_block_other_greenlets(
    proxied: ProxiedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "ANSWER_SECONDS", 0.5)
    assert select_one(proxied.engine) == 1
    proxied.silence()
    waits = green.spawn(seconds_to_failure, proxied.engine)
    steps = 0
    while not waits.dead:
        green.sleep(0.01)
        steps += 1
    assert steps > 2, "one step before and one after the wait mean that the other greenlets were blocked"
    waits.wait()


def test_control_without_our_wait_callback_statements_do_not_time_out(
    proxied: ProxiedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """eventlet's own callback has no time-out."""
    monkeypatch.setattr(engines, "ANSWER_SECONDS", 0.3)
    assert select_one(proxied.engine) == 1
    proxied.silence()
    set_wait_callback(eventlet_wait_callback)
    try:
        waits = green.spawn(seconds_to_failure, proxied.engine)
        green.sleep(0.9)
        assert not waits.dead
    finally:
        waiting.install_wait_callback()
    proxied.restore()
    waits.wait()


def test_reads_have_a_shorter_timeout_than_writes(store_under_test: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "READ_SECONDS", 0.3)
    with pytest.raises(StoreUnavailable), store_under_test.reading() as connection:
        connection.execute(sa.text("SELECT pg_sleep(5)"))
    with store_under_test.reading() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    with store_under_test.transaction() as tx:  # on the same connection
        tx.connection.execute(SLOW)
    with store_under_test.snapshot() as connection:
        connection.execute(SLOW)


def test_connection_to_a_silent_port_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TimedConnection, "seconds", 0.3)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        engine = make_engine(f"postgresql+psycopg2://postgres@127.0.0.1:{listener.getsockname()[1]}/postgres")
        with no_file_left_open():
            assert 0.3 <= seconds_to_failure(engine) < MAX_WAIT_SECONDS


def test_timed_out_statement_leaks_no_descriptor(proxied: ProxiedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "ANSWER_SECONDS", 0.3)
    with no_file_left_open():
        assert select_one(proxied.engine) == 1
        proxied.silence()
        seconds_to_failure(proxied.engine)
