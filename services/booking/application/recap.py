"""The recap of a structure's bookings (domain.md §6.1)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from services.booking import answers
from services.booking.application.access import own_venues, visible_venues
from services.booking.neighbours import Identity
from services.booking.storage import recap, references
from services.booking.storage.recap import RecapFilter, Span
from shared.contracts.calls import booking as calls
from shared.contracts.calls.contract import CursorInvalid
from shared.contracts.identity import UNNAMED
from shared.eventstore import Connection, Store
from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.kernel.errors import Invalid, Unavailable
from shared.kernel.identifiers import MAX_NUMBER
from shared.kernel.time import Clock, instant_text, parse_instant

DEFAULT_DAYS = 60
"""The length of the period when none is given (decision 27)."""
Place = tuple[datetime, int]
"""When the last booking of a page was made, and its number."""
Period = Callable[[str], tuple[date, date]]
"""The first and the last day, for the venues of a time zone."""


class Recap:
    def __init__(self, store: Store, clock: Clock, identity: Identity) -> None:
        self._store, self._clock, self._identity = store, clock, identity

    def recap(self, call: Call[calls.Recap]) -> dict[str, Any]:
        query, before = _read_cursor(call.body)
        now = self._clock.now()
        with self._store.reading() as connection:
            wanted = _filter(connection, call.caller, query, now)
            found = recap.rows(connection, wanted, before=before, limit=query.limit + 1)
            total = recap.total(connection, wanted)
        page = found[: query.limit]
        people = self._people({row.person_id for row in page})
        return {
            "items": [
                item for row in page for item in answers.recap_rows(row, people.get(row.person_id, UNNAMED), now)
            ],
            "total": total,
            "nextCursor": _cursor(query, page[-1]) if len(found) > query.limit else None,
        }

    def _people(self, person_ids: Collection[int]) -> Mapping[int, Mapping[str, Any]]:
        """Without names while identity does not answer."""
        try:
            return self._identity.people(person_ids)
        except Unavailable:
            return {}


def _filter(connection: Connection, caller: Caller | None, query: calls.Recap, now: datetime) -> RecapFilter:
    if query.venue_ids is None:
        venue_ids = own_venues(connection, caller)
    else:
        venue_ids = visible_venues(connection, caller, query.venue_ids)
    zones, day = references.zones(connection, venue_ids), query.event_date
    return RecapFilter(
        booked=_spans(zones, _period(query, now)),
        dated=None if day is None else _spans(zones, lambda _zone: (day, day)),
        stock_id=query.stock_id,
        offer_name=query.offer_name,
    )


def _period(query: calls.Recap, now: datetime) -> Period:
    """The days of the query; without them the last 60, up to the venue's present day."""
    first, last = query.period_from, query.period_to
    if first is not None and first > (last or now.date() + timedelta(days=1)):
        raise Invalid.of_field("periodFrom", "La période ne peut pas commencer après sa fin.")

    def days(zone: str) -> tuple[date, date]:
        end = last or now.astimezone(ZoneInfo(zone)).date()
        return first or end - timedelta(days=DEFAULT_DAYS - 1), end

    return days


def _spans(zones: Mapping[int, str], period: Period) -> list[Span]:
    """The civil days of a period by the clocks of each venue. ``zones``: venue → time zone."""
    by_zone: dict[str, list[int]] = {}
    for venue_id, zone in zones.items():
        by_zone.setdefault(zone, []).append(venue_id)
    spans = []
    for zone, venue_ids in sorted(by_zone.items()):
        first, last = period(zone)
        spans.append(Span(venue_ids, _midnight(first, zone), _midnight(last + timedelta(days=1), zone)))
    return spans


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def _cursor(query: calls.Recap, last: Any) -> str:
    """The filters of the query, and the last booking of its page."""
    filters = {key: value for key, value in query.to_wire().items() if key not in ("cursor", "limit")}
    content = {**filters, "bookedAt": instant_text(last.booked_at), "before": last.booking_id}
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


def _read_cursor(query: calls.Recap) -> tuple[calls.Recap, Place | None]:
    """The query with the filters of its cursor instead of its own, and the place after which its page begins.

    Raises CursorInvalid.
    """
    if query.cursor is None:
        return query, None
    text = query.cursor + "=" * (-len(query.cursor) % 4)
    try:
        content = dict(orjson.loads(base64.b64decode(text, altchars=b"-_", validate=True)))
        at, number = parse_instant(content.pop("bookedAt")), content.pop("before")
        if not (type(number) is int and 1 <= number <= MAX_NUMBER):
            raise ValueError("not the number of a booking")
        return calls.Recap.read({**content, "limit": query.limit}), (at, number)
    except (KeyError, TypeError, ValueError, OverflowError, Invalid):
        raise CursorInvalid from None
