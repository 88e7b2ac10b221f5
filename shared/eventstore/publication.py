"""Translates a service's domain events into the messages that it publishes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from shared.kernel.time import instant_text, parse_instant

E = TypeVar("E")
Translate = Callable[[E], dict[str, Any]]


class Version(NamedTuple):
    """The data of a message in one of its versions."""

    number: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One published event. ``previous``: the last position that the source published before this one.

    ``version`` and ``data`` are those of the newest version, ``older`` has the others that are still published, the
    newest of them first.
    """

    id: str
    source: str
    name: str
    version: int
    stream: str
    stream_version: int
    position: int
    previous: int
    epoch: str
    occurred_at: datetime
    recorded_at: datetime
    causation_id: str
    correlation_id: str
    data: dict[str, Any]
    older: tuple[Version, ...] = ()

    @property
    def versions(self) -> tuple[Version, ...]:
        """All versions of the data, the newest first."""
        return (Version(self.version, self.data), *self.older)

    def in_version(self, version: Version) -> Message:
        """The message with this version of its data only."""
        return replace(self, version=version.number, data=version.data, older=())

    def to_wire(self) -> dict[str, Any]:
        """``older`` is absent from a message of one version."""
        wire = {
            "id": self.id,
            "source": self.source,
            "name": self.name,
            "version": self.version,
            "stream": self.stream,
            "streamVersion": self.stream_version,
            "position": self.position,
            "previous": self.previous,
            "epoch": self.epoch,
            "occurredAt": instant_text(self.occurred_at),
            "recordedAt": instant_text(self.recorded_at),
            "causationId": self.causation_id,
            "correlationId": self.correlation_id,
            "data": self.data,
        }
        if self.older:
            wire["older"] = [{"version": version.number, "data": version.data} for version in self.older]
        return wire

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Message:
        return cls(
            id=wire["id"],
            source=wire["source"],
            name=wire["name"],
            version=wire["version"],
            stream=wire["stream"],
            stream_version=wire["streamVersion"],
            position=wire["position"],
            previous=wire["previous"],
            epoch=wire["epoch"],
            occurred_at=parse_instant(wire["occurredAt"]),
            recorded_at=parse_instant(wire["recordedAt"]),
            causation_id=wire["causationId"],
            correlation_id=wire["correlationId"],
            data=wire["data"],
            older=tuple(Version(one["version"], one["data"]) for one in wire["older"]) if "older" in wire else (),
        )


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    translations: dict[int, Translate[Any]]
    """By version, the newest first."""


class Publication:
    """Which of a service's events are published, under which name, in which versions, and how."""

    def __init__(self, service: str) -> None:
        self.service = service
        self._rules: dict[type, _Rule] = {}

    def publishes(self, kind: type[E], name: str, *, version: int = 1) -> Callable[[Translate[E]], Translate[E]]:
        """Decorates the function that turns such an event into the message's data: JSON-ready, self-sufficient.

        Once for each version that is published of the message: they travel together, as one message.
        """

        def register(translate: Translate[E]) -> Translate[E]:
            rule = self._rules.get(kind, _Rule(name, {}))
            if rule.name != name:
                raise ValueError(f"{kind.__qualname__} is published as {rule.name} already")
            if version in rule.translations:
                raise ValueError(f"{kind.__qualname__} is published twice in version {version}")
            newest_first = sorted({**rule.translations, version: translate}.items(), reverse=True)
            self._rules[kind] = _Rule(name, dict(newest_first))
            return translate

        return register

    def includes(self, kind: type) -> bool:
        return kind in self._rules

    def names(self) -> set[tuple[str, int]]:
        """(name, version) of everything that is published."""
        return {(rule.name, version) for rule in self._rules.values() for version in rule.translations}

    def translate(self, event: Any) -> tuple[str, tuple[Version, ...]]:
        """The message's name and its data in every version, the newest first."""
        rule = self._rules[type(event)]
        return rule.name, tuple([Version(number, translate(event)) for number, translate in rule.translations.items()])
