"""Domain events as rows, and back.

An event is stored under its qualified class name (``Wallet.Granted``), so that modules may move; its fields are JSON.
Values of types that JSON does not know (instants, dates, fractions, UUIDs, enums, frozen dataclasses) are restored by
the annotation of the field.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from eventsourcing.domain import Aggregate, CanInitAggregate
from eventsourcing.utils import get_topic

type_hints = typing.get_type_hints
Restore = Callable[[Any], Any]
_ENVELOPE = frozenset({"originator_id", "originator_version", "originator_topic"})


def _restore_fraction(text: str) -> Fraction:
    return Fraction(text)


_SCALARS: dict[Any, Restore] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    UUID: UUID,
    Fraction: _restore_fraction,
    Decimal: Decimal,
}


def _restorer(kind: Any) -> Restore | None:
    """The function that restores a value of the given type from JSON; None if JSON knows the type."""
    while isinstance(kind, typing.NewType):
        kind = kind.__supertype__
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _restore_optional(arguments)
    if origin in (list, tuple, set, frozenset):
        return _restore_sequence(origin, arguments)
    if origin in (dict, Mapping) or origin is getattr(typing, "Mapping", None):
        return _restore_mapping(arguments)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    if dataclasses.is_dataclass(kind):
        return _restore_dataclass(kind)
    return None


def _restore_optional(arguments: tuple[Any, ...]) -> Restore | None:
    inner = [restore for restore in (_restorer(argument) for argument in arguments) if restore]
    if not inner:
        return None
    if len(inner) > 1 or len(arguments) > 2:
        raise TypeError(f"a stored field may be one type or None, not {arguments}")
    restore = inner[0]
    return lambda value: None if value is None else restore(value)


def _restore_sequence(origin: Any, arguments: tuple[Any, ...]) -> Restore | None:
    inner = _restorer(arguments[0]) if arguments else None
    if inner is None:
        return None if origin is list else origin
    restore = inner
    return lambda values: origin(restore(value) for value in values)


def _restore_mapping(arguments: tuple[Any, ...]) -> Restore | None:
    inner = _restorer(arguments[1]) if arguments else None
    if inner is None:
        return None
    restore = inner
    return lambda values: {key: restore(value) for key, value in values.items()}


def _restore_dataclass(kind: Any) -> Restore:
    restorers = _field_restorers(kind)

    def restore(values: dict[str, Any]) -> Any:
        for name, field in restorers:
            if name in values:
                values[name] = field(values[name])
        return kind(**values)

    return restore


@cache
def _field_restorers(kind: Any) -> tuple[tuple[str, Restore], ...]:
    hints = type_hints(kind)
    names = {field.name for field in dataclasses.fields(kind)} - _ENVELOPE
    found = ((name, _restorer(hints[name])) for name in sorted(names))
    return tuple((name, restore) for name, restore in found if restore)


def _encode_other(value: Any) -> Any:
    if isinstance(value, Fraction | Decimal):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"an event cannot hold {value!r}")


class EventMapper:
    """Encodes and decodes the events of a service's aggregates."""

    def __init__(self, aggregates: Iterable[type[Aggregate]]) -> None:
        self._names: dict[type, str] = {}
        self._kinds: dict[str, tuple[type, tuple[tuple[str, Restore], ...], str | None, int]] = {}
        for aggregate in aggregates:
            for kind in _event_classes(aggregate):
                self._register(aggregate, kind)

    def _register(self, aggregate: type[Aggregate], kind: type) -> None:
        name = f"{aggregate.__name__}.{kind.__name__}"
        topic = get_topic(aggregate) if issubclass(kind, CanInitAggregate) else None
        self._names[kind] = name
        self._kinds[name] = (kind, _field_restorers(kind), topic, getattr(kind, "class_version", 1))

    def name(self, kind: type) -> str:
        return self._names[kind]

    def kinds(self) -> Iterable[type]:
        return self._names

    def encode(self, event: Any) -> tuple[str, str]:
        """The name of an event, and its fields as JSON."""
        kind = type(event)
        state = {name: value for name, value in vars(event).items() if name not in _ENVELOPE}
        if (version := getattr(kind, "class_version", 1)) > 1:
            state["class_version"] = version
        return self._names[kind], orjson.dumps(state, default=_encode_other, option=orjson.OPT_NON_STR_KEYS).decode()

    def decode(self, stream: UUID, version: int, name: str, state: str | bytes) -> Any:
        """The event of a row, upcast to its class's newest version by ``upcast_v1_v2`` and so on, as in the library."""
        kind, restorers, topic, newest = self._kinds[name]
        values = orjson.loads(state)
        stored = values.pop("class_version", 1)
        while stored < newest:
            getattr(kind, f"upcast_v{stored}_v{stored + 1}")(values)
            stored += 1
        for field, restore in restorers:
            if field in values:
                values[field] = restore(values[field])
        if topic is not None:
            values["originator_topic"] = topic
        event: Any = object.__new__(kind)
        event.__dict__.update(values, originator_id=stream, originator_version=version)
        return event


def _event_classes(aggregate: type[Aggregate]) -> list[type]:
    found = (value for value in vars(aggregate).values() if isinstance(value, type))
    return [kind for kind in found if issubclass(kind, Aggregate.Event) and kind.__name__ != "Event"]
