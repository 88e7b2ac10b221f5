"""A platform of a test's own, started as its users start it, spoken to over HTTP alone.

``embedded``: one process on SQLite. ``distributed``: a process per service on a database and a namespace of its own,
both gone afterwards. Its clock is simulated and moves when it is told to; what its processes say is kept.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPMessage
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from demo.client import Client, Letterbox
from shared.eventstore.engines import make_engine
from shared.hosting.platform import service_class, sources_of
from shared.kernel.time import instant_text, parse_instant
from shared.messaging import topology
from shared.messaging.connections import connect
from shared.runtime.settings import SERVICES, SETTINGS
from shared.runtime.tokens import COMMAND_LINE, access_token
from tests.servers import AMQP, own_database
from tests.starter import Child, starter
from tests.waiting import PATIENCE_SECONDS, until

PASSCULTURE = str(Path(sys.executable).parent / "passculture")
ROOT = Path(__file__).parents[1]
START = "2021-11-02T09:00:00Z"
LOG_LINES = 60
POOL_SIZE = "3"
"""Connections of a service: PostgreSQL takes 100, and two processes of tests may run two platforms each."""
PORTS = range(20_000, 30_000)


class NotReady(Exception):
    """The platform did not start; what it said stands in the message."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as it came, a refusal too."""

    method: str
    path: str
    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The problem document's code; empty when it is none."""
        if self.headers.get_content_type() != "application/problem+json":
            return ""
        return str(self.json["code"])

    @property
    def outcome(self) -> tuple[int, str]:
        return self.status, self.code

    def __str__(self) -> str:
        return f"{self.method} {self.path} → {self.status} {self.body[:600].decode(errors='replace')}"


class Platform:
    """``environment`` is what it is started with beside this machine's own; ``services`` is empty for one process.

    Its processes and commands are forked from one that has imported everything (``tests.starter``), unless it is to be
    ``executed`` as its users do it.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], services: tuple[str, ...] = (), *, executed: bool = False
    ) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.port = free_port()
        self.services = services
        self.environment = settings_only(
            {"PORT": str(self.port), "STATE_DIR": str(self.state), "CLOCK": START, "DEMO": "0", **environment}
        )
        self.client = Client(f"http://127.0.0.1:{self.port}", self.token)
        self.letterbox = Letterbox(self.state / "mail", self.state / "sms", PATIENCE_SECONDS)
        self.numbers = itertools.count(1)
        """Of the people and structures that tests make up."""
        self._executed = executed
        self._processes: dict[str, subprocess.Popen[bytes] | Child] = {}

    @property
    def is_distributed(self) -> bool:
        return bool(self.services)

    # --- its processes ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Raises NotReady."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.is_distributed:
            migrated = self.command("migrate")
            if migrated.returncode:
                raise NotReady(f"migrate: {migrated.stderr}")
        for service in self.services or ("",):
            self.start_process(service)
        self.wait_until_ready()

    def start_process(self, service: str = "") -> None:
        name = service or "platform"
        arguments = ["run", *(["--service", service] if service else [])]
        log = self.folder / f"{name}.log"
        start = execute if self._executed else starter().start
        self._processes[name] = start(arguments, self.environment, log)

    def wait_until_ready(self) -> None:
        """Raises NotReady when a process ends."""
        until(lambda: self._has_ended() or self._is_ready(), self.log)
        if self._has_ended():
            raise NotReady(self.log())

    def _has_ended(self) -> bool:
        return any(process.poll() is not None for process in self._processes.values())

    def _is_ready(self) -> bool:
        try:
            return self.call("GET", "/health/ready").status == 200
        except OSError:
            return False

    def kill(self, service: str = "") -> None:
        """Ends a process as a power cut would."""
        process = self._processes.pop(service or "platform")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def pid(self, service: str = "") -> int:
        return self._processes[service or "platform"].pid

    def stop(self) -> list[int]:
        """Asks every process to stop, insists where one does not; gives their exit codes."""
        processes, self._processes = list(self._processes.values()), {}
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
        return [_waited_for(process) for process in processes]

    def log(self) -> str:
        """The last lines of each process."""
        parts = []
        for path in sorted(self.folder.glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()[-LOG_LINES:]
            parts.append("\n".join([f"--- {path.name}", *lines]))
        return "\n".join(parts)

    def command(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """``passculture …`` with this platform's settings."""
        run = execute_and_wait if self._executed else starter().run
        return run(arguments, self.environment, given)

    # --- over HTTP -------------------------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        source: str = "127.0.0.1",
    ) -> Answer:
        """One request, whatever its answer. ``body`` is JSON, or bytes as they are; ``source`` is where it comes from,
        so that limits per address of one test are not another's."""
        sent = dict(headers or {})
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        if key is not None:
            sent["Idempotency-Key"] = key
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS, source_address=(source, 0))
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            return Answer(method, path, response.status, response.headers, response.read())
        except HTTPException as error:
            raise OSError(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()

    def post(self, path: str, body: Any = None, token: str | None = None, *, key: str | None = None) -> Answer:
        """With a fresh key unless one is given."""
        return self.call("POST", path, {} if body is None else body, token, key=key or str(uuid.uuid4()))

    def get(self, path: str, token: str | None = None) -> Any:
        """What a read that succeeds answers, from JSON."""
        return self.client.get(path, token)

    def token(self, role: str) -> str:
        """An access token for ``staff``, ``finance`` or ``operator``, as the command line would sign it."""
        key = (self.state / "signing.key").read_bytes()
        return access_token(COMMAND_LINE, frozenset({role}), key)

    # --- its time --------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """What the simulated clock shows."""
        return parse_instant(self.get("/v1/settings")["now"])

    def clock_to(self, instant: datetime | str) -> datetime:
        """Moves the clock; what falls due on the way has happened when this returns."""
        to = instant if isinstance(instant, str) else instant_text(instant)
        moved = self.call("POST", "/v1/ops/clock", {"to": to}, self.token("operator"))
        assert moved.status == 200, moved
        return parse_instant(moved.json["now"])

    def advance(self, time_span: timedelta) -> datetime:
        return self.clock_to(self.now() + time_span)

    def wait_idle(self) -> dict[str, Any]:
        """Waits until every message has been handled; gives every service's positions."""
        answer = self.call("POST", "/v1/ops/settle", {}, self.token("operator"))
        assert answer.status == 200, answer
        return answer.json

    def catch_up(self) -> None:
        """Waits until every service has handled all that the others have published. Mails may still be under way.

        Raises AssertionError when it takes too long.
        """
        until(lambda: not self._behind(), self._behind)

    def _behind(self) -> list[str]:
        followed = {service: self._rows(service, "SELECT source, position FROM tracking") for service in SERVICES}
        head = "SELECT coalesce(max(id), 0) FROM stored_events WHERE published"
        heads = {service: self._rows(service, head)[0][0] for service in SERVICES}
        return [
            f"{service} has followed {source} to {position} of {heads[source]}"
            for service, rows in followed.items()
            for source, position in rows
            if position < heads[source]
        ]

    def _rows(self, service: str, query: str) -> list[Any]:
        with self.database(service).connect() as connection:
            return list(connection.execute(sa.text(query)))

    # --- under it --------------------------------------------------------------------------------------------------

    def database(self, service: str) -> sa.Engine:
        """A connection to a service's own tables, as its database's owner: to look, or to spoil on purpose."""
        if not self.is_distributed:
            return sa.create_engine(f"sqlite:///{self.state / service}.sqlite", poolclass=sa.pool.NullPool)
        options = {"options": f"-c search_path={service} -c timezone=UTC"}
        return sa.create_engine(self.environment["DATABASE_URL"], connect_args=options, poolclass=sa.pool.NullPool)

    def engine(self, service: str) -> sa.Engine:
        """As the service itself connects to its database, but as its owner."""
        if not self.is_distributed:
            return make_engine(f"sqlite:///{self.state / service}.sqlite")
        return make_engine(self.environment["DATABASE_URL"], schema=service)

    def logs(self) -> dict[str, int]:
        """How many events each service has stored."""
        counts = {}
        for service in SERVICES:
            with self.database(service).connect() as connection:
                counts[service] = connection.execute(sa.text("SELECT count(*) FROM stored_events")).scalar_one()
        return counts


def execute(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """``passculture …`` in a session of its own."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [PASSCULTURE, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def execute_and_wait(
    arguments: Sequence[str], environment: Mapping[str, str], given: str = ""
) -> subprocess.CompletedProcess[str]:
    """``passculture …`` to its end; ``given`` is what it reads."""
    return subprocess.run(
        [PASSCULTURE, *arguments],
        cwd=ROOT,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def settings_only(given: Mapping[str, str]) -> dict[str, str]:
    """This machine's environment without any setting of the platform, and the given ones."""
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return {**inherited, **given}


def free_port() -> int:
    """One that nothing listens on, and that the system gives to no outgoing connection until somebody does."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as trial, suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
    raise NotReady("every port is taken")


def _waited_for(process: subprocess.Popen[bytes] | Child) -> int:
    try:
        return process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


@contextmanager
def embedded(folder: Path, *, executed: bool = False, **settings: str) -> Iterator[Platform]:
    """All six services in one process, on SQLite files and the bus within the process."""
    platform = Platform(folder, settings, executed=executed)
    try:
        platform.start()
        yield platform
    finally:
        platform.stop()


@contextmanager
def distributed(folder: Path, *, executed: bool = False, **settings: str) -> Iterator[Platform]:
    """A process per service, on PostgreSQL and RabbitMQ."""
    with own_database() as url, distributed_on(url, folder, executed=executed, **settings) as platform:
        yield platform


@contextmanager
def distributed_on(url: str, folder: Path, *, executed: bool = False, **settings: str) -> Iterator[Platform]:
    """A process per service, on a database that may have been filled before."""
    environment = {"DATABASE_URL": url, "AMQP_URI": AMQP, "POOL_SIZE": POOL_SIZE, **settings}
    platform = Platform(folder, environment, SERVICES, executed=executed)
    try:
        platform.start()
        yield platform
    finally:
        platform.stop()
        remove_topology(namespace_of(url))


def namespace_of(database_url: str) -> str:
    """The prefix that a platform takes when it is given none."""
    return sa.make_url(database_url).database or ""


def remove_topology(namespace: str) -> None:
    """Every exchange and queue of a platform that ran with all its services."""
    sources = {name: sources_of(service_class(name)) for name in SERVICES}
    connection = connect(AMQP)
    try:
        topology.delete(connection, namespace, sources)
    finally:
        connection.release()


MODES = {"embedded": embedded, "distributed": distributed}

__all__ = ["MODES", "START", "Answer", "NotReady", "Platform", "distributed", "distributed_on", "embedded"]
