"""The checks of the desk, in the order of domain.md §5.2. They read a booking, or its row."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from services.booking import refusals
from services.booking.domain.states import Status


class Countermarked(Protocol):
    """What the checks read."""

    @property
    def status(self) -> str: ...
    @property
    def batch_id(self) -> int | None: ...
    @property
    def activation_code(self) -> str | None: ...
    @property
    def beginning_at(self) -> datetime | None: ...
    @property
    def cancellation_limit_at(self) -> datetime | None: ...
    @property
    def booked_at(self) -> datetime: ...


def check_usable(booking: Countermarked, now: datetime, zone: str) -> None:
    """Raises the refusal of a look-up or a validation."""
    if _is_paid(booking):
        raise refusals.DeskReimbursed
    if booking.status == Status.USED:
        raise refusals.DeskAlreadyUsed
    if booking.status == Status.CANCELLED:
        raise refusals.DeskCancelled
    limit = booking.cancellation_limit_at
    if booking.beginning_at is not None and limit is not None and now < limit:
        raise refusals.TooEarly(local_text(booking.booked_at, zone), local_text(limit, zone))


def check_undoable(booking: Countermarked) -> None:
    """Raises the refusal of undoing a validation."""
    if booking.activation_code is not None:
        raise refusals.NotUndoable
    if booking.status == Status.CANCELLED:
        raise refusals.DeskCancelled
    if _is_paid(booking):
        raise refusals.DeskReimbursing
    if booking.status != Status.USED:
        raise refusals.NotUsed


def check_cancellable(booking: Countermarked) -> None:
    """Raises the refusal of a cancellation by the desk: it may cancel after the young person's limit, but nothing that
    is used (domain.md §4.4)."""
    if booking.status == Status.CANCELLED:
        raise refusals.DeskAlreadyCancelled
    if booking.status != Status.CONFIRMED:
        raise refusals.DeskCannotCancelUsed


def _is_paid(booking: Countermarked) -> bool:
    return booking.batch_id is not None or booking.status == Status.REIMBURSED


def local_text(instant: datetime, zone: str) -> str:
    """``02/11/2021 à 10:00`` by the clocks of a venue."""
    return f"{instant.astimezone(ZoneInfo(zone)):%d/%m/%Y à %H:%M}"
