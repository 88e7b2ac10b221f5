"""Finds the services, prepares their stores and the bus, and runs them, for the command line.

Raises ``CannotStart``, with one line, for everything that is wrong with the environment.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import signal
import socket
from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TextIO

import structlog
from nameko.extensions import ENTRYPOINT_EXTENSIONS_ATTR
from nameko.runners import ServiceRunner

from shared import green
from shared.eventstore import Engine
from shared.eventstore.clock import keep_clock, stored_clock
from shared.eventstore.engines import make_engine
from shared.eventstore.errors import DBAPIError, first_line
from shared.hosting import PROCESSES, TakesMessages
from shared.messaging import topology
from shared.messaging.connections import BusUnavailable, connect
from shared.observability.server import serve
from shared.runtime.clocks import check_clock
from shared.runtime.migrations import is_current, upgrade
from shared.runtime.settings import EXTRA_STORES, SERVICES, STORES, OperatorError, Settings
from shared.runtime.storage import make_roles, make_schema

log = structlog.get_logger()
MAX_WORKERS = 256
"""Per service. Most workers wait: for another service, or for the handling of a message, which needs a worker too."""
GC_THRESHOLDS = (20_000, 20, 50)
"""Thresholds of ``gc.set_threshold``: a batch allocates thousands of objects that reference counting frees."""

_LOCKED: list[TextIO] = []
"""Files that this process has locked."""


class CannotStart(OperatorError):
    """The line says what is wrong and, if that helps, what to do."""


@cache  # a look-up scans all installed packages
def service_class(name: str) -> type:
    """The nameko class of a service, by the project's entry points."""
    (found,) = entry_points(group="passculture.services", name=name)
    return found.load()  # type: ignore[no-any-return]


def sources_of(service: type) -> list[str]:
    """The services whose messages a nameko class takes."""
    entrypoints = (
        entrypoint
        for method in vars(service).values()
        for entrypoint in getattr(method, ENTRYPOINT_EXTENSIONS_ATTR, ())
        if isinstance(entrypoint, TakesMessages)
    )
    return sorted({source for entrypoint in entrypoints for source in entrypoint.sources})


def migrate(settings: Settings) -> None:
    """Schemas, roles and topology, made or brought to the newest version; safe to run again. Raises CannotStart."""
    if settings.database:
        _make_roles(settings)
    fresh = [name for name in STORES if _upgrade(settings, name)]
    if not settings.embedded_bus:
        sources = {name: sources_of(service_class(name)) for name in SERVICES}
        try:
            with connect(settings.amqp_uri) as connection:
                topology.declare(connection, settings.namespace, sources, purge=bool(fresh))
        except BusUnavailable as error:
            raise CannotStart(f"AMQP_URI: {error}") from None


def _make_roles(settings: Settings) -> None:
    engine = make_engine(settings.database)
    try:
        make_roles(engine, {name: settings.database_url(name) for name in STORES}, settings.own_databases)
    except DBAPIError as error:
        raise CannotStart(f"DATABASE_URL: {first_line(error)}") from None
    finally:
        engine.dispose()


def _upgrade(settings: Settings, name: str) -> bool:
    engine = _engine(settings, name)
    try:
        if name in settings.own_databases:
            make_schema(engine, name)
        return upgrade(engine, name)
    except DBAPIError as error:
        raise CannotStart(f"the database of {name}: {first_line(error)}") from None
    finally:
        engine.dispose()


def _engine(settings: Settings, name: str) -> Engine:
    return make_engine(settings.database_url(name), schema=settings.schema(name))


def claim(state_dir: Path) -> None:
    """Locks the folder until this process ends: an embedded bus reaches no other process. Raises CannotStart."""
    try:
        lock = (state_dir / "lock").open("w")
        _LOCKED.append(lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotStart(f"STATE_DIR: another platform runs on {state_dir}") from None
    except OSError as error:
        raise CannotStart(f"STATE_DIR: {error}") from None


def check(settings: Settings, names: Sequence[str]) -> None:
    """Checks that databases, broker and ports are available. Raises CannotStart."""
    migrate_embedded(settings, names)
    for name in stores_of(names):
        engine = open_store(settings, name)
        try:
            with engine.begin() as connection:
                if name in SERVICES:
                    check_clock(connection, name, settings.clock)
                    if settings.clock is not None and stored_clock(connection) is None:
                        keep_clock(connection, settings.clock)
        finally:
            engine.dispose()
    try:
        connect(settings.amqp_uri).release()
    except BusUnavailable as error:
        raise CannotStart(f"AMQP_URI: {error}") from None
    if "gateway" in names:
        check_port("PORT", settings.bind, settings.port)
    if settings.ops_port is not None:
        check_port("OPS_PORT", settings.bind, settings.ops_port)


def open_store(settings: Settings, name: str) -> Engine:
    """The engine of an existing store. Raises CannotStart if it is missing, unreachable or not up to date."""
    if settings.schema(name) is None and not settings.sqlite_file(name).exists():
        raise CannotStart(
            f"there is no store of {name} in STATE_DIR ({settings.state_dir}), and no platform runs there"
        )
    engine = _engine(settings, name)
    try:
        with engine.connect() as connection:
            current = is_current(connection, name)
    except DBAPIError as error:
        hint = " (run `passculture migrate` first?)" if settings.schema(name) else ""
        raise CannotStart(f"the database of {name}: {first_line(error)}{hint}") from None
    if not current:
        raise CannotStart(f"the schema of {name} is not up to date: run `passculture migrate` first")
    return engine


def migrate_embedded(settings: Settings, names: Sequence[str]) -> None:
    """Upgrades the stores that are SQLite files; ``migrate`` does it for PostgreSQL."""
    for name in stores_of(names):
        if settings.schema(name) is None:
            _upgrade(settings, name)


def stores_of(names: Sequence[str]) -> list[str]:
    """The stores of services, additional ones included."""
    return [*names, *(store for store, service in EXTRA_STORES.items() if service in names)]


def check_port(setting: str, bind: str, port: int) -> None:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((bind, port))
        except OSError as error:
            why = "in use" if error.errno == errno.EADDRINUSE else error.strerror
            raise CannotStart(f"{setting}: {bind}:{port} is {why}") from None


def run(settings: Settings, names: Sequence[str], *, ready: Any = None) -> None:
    """Runs services in this process until SIGINT or SIGTERM. ``ready()`` is called once they have started."""
    if settings.embedded_bus:
        _declare_topology(settings, names)
    runner = ServiceRunner(
        {
            "settings": settings,
            "max_workers": MAX_WORKERS,
        }
    )
    for name in names:
        runner.add_service(service_class(name))
    stopping = green.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.ready() or stopping.send(None))
    runner.start()
    _freeze_garbage_collector()
    if settings.ops_port is not None:
        green.spawn(serve, settings.bind, settings.ops_port, PROCESSES)
    watcher = green.spawn(runner.wait)
    watcher.link(lambda _: stopping.ready() or stopping.send(None))
    if ready is not None:
        green.spawn(ready)
    stopping.wait()
    runner.stop()
    watcher.wait()  # raises the exception that ended a container


def _freeze_garbage_collector() -> None:
    """Excludes all objects made so far, which live as long as the process: scanning them took a fifth of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _declare_topology(settings: Settings, names: Sequence[str]) -> None:
    """Declares the exchanges and queues of an embedded bus: messages to a queue that does not exist yet are lost."""
    sources = {name: sources_of(service_class(name)) for name in names}
    with connect(settings.amqp_uri) as connection:
        topology.declare(connection, settings.namespace, sources, purge=False)
