"""Where a search stopped: opaque text that carries the search itself, and is believed in nothing."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Sequence
from typing import Any

import orjson

from shared.kernel.errors import Invalid
from shared.kernel.identifiers import MAX_NUMBER

MAX_BYTES = 8_192
_VERSION = 1


class CursorInvalid(Invalid):
    """Not a cursor of ours, or one of another search."""

    code = "cursor-invalid"

    def __init__(self, detail: str = "This cursor is not one of ours.") -> None:
        super().__init__(detail, errors={"cursor": [detail]})


def encode(filters: Sequence[Any], position: Sequence[float | int | str]) -> str:
    """``filters``: JSON values in a fixed order; ``position``: the sort keys of the last item."""
    packed = zlib.compress(orjson.dumps([_VERSION, list(filters), list(position)]), 9)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(text: str) -> tuple[list[Any], list[Any]]:
    """The filters and the position. Raises CursorInvalid; what they hold is still to be checked."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, filters, position = orjson.loads(_unpacked(packed))
    except (binascii.Error, zlib.error, ValueError, TypeError):
        raise CursorInvalid from None
    if version != _VERSION or not isinstance(filters, list) or not isinstance(position, list):
        raise CursorInvalid
    return filters, position


def _unpacked(packed: bytes) -> bytes:
    """Whole and nothing beside it. A small text may unpack to a huge one, so no more is unpacked than any of ours."""
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(packed, MAX_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        raise CursorInvalid
    return content


def number(value: Any) -> float | int:
    """A finite number of a position."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CursorInvalid
    if abs(value) > MAX_NUMBER:
        raise CursorInvalid
    return value
