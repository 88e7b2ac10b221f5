"""Two replicas of each service: one is active, the other is the standby."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.integration.conftest import MakeStore
from tests.integration.replica import IDLE_CHECK_SECONDS
from tests.platform import ROOT
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

TRAFFIC_SECONDS = 20 * IDLE_CHECK_SECONDS
"""Long enough for several polls of the standby."""


class Rig:
    def __init__(self, make: MakeStore, namespace: str, folder: Path) -> None:
        self.source, self.sink = make("source"), make("sink")
        with self.sink.transaction() as tx:
            tx.connection.exec_driver_sql("CREATE TABLE handled (id serial, position bigint, process bigint)")
        self._namespace, self._folder = namespace, folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """``name``: ``source-1``, ``sink-2``, ``clashing-sink-2``."""
        service = name.rpartition("-")[0]
        url = self.source.engine.url.render_as_string(hide_password=False)
        with (self._folder / f"{name}.log").open("wb") as output:
            self.processes[name] = subprocess.Popen(
                [
                    *(sys.executable, "-W", "ignore", "-m", "tests.integration.replica"),
                    *(service, url, self._namespace, str(self._folder)),
                ],
                cwd=ROOT,
                stdout=output,
                stderr=output,
            )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def handled(self) -> list[tuple[int, int]]:
        """(position, process) in the order of handling."""
        with self.sink.reading() as connection:
            return [
                tuple(row) for row in connection.execute(sa.text("SELECT position, process FROM handled ORDER BY id"))
            ]

    def published(self) -> list[int]:
        return [message.position for message in self.source.messages(0, 1_000_000)]

    def name_of(self, process: int) -> str:
        return next(name for name, running in self.processes.items() if running.pid == process)

    def warnings(self) -> list[dict[str, Any]]:
        """The warnings and errors in the logs of all processes."""
        lines = [line for log in self._folder.glob("*.log") for line in log.read_text().splitlines()]
        return [line for line in map(json.loads, lines) if line["level"] not in ("info", "debug")]

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)


@pytest.fixture
def rig(make_toy_store: MakeStore, namespace: str, tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(make_toy_store, namespace, tmp_path)
    yield rig
    rig.stop()


def start_replicas(rig: Rig, sink: str = "sink") -> None:
    """Starts two sources, then two sinks that consume their messages."""
    for number in (1, 2):
        rig.start(f"source-{number}")
    wait_until(rig.published)
    for number in (1, 2):
        rig.start(f"{sink}-{number}")
    wait_until(rig.handled)


def assert_handled_once_and_in_order(rig: Rig) -> None:
    published = rig.published()
    wait_until(lambda: len(rig.handled()) >= len(published))
    assert [position for position, _ in rig.handled()][: len(published)] == published


def test_only_the_active_replica_handles_messages(rig: Rig) -> None:
    start_replicas(rig)
    time.sleep(TRAFFIC_SECONDS)
    before = len(rig.handled())
    time.sleep(TRAFFIC_SECONDS)
    assert len({process for _, process in rig.handled()[before:]}) == 1
    assert_handled_once_and_in_order(rig)
    assert rig.warnings() == []


def test_standby_takes_over_when_the_active_consumer_dies(rig: Rig) -> None:
    start_replicas(rig)
    for _ in range(2):
        time.sleep(1.0)
        active = rig.name_of(rig.handled()[-1][1])
        rig.kill(active)
        standby = next(process.pid for name, process in rig.processes.items() if name.startswith("sink"))
        wait_until(lambda standby=standby: rig.handled()[-1][1] == standby)
        assert_handled_once_and_in_order(rig)
        rig.start(active)
    assert rig.warnings() == []


def test_conflict_does_not_activate_the_standby(rig: Rig) -> None:
    """The active consumer retries the message itself; requeueing would hand the queue over each time."""
    start_replicas(rig, "clashing-sink")
    time.sleep(TRAFFIC_SECONDS)
    assert_handled_once_and_in_order(rig)
    assert {line["error"] for line in rig.warnings()} == {"a concurrent write"}
    last = [process for _, process in rig.handled()][-100:]
    assert len(set(last)) == 1
