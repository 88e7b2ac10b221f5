"""The recap's cursor: the filters of its first page, and the booking after which the next page begins."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import orjson

from shared.contracts.calls.booking import Recap
from shared.contracts.calls.contract import CursorInvalid
from shared.kernel.errors import Invalid
from shared.kernel.identifiers import MAX_NUMBER
from shared.kernel.time import instant_text, parse_instant

Place = tuple[datetime, int]
"""When the last booking of a page was made, and its number."""


def recap_cursor(query: Recap, booked_at: datetime, booking_id: int) -> str:
    filters = {key: value for key, value in query.to_wire().items() if key not in ("cursor", "limit")}
    content = {**filters, "bookedAt": instant_text(booked_at), "before": booking_id}
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


def read_recap_cursor(query: Recap) -> tuple[Recap, Place | None]:
    """The query with the filters of its cursor, which replace its own, and where its page begins.

    Raises CursorInvalid."""
    if query.cursor is None:
        return query, None
    try:
        content = _decoded(query.cursor)
        place = parse_instant(content.pop("bookedAt")), content.pop("before")
        if not (type(place[1]) is int and 1 <= place[1] <= MAX_NUMBER):
            raise ValueError("not a booking's number")
        return Recap.read({**content, "limit": query.limit}), place
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, Invalid):
        raise CursorInvalid("Ce curseur n'a pas été donné par cette liste.") from None


def _decoded(text: str) -> dict[str, Any]:
    content = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    return dict(content)
