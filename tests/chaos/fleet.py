"""A platform of many processes under an orchestrator: what dies is started again, and every line can be cut."""

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
from tests.chaos import hurry
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
        self._without: dict[str, list[str]] = {}
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
        hooks = [f"tests.chaos.sabotage:{guard}" for guard in self._without.get(service, [])]
        if hurry.SETTING in environment:
            hooks.append("tests.chaos.hurry:hurry")
        return fork_server().start(["run", "--service", service], environment, log, hooks)

    @contextmanager
    def beside(self, service: str, **settings: str) -> Iterator[Beside]:
        """Another process of a service beside the one of the fleet, on lines that nobody cuts; nobody starts it again.

        ``settings``: in what it differs.
        """
        port = own_port()
        another = self._started(service, port, self.folder / f"{service}-beside.log", settings)
        try:
            wait_until(lambda: ops(port, "/health/ready")[0] == 200, self.log)
            yield Beside(another, port)
        finally:
            if another.poll() is None:
                os.kill(another.pid, signal.SIGKILL)
                another.wait()

    def probed(self, service: str, probe: str) -> tuple[int, Any]:
        """What a process answers its orchestrator's probe: ``ready`` or ``live``."""
        status, body = ops(self._ops_ports[service], f"/health/{probe}")
        return status, json.loads(body or b"null")

    def handled(self, service: str) -> dict[str, float]:
        """How many messages of each source its process says that it has handled."""
        return handled(self._ops_ports[service])

    @contextmanager
    def orchestrated(self) -> Iterator[None]:
        """What ends is started again."""
        with again_and_again(self._start_what_ended, WATCH_SECONDS):
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
    def hunted(self, chance: random.Random, every: float) -> Iterator[None]:
        """A random process is killed every so many seconds."""

        with again_and_again(lambda: self.kill_and_restart(chance.choice(SERVICES)), every):
            yield

    @contextmanager
    def sabotaged(self, service: str, guard: str) -> Iterator[None]:
        """A process of the service runs without a guard of ``sabotage``, and one that has it afterwards."""
        self._without[service] = [guard]
        self._again(service)
        try:
            yield
        finally:
            del self._without[service]
            self._again(service)

    def _again(self, service: str) -> None:
        if service in self._processes:
            self.kill(service)
        self.start_process(service)

    @contextmanager
    def forgetting(self, service: str) -> Iterator[None]:
        """A service's table of outcomes keeps nothing."""
        with self.database(service).begin() as connection:
            connection.exec_driver_sql("CREATE RULE forgets AS ON INSERT TO outcomes DO INSTEAD NOTHING")
        try:
            yield
        finally:
            with self.database(service).begin() as connection:
                connection.exec_driver_sql("DROP RULE forgets ON outcomes")

    def lose_queues(self, service: str) -> None:
        """Those in which the messages of others wait for a service."""
        with connect(AMQP) as broker, broker.channel() as channel:
            for source in sources_of(service_class(service)):
                topology.events_queue(self.namespace, service, source)(channel).delete()

    def forget_calls(self) -> None:
        """The queues in which calls wait: a RabbitMQ that starts again has none of what is not durable."""
        with connect(AMQP) as broker, broker.channel() as channel:
            for service, kind in product(SERVICES, ("commands", "queries")):
                topology.calls_queue(self.namespace, service, kind)(channel).delete()

    def ends(self, service: str) -> None:
        """A process ends that nobody killed, as far as the orchestrator knows."""
        os.kill(self._processes[service].pid, signal.SIGKILL)

    @contextmanager
    def frozen(self, service: str) -> Iterator[None]:
        """A process that does nothing for a while, and keeps its connections."""
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
class Beside:
    """A second process of a service."""

    process: Child
    ops_port: int

    def handled(self) -> dict[str, float]:
        return handled(self.ops_port)


def own_port() -> int:
    """One that is free, and that no connection takes while who listens there is killed and started again: those get
    higher ones."""
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
def again_and_again(act: Callable[[], None], pause: float) -> Iterator[None]:
    """Beside what is done meanwhile; ends between two rounds, and raises what a round raised."""
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


def waited_for(condition: Callable[[], object], otherwise: Callable[[], object] = str) -> float:
    """Waits as ``until`` does; gives how many seconds."""
    begun = time.monotonic()
    wait_until(condition, otherwise)
    return time.monotonic() - begun


@contextmanager
def fleet(folder: Path, **settings: str) -> Iterator[Fleet]:
    """Started, under its orchestrator, on a database and a namespace of its own."""
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
