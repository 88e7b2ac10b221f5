"""Cursors of lists: opaque, of one list only, and with the filters they were given with."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

import orjson

from shared.kernel.errors import Invalid

LONGEST = 3_000
Page = dict[str, Any]


class CursorInvalid(Invalid):
    code = "cursor-invalid"

    def __init__(self) -> None:
        super().__init__("this cursor was not given by this list with these filters", errors={"cursor": ["not ours"]})


def paged(name: str, query: dict[str, Any], ask: Callable[[dict[str, Any]], Page]) -> Page:
    """A page of the list ``name``: asks with the filters and the owner's own cursor, and wraps the next one.

    A request that goes on needs the cursor only; filters that it repeats must be the same. Raises CursorInvalid.
    """
    filters = {key: value for key, value in query.items() if key not in ("cursor", "limit")}
    asked = dict(filters)
    if "cursor" in query:
        asked, inner = _unwrap(name, query["cursor"])
        if any(asked.get(key) != value for key, value in filters.items()):
            raise CursorInvalid
        filters = dict(asked)
        asked["cursor"] = inner
    if "limit" in query:
        asked["limit"] = query["limit"]
    page = ask(asked)
    following = page.get("nextCursor")
    return {**page, "nextCursor": None if following is None else _wrap(name, filters, following)}


def _wrap(name: str, filters: dict[str, Any], inner: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([name, filters, inner])).decode().rstrip("=")


def _unwrap(name: str, cursor: str) -> tuple[dict[str, Any], str]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        of, filters, inner = orjson.loads(raw)
    except (ValueError, TypeError, binascii.Error):
        raise CursorInvalid from None
    if of != name or not isinstance(filters, dict) or not isinstance(inner, str):
        raise CursorInvalid
    return filters, inner
