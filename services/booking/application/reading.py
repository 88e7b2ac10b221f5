"""What people ask of their bookings: the young, the venues."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from services.booking.application import asked
from services.booking.domain import errors
from services.booking.domain.booking import Status
from services.booking.neighbours import Identity
from services.booking.shapes import booking_shape
from services.booking.storage import bookings as stored
from services.booking.storage import facts
from services.booking.storage.tables import bookings
from shared.contracts.identity import UNNAMED
from shared.eventstore import Store, sql
from shared.eventstore.outcomes import Call
from shared.kernel.errors import DomainError, Invalid, Unavailable
from shared.kernel.time import Clock, instant_text, parse_instant

PAGE = 50
RECAP_PAGE = 1_000
RECAP_DAYS = 60
"""The recap's period when none is given (decision 27)."""
STATES = ("ongoing", "ended", Status.CONFIRMED, Status.USED, Status.CANCELLED, Status.REIMBURSED)
SEES_ALL = frozenset({"staff", "operator"})


class Reading:
    def __init__(self, store: Store, clock: Clock, identity: Identity) -> None:
        self._store, self._clock, self._identity = store, clock, identity

    def booking(self, connection: sa.Connection, calls: Sequence[Call]) -> list[dict[str, Any] | DomainError]:
        """``{bookingId}``, the caller is the person → the booking."""
        numbers = [_number(call) for call in calls]
        rows, now = stored.by_numbers(connection, numbers), self._clock.now()
        return [_own(rows.get(number), call, now) for call, number in zip(calls, numbers, strict=True)]

    def bookings(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """``{status?, cursor?, limit?}`` → the caller's bookings, the newest first."""
        status, before = _status(call.data), None
        if call.data.get("cursor") is not None:
            cursor = asked.read_cursor(call.data["cursor"])
            status, before = _status(cursor), asked.number_in(cursor, "before")
        person = call.caller.account_id if call.caller else 0
        now, limit = self._clock.now(), asked.limit_in(call.data, default=PAGE)
        found = stored.of_person(connection, person, now, status=status, before=before, limit=limit + 1)
        page = found[:limit]
        more = {"before": page[-1].booking_id, "status": status} if len(found) > limit else None
        return {
            "items": [booking_shape(row, row, now) for row in page],
            "nextCursor": more and asked.write_cursor(more),
        }

    def of_offer(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """``{offerId, stockId?, status?, beginningAt?, firstIndex?, limit?}`` → ``{items}``: an offer's bookings from a
        number on, each with its ``personId``; its structure's own people and API keys only."""
        data = call.data
        offer_id = asked.number_in(data, "offerId")
        offerer_id = facts.offerer_of(connection, offer_id)
        if offerer_id is None:
            raise errors.UnknownOffer
        if not facts.Access(connection, [call.caller]).allows(call.caller, offerer_id):
            raise errors.NotYourOffer
        now = self._clock.now()
        rows = stored.of_offer(
            connection,
            offer_id,
            first=1 if data.get("firstIndex") is None else asked.number_in(data, "firstIndex"),
            limit=asked.limit_in(data, default=PAGE),
            stock_id=None if data.get("stockId") is None else asked.number_in(data, "stockId"),
            status=_status(data),
            beginning_at=asked.instant_in(data, "beginningAt"),
        )
        return {"items": [booking_shape(row, row, now) | {"personId": row.person_id} for row in rows]}

    def counters(self, connection: sa.Connection, call: Call) -> dict[str, dict[str, int]]:
        """``{venueIds}`` → by venue: places in ongoing and in validated bookings, and its sold-out offers."""
        venue_ids = self._visible(connection, call, asked.numbers_in(call.data, "venueIds"))
        now = self._clock.now()
        counts = stored.counts_of_venues(connection, venue_ids, now)
        sold_out = stored.sold_out_offers(connection, venue_ids, now)
        return {
            str(venue_id): {
                "ongoingBookings": int(counts[venue_id].ongoing) if venue_id in counts else 0,
                "validatedBookings": int(counts[venue_id].validated) if venue_id in counts else 0,
                "soldOutOffers": sold_out.get(venue_id, 0),
            }
            for venue_id in venue_ids
        }

    def recap(self, call: Call) -> dict[str, Any]:
        """``{venueIds?, periodFrom?, periodTo?, offerName?, eventDate?, stockId?, cursor?, limit?}`` → rows, the newest
        booking first, each place a row of its own, with the people's names (domain.md §6.1). Days are the venue's.

        ``total`` counts places. A countermark is hidden while its undated booking waits to be used.
        """
        data, before = call.data, None
        if data.get("cursor") is not None:
            data = asked.read_cursor(data["cursor"])
            before = _position(data)
        limit = asked.limit_in(call.data, default=RECAP_PAGE)
        now = self._clock.now()
        with self._store.reading() as connection:
            conditions = self._conditions(connection, call, data, now)
            found = stored.recap(connection, conditions, before=before, limit=limit + 1)
            total = stored.recap_total(connection, conditions)
        page = found[:limit]
        people = self._people({row.person_id for row in page})
        return {
            "items": [item for row in page for item in _recap_rows(row, people.get(row.person_id, UNNAMED), now)],
            "total": total,
            "nextCursor": _next(data, page[-1]) if len(found) > limit else None,
        }

    def _conditions(
        self, connection: sa.Connection, call: Call, data: dict[str, Any], now: datetime
    ) -> list[sa.ColumnElement[bool]]:
        venue_ids = self._recap_venues(connection, call, data)
        conditions = [_within(connection, bookings.c.booked_at, venue_ids, _period(data, now))]
        event_day = asked.day_in(data, "eventDate")
        if event_day is not None:
            that_day = event_day, event_day
            conditions.append(_within(connection, bookings.c.beginning_at, venue_ids, lambda _zone: that_day))
        if data.get("stockId") is not None:
            conditions.append(bookings.c.stock_id == asked.number_in(data, "stockId"))
        name = asked.text_in(data, "offerName")
        if name:
            conditions.append(bookings.c.offer_name.icontains(name, autoescape=True))
        return conditions

    def _recap_venues(self, connection: sa.Connection, call: Call, data: dict[str, Any]) -> list[int]:
        if data.get("venueIds") is not None:
            return self._visible(connection, call, asked.numbers_in(data, "venueIds"))
        offerers = facts.Access(connection, [call.caller]).offerers(call.caller)
        return [venue.venue_id for venue in facts.venues_of(connection, offerers)]

    @staticmethod
    def _visible(connection: sa.Connection, call: Call, venue_ids: Collection[int]) -> list[int]:
        """Those of the venues that the caller may see; another service and staff see all."""
        if call.caller is None or call.caller.roles & SEES_ALL:
            return sorted(set(venue_ids))
        offerers = facts.Access(connection, [call.caller]).offerers(call.caller)
        own = {venue.venue_id for venue in facts.venues_of(connection, offerers)}
        return sorted(own & set(venue_ids))

    def _people(self, person_ids: Collection[int]) -> dict[int, dict[str, Any]]:
        """Names are shown when identity gives them; a list without them is still a list."""
        try:
            return self._identity.people(person_ids)
        except Unavailable:
            return {}


def _number(call: Call) -> int:
    """0, which nobody has, for what is no number."""
    try:
        return asked.number_in(call.data, "bookingId")
    except Invalid:
        return 0


def _own(row: Any, call: Call, now: datetime) -> dict[str, Any] | DomainError:
    if row is None or call.caller is None or row.person_id != call.caller.account_id:
        return errors.UnknownBooking()
    return booking_shape(row, row, now)


def _status(data: dict[str, Any]) -> str | None:
    status = data.get("status")
    if status is not None and status not in STATES:
        raise Invalid(errors={"status": ["Not a state of bookings."]})
    return status


Period = Callable[[str], tuple[date, date]]
"""The first and the last day, for the venues of a time zone."""


def _period(data: dict[str, Any], now: datetime) -> Period:
    """The days that are asked for; without them the last 60, to the day that it is where the venue stands."""
    first, last = asked.day_in(data, "periodFrom"), asked.day_in(data, "periodTo")
    if first is not None and first > (last or now.date() + timedelta(days=1)):
        raise Invalid(errors={"periodFrom": ["Later than the period's end."]})

    def days(zone: str) -> tuple[date, date]:
        end = last or now.astimezone(ZoneInfo(zone)).date()
        return first or end - timedelta(days=RECAP_DAYS - 1), end

    return days


def _within(
    connection: sa.Connection, column: sa.ColumnElement[Any], venue_ids: Collection[int], period: Period
) -> sa.ColumnElement[bool]:
    """Civil days on the clocks of each venue."""
    by_zone: dict[str, list[int]] = {}
    for venue_id, zone in facts.zones(connection, venue_ids).items():
        by_zone.setdefault(zone, []).append(venue_id)
    periods = []
    for zone, among in sorted(by_zone.items()):
        first, last = period(zone)
        begins, ends = _midnight(first, zone), _midnight(last + timedelta(days=1), zone)
        periods.append(sa.and_(sql.among(bookings.c.venue_id, among), column >= begins, column < ends))
    return sa.or_(*periods) if periods else sa.false()


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def _position(cursor: dict[str, Any]) -> tuple[datetime, int]:
    try:
        return parse_instant(cursor["bookedAt"]), asked.number_in(cursor, "before")
    except (KeyError, TypeError, ValueError, OverflowError):
        raise asked.CursorInvalid("Ce curseur n'a pas été donné par cette liste.") from None


def _next(data: dict[str, Any], last: Any) -> str:
    filters = {key: value for key, value in data.items() if key not in ("cursor", "limit")}
    return asked.write_cursor(filters | {"bookedAt": instant_text(last.booked_at), "before": last.booking_id})


def _recap_rows(row: Any, person: dict[str, Any], now: datetime) -> list[dict[str, Any]]:
    shown = {
        "bookingId": row.booking_id,
        "stockId": row.stock_id,
        "offerId": row.offer_id,
        "offerName": row.offer_name,
        "venueId": row.venue_id,
        "venueName": row.venue_name,
        "timezone": row.timezone,
        "beginningAt": instant_text(row.beginning_at),
        "firstName": person["firstName"],
        "lastName": person["lastName"],
        "email": person["email"],
        "phoneNumber": person["phoneNumber"],
        "countermark": None if _is_masked(row) else row.countermark,
        "bookedAt": instant_text(row.booked_at),
        "usedAt": instant_text(row.used_at),
        "reimbursedAt": instant_text(row.reimbursed_at),
        "unitPriceCents": row.unit_price,
        "isDuo": row.quantity > 1,
        "status": _recap_status(row, now),
        "statusHistory": _history(row, now),
    }
    return [shown] * row.quantity


def _is_masked(row: Any) -> bool:
    """So that nobody validates it without the young person (domain.md §6.1)."""
    return row.beginning_at is None and row.status == Status.CONFIRMED


def _is_final(row: Any, now: datetime) -> bool:
    return row.cancellation_limit_at is not None and row.cancellation_limit_at <= now


def _recap_status(row: Any, now: datetime) -> str:
    """reimbursed > cancelled > validated > confirmed > booked."""
    if row.status == Status.CONFIRMED:
        return "confirmed" if _is_final(row, now) else "booked"
    return {Status.USED: "validated"}.get(row.status, str(row.status))


def _history(row: Any, now: datetime) -> list[dict[str, Any]]:
    steps = [("booked", row.booked_at)]
    if row.cancelled_at is not None:
        return _dated([*steps, ("cancelled", row.cancelled_at)])
    if _is_final(row, now):
        steps.append(("confirmed", row.cancellation_limit_at))
    steps += [("validated", row.used_at), ("reimbursed", row.reimbursed_at)]
    return _dated(steps)


def _dated(steps: list[tuple[str, datetime | None]]) -> list[dict[str, Any]]:
    return [{"status": status, "date": instant_text(at)} for status, at in steps if at is not None]
