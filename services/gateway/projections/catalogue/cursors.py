"""Cursors of the search: opaque text that holds the filters and the sort keys of the last item.

They are not signed: a client may write one itself, so every value is checked like that of a query.
"""

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
    """Not a cursor that the search gave, or a cursor of another search."""

    code = "cursor-invalid"

    def __init__(self, detail: str = "Ce curseur n’a pas été donné par cette liste.") -> None:
        super().__init__(detail, errors={"cursor": [detail]})


def encode(filters: Sequence[Any], position: Sequence[float | int | str]) -> str:
    """``filters``: JSON values in a fixed order; ``position``: the sort keys of the last item."""
    packed = zlib.compress(orjson.dumps([_VERSION, list(filters), list(position)]), 9)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(text: str) -> tuple[list[Any], list[Any]]:
    """The filters and the position, whose values are not checked yet. Raises CursorInvalid."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, filters, position = orjson.loads(_unpacked(packed))
    except (binascii.Error, zlib.error, ValueError, TypeError):
        raise CursorInvalid from None
    if version != _VERSION or not isinstance(filters, list) or not isinstance(position, list):
        raise CursorInvalid
    return filters, position


def _unpacked(packed: bytes) -> bytes:
    """Decompresses at most ``MAX_BYTES``: a short text may hold a huge one. Raises CursorInvalid for a rest."""
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(packed, MAX_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        raise CursorInvalid
    return content


def number(value: Any) -> float | int:
    """Raises CursorInvalid for what is not a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CursorInvalid
    if abs(value) > MAX_NUMBER:
        raise CursorInvalid
    return value
