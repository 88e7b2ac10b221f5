"""Prices validated bookings, takes prices back, corrects lines in closed batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.payout.domain.establishment_year import Correction, Validation
from services.payout.domain.revenue import revenue_year
from services.payout.refusals import NoSuchLine, NotInABatch
from services.payout.storage.years import Years, validation
from shared.contracts.calls import payout as calls
from shared.eventstore import Message, Transaction
from shared.eventstore.outcomes import Call
from shared.kernel.errors import Invalid
from shared.kernel.money import ZERO, Cents, euros
from shared.kernel.time import parse_instant, parse_optional_instant

UNDONE = ("invalidated", "cancelled")
"""The reasons of corrections that take a whole line back."""


def validated(tx: Transaction, message: Message) -> None:
    """CountermarkValidated: a line at its place in its establishment's year. A repetition changes nothing."""
    years, booking = Years.of(tx), _booking(message.data)
    live = _live(years.lines_of_booking(booking.booking_id))
    if live is not None:
        if (live.attempt, live.used_at) == (booking.attempt, booking.used_at):
            return
        _undo(tx, message, live, "invalidated")
    year = years.one((message.data["establishment"], revenue_year(booking.used_at)), since=booking.used_at)
    year.validate(message.occurred_at, years.next_line_id(), booking, years.rules)
    tx.save(year)


def invalidated(tx: Transaction, message: Message) -> None:
    """CountermarkInvalidated: removes the line, or corrects it when a batch holds it (decision 30)."""
    _take_back(tx, message, "invalidated")


def cancelled(tx: Transaction, message: Message) -> None:
    """BookingCancelled: most were never validated and have no line."""
    _take_back(tx, message, "cancelled")


def correct(tx: Transaction, call: Call[calls.Correct]) -> dict[str, Any]:
    """Sets what a line in a batch should have reimbursed; the difference is a line of the next batch.

    Raises NoSuchLine; NotInABatch, because an open line is undone at the desk or by staff; Invalid for more than the
    booking's price, or its custom rule's amount: a typing error must not become a transfer.
    """
    booking_id, right = call.body.booking_id, call.body.reimbursed
    years = Years.of(tx)
    rows = years.lines_of_booking(booking_id)
    live = _live(rows)
    if live is None:
        raise NoSuchLine(f"La réservation {booking_id} n’a aucune ligne de remboursement.")
    if live.provisional:
        raise NotInABatch(
            f"La réservation {booking_id} n’est encore dans aucun lot : faites plutôt annuler sa validation."
        )
    limit = max(live.amount_cents, live.reimbursed_cents)
    if right > limit:
        raise Invalid(
            f"Vous ne pouvez pas rembourser plus de {euros(Cents(limit), point=',')} € pour cette réservation.",
            errors={"reimbursedCents": [f"Indiquez au plus {limit} centimes."]},
        )
    more = Cents(right - _with_corrections(rows, live)[1])
    if more == 0:
        return {"lineId": None, "corrects": live.line_id, "reimbursedCents": 0}
    reason = f"staff: {call.body.reason}"
    correction = Correction(years.next_line_id(), live.line_id, ZERO, more, ZERO, reason)
    _add(tx, live, correction, tx.now)
    return {"lineId": correction.line_id, "corrects": live.line_id, "reimbursedCents": more}


def _take_back(tx: Transaction, message: Message, reason: str) -> None:
    live = _live(Years.of(tx).lines_of_booking(message.data["bookingId"]))
    if live is not None:
        _undo(tx, message, live, reason)


def _undo(tx: Transaction, message: Message, live: Any, reason: str) -> None:
    years = Years.of(tx)
    if live.provisional:
        year = years.one((live.establishment, live.year), since=live.used_at)
        year.invalidate(message.occurred_at, live.line_id, reason, years.rules)
        tx.save(year)
        return
    amount, reimbursed = _with_corrections(years.lines_of_booking(live.booking_id), live)
    correction = Correction(
        years.next_line_id(), live.line_id, Cents(-amount), Cents(-reimbursed), Cents(-live.entering_cents), reason
    )
    _add(tx, live, correction, message.occurred_at)


def _add(tx: Transaction, live: Any, correction: Correction, at: datetime) -> None:
    years = Years.of(tx)
    year = years.one((live.establishment, live.year))
    year.correct(at, validation(live), correction, years.rules)
    tx.save(year)


def _live(rows: Sequence[Any]) -> Any | None:
    """The line in force of a booking, at most one: no correction, and taken back by none."""
    taken_back = {row.corrects for row in rows if row.reason in UNDONE}
    live = [row for row in rows if row.corrects is None and row.line_id not in taken_back]
    assert len(live) <= 1, "a booking has one line in force"
    return live[0] if live else None


def _with_corrections(rows: Sequence[Any], line: Any) -> tuple[Cents, Cents]:
    """(price, reimbursed) of a line with its corrections."""
    of_line = [row for row in rows if line.line_id in (row.line_id, row.corrects)]
    return Cents(sum(row.amount_cents for row in of_line)), Cents(sum(row.reimbursed_cents for row in of_line))


def _booking(data: dict[str, Any]) -> Validation:
    found = Validation(
        booking_id=data["bookingId"],
        attempt=data["attempt"],
        person_id=data["personId"],
        stock_id=data["stockId"],
        offer_id=data["offerId"],
        offer_name=data["offerName"],
        venue_id=data["venueId"],
        offerer_id=data["offererId"],
        subcategory=data["subcategory"],
        countermark=data["countermark"],
        quantity=data["quantity"],
        unit_price=Cents(data["unitPriceCents"]),
        booked_at=parse_instant(data["bookedAt"]),
        begins_at=parse_optional_instant(data["beginningAt"]),
        used_at=parse_instant(data["usedAt"]),
    )
    if found.total != data["totalCents"]:
        raise ValueError(
            f"booking {found.booking_id}: {found.total} cents by unit and quantity, {data['totalCents']} in the message"
        )
    return found
