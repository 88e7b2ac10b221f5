"""A platform with a process per service and an orchestrator, which restarts them; every connection can be cut."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from demo.client import Client
from shared import green
from shared.hosting.platform import service_class, sources_of
from shared.messaging import topology
from shared.messaging.connections import connect
from shared.runtime.settings import SERVICES
from tests.chaos import fast_clock
from tests.chaos.proxy import Address, Proxies
from tests.fork_server import Child, fork_server
from tests.operators import ops
from tests.platform import Platform, namespace_of, remove_topology
from tests.servers import AMQP, DATABASE, own_database
from tests.waiting import wait_until

WATCH_SECONDS = 0.05
CRASH_LOOP_SECONDS = 1.0
"""A process that ends by itself is started again after this, as an orchestrator would; a killed one at once."""
SERVERS = {"rabbitmq": (AMQP, 5672), "postgresql": (DATABASE, 5432)}
HANDLED = "passculture_messages_handled_total"
LEAST_PORT, MOST_PORT = 10_000, 30_000
TICKS = os.sysconf("SC_CLK_TCK")


class Fleet(Platform):
    """A process per service, each behind a proxy of its own to RabbitMQ and to PostgreSQL."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(folder, environment, SERVICES)
        self.port = own_port()
        self.environment["PORT"] = str(self.port)
        self.client = Client(f"http://127.0.0.1:{self.port}", self.token)
        self.proxies = Proxies({f"{name}.{server}": _address(server) for name in SERVICES for server in SERVERS})
        self.kills: Counter[str] = Counter()
        self.deaths: Counter[str] = Counter()
        """Processes that ended without being killed: a crash, or a start while a server was away."""
        self._ended: dict[str, float] = {}
        self._disabled: dict[str, list[str]] = {}
        self._ops_ports = {name: own_port() for name in SERVICES}

    # --- its processes ---------------------------------------------------------------------------------------------

    @property
    def namespace(self) -> str:
        return namespace_of(self.environment["DATABASE_URL"])

    def start_process(self, service: str = "") -> None:
        lines = {
            "DATABASE_URL": self._through("postgresql", service, self.environment["DATABASE_URL"]),
            "AMQP_URI": self._through("rabbitmq", service, AMQP),
        }
        self._processes[service] = self._started(
            service, self._ops_ports[service], self.folder / f"{service}.log", lines
        )

    def _started(self, service: str, ops_port: int, log: Path, lines: Mapping[str, str]) -> Child:
        environment = {**self.environment, "OPS_PORT": str(ops_port), **lines}
        hooks = [f"tests.chaos.disabled_guards:{guard}" for guard in self._disabled.get(service, [])]
        if fast_clock.SETTING in environment:
            hooks.append("tests.chaos.fast_clock:install")
        return fork_server().start(["run", "--service", service], environment, log, hooks)

    @contextmanager
    def beside(self, service: str, **settings: str) -> Iterator[SecondProcess]:
        """A second process of a service. Its connections are not cut, and nothing restarts it.

        ``settings``: those that differ.
        """
        port = own_port()
        another = self._started(service, port, self.folder / f"{service}-beside.log", settings)
        try:
            wait_until(lambda: ops(port, "/health/ready")[0] == 200, self.log)
            yield SecondProcess(another, port)
        finally:
            if another.poll() is None:
                os.kill(another.pid, signal.SIGKILL)
                another.wait()

    def probed(self, service: str, probe: str) -> tuple[int, Any]:
        """The answer to an orchestrator's probe: ``ready`` or ``live``."""
        status, body = ops(self._ops_ports[service], f"/health/{probe}")
        return status, json.loads(body or b"null")

    def handled(self, service: str) -> dict[str, float]:
        """The number of messages of each source that the process has handled, by its own metrics."""
        return handled(self._ops_ports[service])

    @contextmanager
    def orchestrated(self) -> Iterator[None]:
        """Processes that end are restarted."""
        with repeating(self._start_what_ended, WATCH_SECONDS):
            yield

    def kill(self, service: str = "") -> None:
        process = self._processes.pop(service)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

    def kill_and_restart(self, service: str) -> None:
        self.kill(service)
        self.kills[service] += 1
        self.start_process(service)

    @contextmanager
    def killing_at_random(self, chance: random.Random, every: float) -> Iterator[None]:
        """Kills a random process at an interval."""

        with repeating(lambda: self.kill_and_restart(chance.choice(SERVICES)), every):
            yield

    @contextmanager
    def without_guard(self, service: str, guard: str) -> Iterator[None]:
        """Restarts the service's process without a guard of ``disabled_guards``, and afterwards with it."""
        self._disabled[service] = [guard]
        self._again(service)
        try:
            yield
        finally:
            del self._disabled[service]
            self._again(service)

    def _again(self, service: str) -> None:
        if service in self._processes:
            self.kill(service)
        self.start_process(service)

    @contextmanager
    def storing_no_outcomes(self, service: str) -> Iterator[None]:
        """The service's table of outcomes stays as it is: inserts do nothing."""
        with self.database(service).begin() as connection:
            connection.exec_driver_sql("CREATE RULE forgets AS ON INSERT TO outcomes DO INSTEAD NOTHING")
        try:
            yield
        finally:
            with self.database(service).begin() as connection:
                connection.exec_driver_sql("DROP RULE forgets ON outcomes")

    def delete_message_queues(self, service: str) -> None:
        """Deletes the queues in which other services' messages wait for this one."""
        with connect(AMQP) as broker, broker.channel() as channel:
            for source in sources_of(service_class(service)):
                topology.events_queue(self.namespace, service, source)(channel).delete()

    def delete_call_queues(self) -> None:
        """Deletes the queues of calls: they are not durable, so a restarted RabbitMQ has none."""
        with connect(AMQP) as broker, broker.channel() as channel:
            for service, kind in product(SERVICES, ("commands", "queries")):
                topology.calls_queue(self.namespace, service, kind)(channel).delete()

    def ends(self, service: str) -> None:
        """Ends a process so that the orchestrator counts it as a crash, not as a kill."""
        os.kill(self._processes[service].pid, signal.SIGKILL)

    @contextmanager
    def suspended_process(self, service: str) -> Iterator[None]:
        """Stops a process with SIGSTOP for a while; its connections stay open."""
        process = self._processes[service]
        os.kill(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process.pid, signal.SIGCONT)

    def cpu_seconds(self) -> dict[str, float]:
        """User and system time of each process since it began."""
        return {service: cpu_seconds(process.pid) for service, process in self._processes.items()}

    def close(self) -> None:
        self.stop()
        self.proxies.close()

    def _start_what_ended(self) -> None:
        for service, process in list(self._processes.items()):
            if process.poll() is None or self._processes.get(service) is not process:
                continue
            if time.monotonic() - self._ended.get(service, 0.0) > CRASH_LOOP_SECONDS:
                self.deaths[service] += 1
                self._ended[service] = time.monotonic()
                self.start_process(service)

    # --- its lines -------------------------------------------------------------------------------------------------

    def lines(self, server: str, services: Sequence[str] = SERVICES) -> list[str]:
        return [f"{service}.{server}" for service in services]

    @contextmanager
    def cut(self, lines: Sequence[str], how: str) -> Iterator[None]:
        self.proxies.cut(lines, how)
        try:
            yield
        finally:
            self.proxies.restore(lines)

    def _through(self, server: str, service: str, url: str) -> str:
        parts = urlsplit(url)
        credentials, at, _ = parts.netloc.rpartition("@")
        netloc = f"{credentials}{at}127.0.0.1:{self.proxies.ports[f'{service}.{server}']}"
        return parts._replace(netloc=netloc).geturl()


@dataclass(frozen=True)
class SecondProcess:
    """A second process of a service."""

    process: Child
    ops_port: int

    def handled(self) -> dict[str, float]:
        return handled(self.ops_port)


def own_port() -> int:
    """A free port below those that the system gives to outgoing connections: nobody takes it while its listener
    restarts.
    """
    while True:
        with socket.socket() as trial, suppress(OSError):
            port = random.randrange(LEAST_PORT, MOST_PORT)
            trial.bind(("127.0.0.1", port))
            return port


def handled(ops_port: int) -> dict[str, float]:
    _, body = ops(ops_port, "/metrics")
    samples = [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]
    return {sample.labels["source"]: sample.value for sample in samples if sample.name == HANDLED}


def _address(server: str) -> Address:
    url, default = SERVERS[server]
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or default


def cpu_seconds(pid: int) -> float:
    """0 for a process that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def repeating(act: Callable[[], None], pause: float) -> Iterator[None]:
    """Repeats an action in the background until the block ends. Raises what a repetition raised."""
    ends: list[bool] = []

    def rounds() -> None:
        green.sleep(pause)
        while not ends:
            act()
            green.sleep(pause)

    beside = green.spawn(rounds)
    try:
        yield
    finally:
        ends.append(True)
        beside.wait()


def seconds_until(condition: Callable[[], object], otherwise: Callable[[], object] = str) -> float:
    """Waits as ``wait_until`` does; returns the seconds."""
    begun = time.monotonic()
    wait_until(condition, otherwise)
    return time.monotonic() - begun


@contextmanager
def fleet(folder: Path, **settings: str) -> Iterator[Fleet]:
    """A started platform with an orchestrator, on its own database and namespace."""
    with own_database() as url:
        few = {"POOL_SIZE": "4"}  # PostgreSQL has 100 by default, also for the system tests that run meanwhile
        own = {"DATABASE_URL": url, "AMQP_URI": AMQP, "LOG_LEVEL": "warning"}
        platform = Fleet(folder, {**few, **own, **settings})
        try:
            platform.start()
            with platform.orchestrated():
                yield platform
        finally:
            platform.close()
            remove_topology(namespace_of(url))
