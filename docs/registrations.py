"""What the services have registered: their reactions, publications, calls. They are built on empty stores in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.hosting.platform import service_class
from shared.kernel.time import SettableClock, parse_instant
from shared.runtime.service import Service
from shared.runtime.settings import SERVICES, Settings
from shared.testing import BusDouble, empty_database

_START = "2021-06-01T08:00:00Z"


@contextmanager
def built_services() -> Iterator[Mapping[str, Service]]:
    """The six services by name."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        settings = Settings.from_environment({"STATE_DIR": folder, "CLOCK": _START, "RANDOM_SEED": "1"})
        clock, found = SettableClock(parse_instant(_START)), {}
        empty_database(Path(folder), "keys").dispose()
        for name in SERVICES:
            engine = empty_database(Path(folder), name)
            stack.callback(engine.dispose)
            found[name] = service_class(name).build(settings, clock, BusDouble({}), engine)  # type: ignore[attr-defined]
        yield found


def consumers(services: Mapping[str, Service]) -> dict[tuple[str, str], list[str]]:
    """(source, message) → the services that react to it."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, service in services.items():
        for source, message, *_ in service.reactions:
            readers = found.setdefault((source, message), [])
            if name not in readers:
                readers.append(name)
    return found
