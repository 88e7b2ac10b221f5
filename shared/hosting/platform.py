"""Finding the services, preparing stores and bus for them, and running them: what the command line calls.

Everything that is wrong with the surroundings is one ``CannotStart`` with one clear line.
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

import sqlalchemy as sa
import structlog
from nameko.extensions import ENTRYPOINT_EXTENSIONS_ATTR
from nameko.runners import ServiceRunner

from shared import green
from shared.eventstore.engines import make_engine
from shared.hosting import PROCESSES, TakesMessages
from shared.messaging import topology
from shared.messaging.connections import BusUnavailable, connect
from shared.observability.server import serve
from shared.runtime.clocks import check_clock, keep_clock, stored_clock
from shared.runtime.migrations import is_current, upgrade
from shared.runtime.settings import EXTRA_STORES, SERVICES, STORES, OperatorError, Settings

log = structlog.get_logger()
MAX_WORKERS = 256
"""Of each service. Most of them wait: for another service, or until a message is handled, which takes a worker, too."""
POSTGRESQL_PORT = 5432
COLLECTED_AFTER = (20_000, 20, 50)
"""Objects, and rounds, after which the garbage collector looks: a batch makes thousands that go by themselves."""

_CLAIMED: list[TextIO] = []
"""Files that stay locked."""


class CannotStart(OperatorError):
    """One line: what is wrong and, where it helps, what to do."""


@cache  # each look goes through every package that is installed
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
    quote = engine.dialect.identifier_preparer.quote
    try:
        with engine.begin() as connection:
            database = quote(connection.execute(sa.text("SELECT current_database()")).scalar_one())
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('passculture.migrate'))"))
            connection.execute(sa.text("REVOKE ALL ON SCHEMA public FROM PUBLIC"))
            for name in STORES:
                url = sa.make_url(settings.database_url(name))
                login = _login_here(url, sa.make_url(settings.database))
                if not login:
                    continue
                role = quote(login)
                known = connection.execute(
                    sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": login}
                ).scalar()
                if not known or name not in settings.own_databases:  # who was there before keeps its password
                    verb = "ALTER" if known else "CREATE"
                    password = {"password": url.password}
                    connection.exec_driver_sql(f"{verb} ROLE {role} LOGIN PASSWORD %(password)s", password)
                connection.exec_driver_sql(f"GRANT CONNECT ON DATABASE {database} TO {role}")
                connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {name} AUTHORIZATION {role}")
    except sa.exc.DBAPIError as error:
        raise CannotStart(f"DATABASE_URL: {_first_line(error)}") from None
    finally:
        engine.dispose()


def _login_here(url: sa.URL, admin: sa.URL) -> str:
    """The role that a store has in the admin's database; empty when it lives elsewhere or comes as the admin itself."""
    places = {(place.host, place.port or POSTGRESQL_PORT, place.database) for place in (url, admin)}
    return url.username or "" if len(places) == 1 and url.username != admin.username else ""


def _upgrade(settings: Settings, name: str) -> bool:
    engine = _engine(settings, name)
    try:
        if name in settings.own_databases:
            _make_schema(engine, name)
        return upgrade(engine, name)
    except sa.exc.DBAPIError as error:
        raise CannotStart(f"the database of {name}: {_first_line(error)}") from None
    finally:
        engine.dispose()


def _make_schema(engine: sa.Engine, name: str) -> None:
    """In a database of its own, unless somebody with more rights has made it there already."""
    with engine.begin() as connection:
        if not sa.inspect(connection).has_schema(name):
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")


def _engine(settings: Settings, name: str) -> sa.Engine:
    return make_engine(settings.database_url(name), schema=settings.schema(name))


def claim(state_dir: Path) -> None:
    """For as long as this process lives: what is on its bus, no other process hears. Raises CannotStart."""
    try:
        lock = (state_dir / "lock").open("w")
        _CLAIMED.append(lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotStart(f"STATE_DIR: another platform runs on {state_dir}") from None
    except OSError as error:
        raise CannotStart(f"STATE_DIR: {error}") from None


def check(settings: Settings, names: Sequence[str]) -> None:
    """Everything that these services need is there. Raises CannotStart."""
    migrate_embedded(settings, names)
    for name in stores_of(names):
        engine = _engine(settings, name)
        try:
            with engine.begin() as connection:
                if not is_current(connection, name):
                    raise CannotStart(f"the schema of {name} is not up to date: run `passculture migrate` first")
                if name in SERVICES:
                    check_clock(connection, name, settings.clock)
                    if settings.clock is not None and stored_clock(connection) is None:
                        keep_clock(connection, settings.clock)
        except sa.exc.OperationalError as error:
            hint = " (run `passculture migrate` first?)" if settings.schema(name) else ""
            raise CannotStart(f"the database of {name}: {_first_line(error)}{hint}") from None
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


def migrate_embedded(settings: Settings, names: Sequence[str]) -> None:
    """The stores that are files, which nobody else prepares."""
    for name in stores_of(names):
        if settings.schema(name) is None:
            _upgrade(settings, name)


def stores_of(names: Sequence[str]) -> list[str]:
    """Those of services, and what they have beside them."""
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
    _spare_the_collector()
    if settings.ops_port is not None:
        green.spawn(serve, settings.bind, settings.ops_port, PROCESSES)
    watcher = green.spawn(runner.wait)
    watcher.link(lambda _: stopping.ready() or stopping.send(None))
    if ready is not None:
        green.spawn(ready)
    stopping.wait()
    runner.stop()
    watcher.wait()  # raises what a container died of


def _spare_the_collector() -> None:
    """What has been made by now stays for ever: looking through it again and again cost a busy process a fifth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


def _declare_topology(settings: Settings, names: Sequence[str]) -> None:
    """The bus within the process begins empty: what is sent to a queue that is not there yet would be lost."""
    sources = {name: sources_of(service_class(name)) for name in names}
    with connect(settings.amqp_uri) as connection:
        topology.declare(connection, settings.namespace, sources, purge=False)


def _first_line(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
