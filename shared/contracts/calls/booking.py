"""Booking's calls: a person's bookings, the desk, the recap of venues, and what other services need of them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from marshmallow import ValidationError, fields

from shared.contracts.calls.contract import API_KEY, PLATFORM, PRO, SIGNED_IN, STAFF, Command, Data, Query
from shared.contracts.calls.types import CivilDay, Id, Ids, Instant, NextPage, PageSize, Position, Reason
from shared.contracts.fields import NOT_TEXT, Date, OneOf, Text, Whole, length
from shared.kernel.identifiers import MAX_NUMBER

STATUSES = ("confirmed", "used", "cancelled", "reimbursed")
MAX_RECAP_BOOKINGS = 1_000
MAX_OFFER_BOOKINGS = 50
MAX_TYPED = 100
_PERIOD = "First day of booking; without it the period is of 60 days."

_CREDIT = ("insufficient-credit", "digital-cap-reached", "physical-cap-reached")
_AT_THE_DESK = SIGNED_IN | API_KEY
_KNOWN = ("countermark-unknown", "not-your-booking", "booking-cancelled")
_USABLE = (*_KNOWN, "already-reimbursed", "already-used", "too-early")


class Typed(fields.String):
    """Text as it was typed or scanned, with any characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(validate=length(0, MAX_TYPED), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError(NOT_TEXT)
        return value


Countermark = Annotated[str, Typed()]
"""In upper or lower case. Text that cannot be a countermark is an unknown one."""


class Book(
    Command,
    by=SIGNED_IN,
    refuses=(
        "not-found",
        "not-a-beneficiary",
        "already-booked",
        "quantity-invalid",
        "stock-not-bookable",
        *_CREDIT,
        "no-activation-code",
    ),
):
    """Books one place or copy, or two of a duo offer, and gives its countermark."""

    stock_id: Id
    quantity: Annotated[int, Whole(1, MAX_NUMBER)]


class Cancel(Command, by=SIGNED_IN, refuses=("cancellation-limit-passed", "already-used", "already-cancelled")):
    """Cancels a booking; its credit and its place are available again at once."""

    booking_id: Id


class Booking(Query, by=SIGNED_IN):
    """One booking of the caller's."""

    booking_id: Id


class Bookings(Query, by=SIGNED_IN):
    """Ongoing and ended bookings of the caller's, newest first."""

    status: Annotated[str, OneOf(("ongoing", "ended", *STATUSES))] | None = None
    cursor: NextPage | None = None
    limit: PageSize = 50


class DeskLookUp(Query, by=_AT_THE_DESK, refuses=_USABLE):
    """A booking by its countermark, with its ``personId``."""

    countermark: Countermark


class DeskUse(Command, by=_AT_THE_DESK, refuses=_USABLE):
    """Validates a countermark."""

    countermark: Countermark


class DeskKeep(
    Command, by=_AT_THE_DESK, refuses=(*_KNOWN, "already-reimbursed", "not-used", "activation-code-booking")
):
    """Undoes a validation."""

    countermark: Countermark


class DeskCancel(Command, by=_AT_THE_DESK, refuses=(*_KNOWN, "already-used")):
    """Cancels a booking for the structure, even after its cancellation limit, as long as it is not used."""

    countermark: Countermark


class OfferBookings(Query, by=_AT_THE_DESK):
    """The bookings of an offer by number, from ``firstIndex`` on, each with its ``personId``: ``{items}``."""

    offer_id: Id
    stock_id: Id | None = None
    status: Annotated[str, OneOf(STATUSES)] | None = None
    beginning_at: Instant | None = None
    first_index: Id = 1
    limit: Annotated[int, Whole(1, MAX_OFFER_BOOKINGS)] = MAX_OFFER_BOOKINGS


class SetQuantity(Command, by=PLATFORM, refuses=("stock-not-bookable", "quantity-below-booked")):
    """Changes the quantity of a stock, for catalog: ``{remaining}``; null means no limit."""

    stock_id: Id
    quantity: Annotated[int, Whole(0, MAX_NUMBER)] | None


class StaffCancel(Command, by=STAFF, refuses=("already-cancelled", "in-a-batch")):
    """Cancels any booking that is in no batch.

    ``reason``: one of domain.md §4.1, or a text of staff's own.
    """

    booking_id: Id
    reason: Reason


class StaffRestore(Command, by=STAFF, refuses=("not-cancelled", "already-booked", "stock-not-bookable", *_CREDIT)):
    """Undoes a cancellation, for a booking that was collected nevertheless: its credit is reserved again."""

    booking_id: Id
    reason: Reason


class Counters(Query, by=PRO | STAFF | PLATFORM):
    """By venue: places in ongoing and in validated bookings, and its sold-out offers.

    A structure's people see its venues only; staff and services see all.
    """

    venue_ids: Ids


class RecapFilters(Data):
    """Days are in the venue's time zone."""

    period_from: Annotated[date, Date(metadata={"description": _PERIOD})] | None = None
    period_to: CivilDay | None = None
    offer_name: Annotated[str, Text(1, 140)] | None = None
    event_date: CivilDay | None = None


class Recap(RecapFilters, Query, by=PRO | STAFF | PLATFORM):
    """The bookings at the caller's venues, newest first, a row for each place: ``{items, total, nextCursor}``.

    ``limit`` counts bookings, ``total`` places. The
    countermark is null while an undated booking waits. The cursor brings the filters of its first page along.
    """

    venue_ids: Ids | None = None
    stock_id: Id | None = None
    cursor: NextPage | None = None
    limit: Annotated[int, Whole(1, MAX_RECAP_BOOKINGS)] = MAX_RECAP_BOOKINGS


class ValidateDue(Command, by=PLATFORM):
    """Runs the automatic validations due before an instant: ``{position}``, at which all of them are published."""

    until: Instant


class Ledger(Query, by=PLATFORM):
    """The sums of booking's log up to a position (its end by default), for reconciliation."""

    position: Position | None = None
