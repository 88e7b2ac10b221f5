"""Columns of values as PostgreSQL writes an array: the driver's own way with lists was a third of a batch's CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _instant(instant: datetime) -> str:
    if instant.tzinfo is None:
        raise ValueError("an instant without a time zone")
    return f'"{instant.isoformat()}"'


def _bytes(raw: bytes) -> str:
    return f'"\\\\x{raw.hex()}"'


WRITERS: dict[type, Callable[[Any], str]] = {
    int: str,
    bool: str,
    float: repr,
    str: quoted,
    bytes: _bytes,
    datetime: _instant,
    date: date.isoformat,
    UUID: str,
}
"""By the Python type of a column's values."""


def literal(write: Callable[[Any], str], values: Sequence[Any]) -> str:
    """The array of these values; None is its NULL."""
    return "{" + ",".join(["NULL" if value is None else write(value) for value in values]) + "}"
