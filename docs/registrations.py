"""Reads the services' registrations (reactions, publications, calls) from services built on empty stores."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.hosting.platform import service_class
from shared.kernel.time import SettableClock, parse_instant
from shared.runtime.service import Service
from shared.runtime.settings import SERVICES, Settings
from shared.testing import BusDouble, empty_database

_FIRST_WORD = re.compile(r"[A-Z][a-z]*")
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


def consumers(services: Mapping[str, Service]) -> dict[tuple[str, str, int], list[str]]:
    """(source, message, version) → the services that have a reaction to it."""
    found: dict[tuple[str, str, int], list[str]] = {}
    for name, service in services.items():
        for key in service.reactions:
            found.setdefault(key, []).append(name)
    return found


def picture(services: Mapping[str, Service]) -> str:
    """A mermaid diagram of the messages that each service reads from the others."""
    edges: dict[tuple[str, str], set[str]] = {}
    for (source, message, _), readers in consumers(services).items():
        for reader in readers:
            edges.setdefault((source, reader), set()).add(message)
    order = list(services)
    drawn = [
        f'    {source} -- "{"<br>".join(_by_first_word(messages))}" --> {reader}'
        for (source, reader), messages in sorted(edges.items(), key=lambda edge: tuple(map(order.index, edge[0])))
    ]
    return "\n".join(["```mermaid", "flowchart LR", *drawn, "```"])


def _by_first_word(messages: Iterable[str]) -> list[str]:
    """``Offer*`` in place of several messages that begin with the same word."""
    families: dict[str, list[str]] = {}
    for message in sorted(messages):
        families.setdefault(_FIRST_WORD.match(message)[0], []).append(message)  # type: ignore[index]  # always matches
    return [family[0] if len(family) == 1 else f"{word}*" for word, family in families.items()]
