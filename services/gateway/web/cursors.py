"""Cursors of lists: opaque, of one list only, with the filters they were given with, and signed.

The filters go to their owner as they were when the query's schema had checked them; nobody else can write any.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

import orjson
from flask import request

from services.gateway.web.gate import gate
from shared.contracts.calls.contract import Query
from shared.kernel.errors import Invalid

TAG_BYTES = 16
Page = dict[str, Any]
Q = TypeVar("Q", bound=Query)


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


def page_of(query: Q, shown: Sequence[str], ask: Callable[[Q], Page]) -> Page:
    """A page of the list at the present address. ``shown``: the fields of the query that the client gives.

    The client's cursor holds the owner's one with the filters it was given with. A request that goes on needs the
    cursor only; filters that it repeats must be the same. Raises CursorInvalid.
    """
    keys = {bound.key for bound in query.FIELDS if bound.name in shown} - {"cursor", "limit"}
    wire, name = query.to_wire(), request.path
    filters = {key: value for key, value in wire.items() if key in keys}
    if "cursor" in wire:
        given = filters
        filters, wire["cursor"] = _unwrap(name, wire["cursor"])
        if any(filters.get(key) != value for key, value in given.items()):
            raise CursorInvalid
    page = ask(type(query).read({**wire, **filters}))
    following = page.get("nextCursor")
    return {**page, "nextCursor": None if following is None else _wrap(name, filters, following)}


def _wrap(name: str, filters: dict[str, Any], inner: str) -> str:
    said = orjson.dumps([name, filters, inner])
    return base64.urlsafe_b64encode(_tag(said) + said).decode().rstrip("=")


def _unwrap(name: str, cursor: str) -> tuple[dict[str, Any], str]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise CursorInvalid from None
    tag, said = raw[:TAG_BYTES], raw[TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(said)):
        raise CursorInvalid
    of, filters, inner = orjson.loads(said)
    if of != name:
        raise CursorInvalid
    return filters, inner


def _tag(said: bytes) -> bytes:
    return hmac.digest(_secret(gate().signing_key), said, "sha256")[:TAG_BYTES]


@cache
def _secret(key: bytes) -> bytes:
    """This purpose's own digest of the configured key (see ``shared.runtime.tokens``)."""
    return hashlib.sha256(b"cursor\x00" + key).digest()
