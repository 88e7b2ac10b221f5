"""The desk looks a countermark up, validates it, and undoes a validation. Checks in the order of domain.md §5.2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from services.booking import answers, refusals
from services.booking.application.loading import load
from services.booking.domain.booking import Booking
from services.booking.domain.desk import check_usable
from services.booking.domain.rules import read_countermark
from services.booking.domain.states import Means
from services.booking.storage import bookings
from services.booking.storage.access import Access
from shared.contracts.calls import booking as calls
from shared.eventstore import Connection, Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.kernel.time import PARIS, Clock

DEFAULT_ZONE = PARIS.key
"""For a venue that booking does not know yet."""


class Desk:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def look_up(
        self, connection: Connection, batch: Sequence[Call[calls.DeskLookUp]]
    ) -> list[dict[str, Any] | DomainError]:
        marks = [read_countermark(call.body.countermark) for call in batch]
        rows = bookings.by_countermarks(connection, [mark for mark in marks if mark is not None])
        access = Access(connection, [call.caller for call in batch])
        now = self._clock.now()
        return [_found(rows.get(mark or ""), access, call, now) for call, mark in zip(batch, marks, strict=True)]

    def use(self, tx: Transaction, batch: Sequence[Call[calls.DeskUse]]) -> list[Outcome]:
        return _each(tx, batch, lambda booking, row, call: _use(tx, booking, row, call))

    def keep(self, tx: Transaction, batch: Sequence[Call[calls.DeskKeep]]) -> list[Outcome]:
        return _each(tx, batch, lambda booking, _row, _call: booking.invalidate_at_the_desk(tx.now))


def _found(row: Any, access: Access, call: Call[Any], now: datetime) -> dict[str, Any] | DomainError:
    try:
        _check_known(row, access, call.caller)
        check_usable(row, now, row.timezone or DEFAULT_ZONE)
    except DomainError as refusal:
        return refusal
    return answers.booking_with_person(row, now)


def _use(tx: Transaction, booking: Booking, row: Any, call: Call[Any]) -> None:
    means = Means.API if call.caller is not None and call.caller.offerer_id is not None else Means.DESK
    booking.validate_at_the_desk(tx.now, means, row.timezone or DEFAULT_ZONE)


def _each(
    tx: Transaction, batch: Sequence[Call[Any]], decide: Callable[[Booking, Any, Call[Any]], None]
) -> list[Outcome]:
    """Decides in order: each call sees the decisions of the earlier ones. A refusal is an outcome of its own call."""
    marks = [read_countermark(call.body.countermark) for call in batch]
    rows = bookings.by_countermarks(tx.connection, [mark for mark in marks if mark is not None])
    access = Access(tx.connection, [call.caller for call in batch])
    loaded = {one.booking_id: one for one in load(tx, [row.booking_id for row in rows.values()])}
    outcomes: list[Outcome] = []
    for call, mark in zip(batch, marks, strict=True):
        row: Any = rows.get(mark or "")
        try:
            _check_known(row, access, call.caller)
            decide(loaded[row.booking_id], row, call)
            outcomes.append({})
        except DomainError as refusal:
            outcomes.append(refusal)
    tx.save(*loaded.values())
    return outcomes


def _check_known(row: Any, access: Access, caller: Caller | None) -> None:
    if row is None:
        raise refusals.UnknownCountermark
    if not access.allows(caller, row.offerer_id):
        raise refusals.NotYours
