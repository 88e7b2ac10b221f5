"""Domain events → messages: the one place where a service says what it publishes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from shared.kernel.time import instant_text, parse_instant

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Message:
    """What one service tells the others. ``previous``: the last position that the source published before this one."""

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

    def to_wire(self) -> dict[str, Any]:
        return {
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
        )


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    version: int
    translate: Callable[[Any], dict[str, Any]]


class Publication:
    """Which of a service's events are published, under which name and version, and how."""

    def __init__(self, service: str) -> None:
        self.service = service
        self._rules: dict[type, _Rule] = {}

    def publishes(
        self, kind: type[E], name: str, *, version: int = 1
    ) -> Callable[[Callable[[E], dict[str, Any]]], Callable[[E], dict[str, Any]]]:
        """Decorates the function that turns such an event into the message's data: JSON-ready, self-sufficient."""

        def register(translate: Callable[[E], dict[str, Any]]) -> Callable[[E], dict[str, Any]]:
            if kind in self._rules:
                raise ValueError(f"{kind.__qualname__} is published twice")
            self._rules[kind] = _Rule(name, version, translate)
            return translate

        return register

    def includes(self, kind: type) -> bool:
        return kind in self._rules

    def names(self) -> set[tuple[str, int]]:
        return {(rule.name, rule.version) for rule in self._rules.values()}

    def translate(self, event: Any) -> tuple[str, int, dict[str, Any]]:
        rule = self._rules[type(event)]
        return rule.name, rule.version, rule.translate(event)
