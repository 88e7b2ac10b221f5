"""Cursors of lists: opaque, signed, for one list with the filters of its first page.

They are signed because the filters go to their owner as the first request's schema has checked them.
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

from services.gateway.ports import current_ports
from shared.contracts.calls.contract import Query
from shared.kernel.errors import Invalid

TAG_BYTES = 16
Page = dict[str, Any]
Q = TypeVar("Q", bound=Query)


class CursorInvalid(Invalid):
    code = "cursor-invalid"

    def __init__(self) -> None:
        super().__init__(
            "Ce curseur n’a pas été donné par cette liste avec ces filtres.", errors={"cursor": ["Curseur inconnu."]}
        )


def paged(name: str, query: dict[str, Any], read: Callable[[dict[str, Any]], Page]) -> Page:
    """A page of the list ``name``. ``read`` gets the filters, the limit and the owner's own cursor.

    The client's cursor wraps the owner's cursor and the filters of the first page. A later request needs the cursor
    only; filters that it repeats must be the same. Raises CursorInvalid.
    """
    filters = {key: value for key, value in query.items() if key not in ("cursor", "limit")}
    page_query = dict(filters)
    if "cursor" in query:
        page_query, inner = _unwrap(name, query["cursor"])
        if any(page_query.get(key) != value for key, value in filters.items()):
            raise CursorInvalid
        filters = dict(page_query)
        page_query["cursor"] = inner
    if "limit" in query:
        page_query["limit"] = query["limit"]
    page = read(page_query)
    following = page.get("nextCursor")
    return {**page, "nextCursor": None if following is None else _wrap(name, filters, following)}


def page_of(query: Q, shown: Sequence[str], read: Callable[[Q], Page]) -> Page:
    """``paged`` for a contract, of the list at the present path. ``shown``: the filters that the client gives."""
    keys = {bound.key for bound in query.FIELDS if bound.name in shown} | {"cursor", "limit"}
    wire = query.to_wire()

    def read_page(page_query: dict[str, Any]) -> Page:
        hidden = {key: value for key, value in wire.items() if key not in keys}
        return read(type(query).read({**hidden, **page_query}))

    return paged(request.path, {key: value for key, value in wire.items() if key in keys}, read_page)


def _wrap(name: str, filters: dict[str, Any], inner: str) -> str:
    content = orjson.dumps([name, filters, inner])
    return base64.urlsafe_b64encode(_tag(content) + content).decode().rstrip("=")


def _unwrap(name: str, cursor: str) -> tuple[dict[str, Any], str]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise CursorInvalid from None
    tag, content = raw[:TAG_BYTES], raw[TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(content)):
        raise CursorInvalid
    of, filters, inner = orjson.loads(content)
    if of != name:
        raise CursorInvalid
    return filters, inner


def _tag(content: bytes) -> bytes:
    return hmac.digest(_secret(current_ports().signing_key), content, "sha256")[:TAG_BYTES]


@cache
def _secret(key: bytes) -> bytes:
    """A key for this purpose only, derived from the configured one (see ``shared.runtime.tokens``)."""
    return hashlib.sha256(b"cursor\x00" + key).digest()
