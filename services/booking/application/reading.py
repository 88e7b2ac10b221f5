"""What people ask of their bookings: the young, the venues."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.booking.application.cursors import read_recap_cursor, recap_cursor
from services.booking.domain import errors
from services.booking.domain.booking import Status
from services.booking.neighbours import Identity
from services.booking.shapes import booking_shape
from services.booking.storage import bookings as stored
from services.booking.storage import facts
from services.booking.storage.bookings import RecapFilter, Span
from shared.contracts.calls import booking as calls
from shared.contracts.calls.contract import number_after
from shared.contracts.identity import UNNAMED
from shared.eventstore import Connection, Store
from shared.eventstore.outcomes import Call, Caller
from shared.kernel.errors import DomainError, Invalid, Unavailable
from shared.kernel.time import Clock, instant_text

RECAP_DAYS = 60
"""The recap's period when none is given (decision 27)."""


class Reading:
    def __init__(self, store: Store, clock: Clock, identity: Identity) -> None:
        self._store, self._clock, self._identity = store, clock, identity

    def booking(
        self, connection: Connection, batch: Sequence[Call[calls.Booking]]
    ) -> list[dict[str, Any] | DomainError]:
        rows = stored.by_numbers(connection, [call.body.booking_id for call in batch])
        now = self._clock.now()
        return [_own(rows.get(call.body.booking_id), call.caller, now) for call in batch]

    def bookings(self, connection: Connection, call: Call[calls.Bookings]) -> dict[str, Any]:
        query, now = call.body, self._clock.now()
        found = stored.of_person(
            connection,
            call.caller.account_id if call.caller else 0,
            now,
            status=query.status,
            before=number_after(query.cursor),
            limit=query.limit + 1,
        )
        page = found[: query.limit]
        return {
            "items": [booking_shape(row, row, now) for row in page],
            "nextCursor": str(page[-1].booking_id) if len(found) > query.limit else None,
        }

    def of_offer(self, connection: Connection, call: Call[calls.OfferBookings]) -> dict[str, Any]:
        """Its structure's own people and API keys only."""
        query = call.body
        offerer_id = facts.offerer_of(connection, query.offer_id)
        if offerer_id is None:
            raise errors.UnknownOffer
        if not facts.Access(connection, [call.caller]).allows(call.caller, offerer_id):
            raise errors.NotYourOffer
        now = self._clock.now()
        rows = stored.of_offer(
            connection,
            query.offer_id,
            first=query.first_index,
            limit=query.limit,
            stock_id=query.stock_id,
            status=query.status,
            beginning_at=query.beginning_at,
        )
        return {"items": [booking_shape(row, row, now) | {"personId": row.person_id} for row in rows]}

    def counters(self, connection: Connection, call: Call[calls.Counters]) -> dict[str, dict[str, int]]:
        venue_ids = self._visible(connection, call.caller, call.body.venue_ids)
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

    def recap(self, call: Call[calls.Recap]) -> dict[str, Any]:
        """With the people's names (domain.md §6.1)."""
        query, before = read_recap_cursor(call.body)
        now = self._clock.now()
        with self._store.reading() as connection:
            wanted = self._recap_filter(connection, call.caller, query, now)
            found = stored.recap(connection, wanted, before=before, limit=query.limit + 1)
            total = stored.recap_total(connection, wanted)
        page = found[: query.limit]
        people = self._people({row.person_id for row in page})
        return {
            "items": [item for row in page for item in _recap_rows(row, people.get(row.person_id, UNNAMED), now)],
            "total": total,
            "nextCursor": recap_cursor(query, page[-1].booked_at, page[-1].booking_id)
            if len(found) > query.limit
            else None,
        }

    def _recap_filter(
        self, connection: Connection, caller: Caller | None, query: calls.Recap, now: datetime
    ) -> RecapFilter:
        zones = facts.zones(connection, self._recap_venues(connection, caller, query))
        day = query.event_date
        return RecapFilter(
            booked=_spans(zones, _period(query, now)),
            dated=None if day is None else _spans(zones, lambda _zone: (day, day)),
            stock_id=query.stock_id,
            offer_name=query.offer_name,
        )

    def _recap_venues(self, connection: Connection, caller: Caller | None, query: calls.Recap) -> list[int]:
        if query.venue_ids is not None:
            return self._visible(connection, caller, query.venue_ids)
        offerers = facts.Access(connection, [caller]).offerers(caller)
        return [venue.venue_id for venue in facts.venues_of(connection, offerers)]

    @staticmethod
    def _visible(connection: Connection, caller: Caller | None, venue_ids: Collection[int]) -> list[int]:
        """Those of the venues that the caller may see; another service and staff see all."""
        if caller is None or "staff" in caller.roles:
            return sorted(set(venue_ids))
        offerers = facts.Access(connection, [caller]).offerers(caller)
        own = {venue.venue_id for venue in facts.venues_of(connection, offerers)}
        return sorted(own & set(venue_ids))

    def _people(self, person_ids: Collection[int]) -> dict[int, dict[str, Any]]:
        """Names are shown when identity gives them; a list without them is still a list."""
        try:
            return self._identity.people(person_ids)
        except Unavailable:
            return {}


def _own(row: Any, caller: Caller | None, now: datetime) -> dict[str, Any] | DomainError:
    if row is None or caller is None or row.person_id != caller.account_id:
        return errors.UnknownBooking()
    return booking_shape(row, row, now)


Period = Callable[[str], tuple[date, date]]
"""The first and the last day, for the venues of a time zone."""


def _period(query: calls.Recap, now: datetime) -> Period:
    """The days of the query; without them the last 60, up to the venue's present day."""
    first, last = query.period_from, query.period_to
    if first is not None and first > (last or now.date() + timedelta(days=1)):
        raise Invalid(errors={"periodFrom": ["Later than the period's end."]})

    def days(zone: str) -> tuple[date, date]:
        end = last or now.astimezone(ZoneInfo(zone)).date()
        return first or end - timedelta(days=RECAP_DAYS - 1), end

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
