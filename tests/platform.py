"""Starts a platform for tests and calls it over HTTP.

``embedded``: one process on SQLite. ``distributed``: a process per service, with its own database and RabbitMQ
namespace, both removed afterwards. The clock is simulated and moves only on request; the processes log to files.
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

from demo.client import Client, Mailbox
from shared.eventstore.engines import make_engine
from shared.hosting.platform import service_class, sources_of
from shared.kernel.time import instant_text, parse_instant
from shared.messaging import topology
from shared.messaging.connections import connect
from shared.runtime.settings import SERVICES, SETTINGS
from shared.runtime.tokens import COMMAND_LINE, access_token
from tests.fork_server import Child, fork_server
from tests.servers import AMQP, own_database
from tests.waiting import TIMEOUT_SECONDS, wait_until

PASSCULTURE = str(Path(sys.executable).parent / "passculture")
ROOT = Path(__file__).parents[1]
START = "2021-11-02T09:00:00Z"
LOG_LINES = 60
POOL_SIZE = "3"
"""Connections per service: PostgreSQL accepts 100, and two test processes may run two platforms each."""
PORTS = range(20_000, 30_000)


class NotReady(Exception):
    """The platform did not start; the message contains its log."""


@dataclass(frozen=True)
class Answer:
    """An HTTP response of any status."""

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
        """The code of the problem document; empty if the response is not one."""
        if self.headers.get_content_type() != "application/problem+json":
            return ""
        return str(self.json["code"])

    @property
    def outcome(self) -> tuple[int, str]:
        return self.status, self.code

    def __str__(self) -> str:
        return f"{self.method} {self.path} → {self.status} {self.body[:600].decode(errors='replace')}"


class Platform:
    """``environment`` is added to that of this process; ``services`` is empty for the embedded platform.

    Its processes and commands are forked from a preloaded process (``tests.fork_server``). ``executed``: they are
    started as users start them, with the ``passculture`` executable.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], services: tuple[str, ...] = (), *, executed: bool = False
    ) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.port = free_port()
        self.services = services
        self.environment = environment_with(
            {"PORT": str(self.port), "STATE_DIR": str(self.state), "CLOCK": START, "DEMO": "0", **environment}
        )
        self.client = Client(f"http://127.0.0.1:{self.port}", self.token)
        self.mailbox = Mailbox(self.state / "mail", self.state / "sms", TIMEOUT_SECONDS)
        self.numbers = itertools.count(1)
        """For unique identifiers of people and structures."""
        self._executed = executed
        self._processes: dict[str, subprocess.Popen[bytes] | Child] = {}

    @property
    def is_distributed(self) -> bool:
        return bool(self.services)

    # --- processes -------------------------------------------------------------------------------------------------

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
        start = execute if self._executed else fork_server().start
        self._processes[name] = start(arguments, self.environment, log)

    def wait_until_ready(self) -> None:
        """Raises NotReady if a process ends."""
        wait_until(lambda: self._has_ended() or self._is_ready(), self.log)
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
        """Ends a process without any clean-up (SIGKILL)."""
        process = self._processes.pop(service or "platform")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def pid(self, service: str = "") -> int:
        return self._processes[service or "platform"].pid

    def stop(self) -> list[int]:
        """Stops every process, with SIGKILL after a time-out; returns the exit codes."""
        processes, self._processes = list(self._processes.values()), {}
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
        return [_exit_code(process) for process in processes]

    def log(self) -> str:
        """The last lines of each process."""
        parts = []
        for path in sorted(self.folder.glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()[-LOG_LINES:]
            parts.append("\n".join([f"--- {path.name}", *lines]))
        return "\n".join(parts)

    def command(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs ``passculture …`` with this platform's settings."""
        run = execute_and_wait if self._executed else fork_server().run
        return run(arguments, self.environment, stdin)

    # --- HTTP -----------------------------------------------------------------------------------------------------

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
        """Makes one request. ``body`` is sent as JSON, or unchanged if it is bytes.

        ``source``: the client's address; a test that reaches rate limits per address uses its own.
        """
        sent = dict(headers or {})
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        if key is not None:
            sent["Idempotency-Key"] = key
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS, source_address=(source, 0))
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            return Answer(method, path, response.status, response.headers, response.read())
        except HTTPException as error:
            raise OSError(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()

    def post(self, path: str, body: Any = None, token: str | None = None, *, key: str | None = None) -> Answer:
        """With a new idempotency key unless ``key`` is given."""
        return self.call("POST", path, {} if body is None else body, token, key=key or str(uuid.uuid4()))

    def get(self, path: str, token: str | None = None) -> Any:
        """The JSON of a successful response. Raises Refusal."""
        return self.client.get(path, token)

    def token(self, role: str) -> str:
        """An access token for ``staff``, ``finance`` or ``operator``, as ``passculture token`` signs it."""
        key = (self.state / "signing.key").read_bytes()
        return access_token(COMMAND_LINE, frozenset({role}), key)

    # --- clock --------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The simulated time."""
        return parse_instant(self.get("/v1/settings")["now"])

    def move_clock_to(self, instant: datetime | str) -> datetime:
        """Moves the clock; all timers due until then have run when this returns."""
        to = instant if isinstance(instant, str) else instant_text(instant)
        moved = self.call("POST", "/v1/ops/clock", {"to": to}, self.token("operator"))
        assert moved.status == 200, moved
        return parse_instant(moved.json["now"])

    def advance(self, time_span: timedelta) -> datetime:
        return self.move_clock_to(self.now() + time_span)

    def wait_idle(self) -> dict[str, Any]:
        """Waits until every message has been handled; returns the positions of every service."""
        answer = self.call("POST", "/v1/ops/settle", {}, self.token("operator"))
        assert answer.status == 200, answer
        return answer.json

    def wait_until_caught_up(self) -> None:
        """Waits until every service has handled all messages of the others. Mails may still be in the outbox.

        Raises AssertionError after a time-out.
        """
        wait_until(lambda: not self._behind(), self._behind)

    def _behind(self) -> list[str]:
        tracked = {service: self._rows(service, "SELECT source, position FROM tracking") for service in SERVICES}
        head = "SELECT coalesce(max(id), 0) FROM stored_events WHERE published"
        heads = {service: self._rows(service, head)[0][0] for service in SERVICES}
        return [
            f"{service} has handled {source} up to {position} of {heads[source]}"
            for service, rows in tracked.items()
            for source, position in rows
            if position < heads[source]
        ]

    def _rows(self, service: str, query: str) -> list[Any]:
        with self.database(service).connect() as connection:
            return list(connection.execute(sa.text(query)))

    # --- databases -------------------------------------------------------------------------------------------------

    def database(self, service: str) -> sa.Engine:
        """An engine for the tables of a service, with the rights of the database's owner: to inspect or to corrupt."""
        if not self.is_distributed:
            return sa.create_engine(f"sqlite:///{self.state / service}.sqlite", poolclass=sa.pool.NullPool)
        options = {"options": f"-c search_path={service} -c timezone=UTC"}
        return sa.create_engine(self.environment["DATABASE_URL"], connect_args=options, poolclass=sa.pool.NullPool)

    def engine(self, service: str) -> sa.Engine:
        """An engine configured as the service's own, with the rights of the database's owner."""
        if not self.is_distributed:
            return make_engine(f"sqlite:///{self.state / service}.sqlite")
        return make_engine(self.environment["DATABASE_URL"], schema=service)

    def event_counts(self) -> dict[str, int]:
        """The number of stored events of each service."""
        counts = {}
        for service in SERVICES:
            with self.database(service).connect() as connection:
                counts[service] = connection.execute(sa.text("SELECT count(*) FROM stored_events")).scalar_one()
        return counts


def execute(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Starts ``passculture …`` in a separate session."""
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
    arguments: Sequence[str], environment: Mapping[str, str], stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs ``passculture …`` to its end."""
    return subprocess.run(
        [PASSCULTURE, *arguments],
        cwd=ROOT,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def environment_with(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of this process, with ``settings`` in place of all settings of the platform."""
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return {**inherited, **settings}


def free_port() -> int:
    """A port without a listener, below the range from which the system takes ports for outgoing connections."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as trial, suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
    raise NotReady("every port is taken")


def _exit_code(process: subprocess.Popen[bytes] | Child) -> int:
    try:
        return process.wait(TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


@contextmanager
def embedded(folder: Path, *, executed: bool = False, **settings: str) -> Iterator[Platform]:
    """All six services in one process, on SQLite files and the in-process bus."""
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
    """A process per service, on an existing database, which may contain data."""
    environment = {"DATABASE_URL": url, "AMQP_URI": AMQP, "POOL_SIZE": POOL_SIZE, **settings}
    platform = Platform(folder, environment, SERVICES, executed=executed)
    try:
        platform.start()
        yield platform
    finally:
        platform.stop()
        remove_topology(namespace_of(url))


def namespace_of(database_url: str) -> str:
    """The namespace that a platform uses by default."""
    return sa.make_url(database_url).database or ""


def remove_topology(namespace: str) -> None:
    """Deletes every exchange and queue of a platform."""
    sources = {name: sources_of(service_class(name)) for name in SERVICES}
    connection = connect(AMQP)
    try:
        topology.delete(connection, namespace, sources)
    finally:
        connection.release()


MODES = {"embedded": embedded, "distributed": distributed}

__all__ = ["MODES", "START", "Answer", "NotReady", "Platform", "distributed", "distributed_on", "embedded"]
