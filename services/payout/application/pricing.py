"""Validations priced, validations undone, lines corrected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.payout.application import requests
from services.payout.domain.establishment_year import Correction, Validation
from services.payout.domain.refusals import BadRequest, NoSuchLine, NotInABatch
from services.payout.domain.revenue import revenue_year
from services.payout.storage.years import Years, validation
from shared.eventstore import Message, Transaction
from shared.kernel.money import MAX_CENTS, ZERO, Cents
from shared.kernel.time import parse_instant, parse_optional_instant
from shared.messaging.calls import Call

UNDONE = ("invalidated", "cancelled")
"""The reasons of corrections that take a whole line back."""


class Pricing:
    def __init__(self, years: Years) -> None:
        self._years = years

    def validated(self, tx: Transaction, message: Message) -> None:
        """CountermarkValidated: a line at its place in its establishment's year. Told twice, it is one line."""
        booking = _booking(message.data)
        live = _live(self._years.lines_of_booking(tx, booking.booking_id))
        if live is not None:
            if (live.attempt, live.used_at) == (booking.attempt, booking.used_at):
                return
            self._undo(tx, message, live, "invalidated")
        place = (message.data["establishment"], revenue_year(booking.used_at))
        year = self._years.one(tx, *place, since=booking.used_at)
        year.validate(message.occurred_at, self._years.next_line_id(tx), booking, self._years.rules(tx))
        tx.save(year)

    def invalidated(self, tx: Transaction, message: Message) -> None:
        """CountermarkInvalidated: the line goes; one in a closed batch is corrected in the next (decision 30)."""
        self._take_back(tx, message, "invalidated")

    def cancelled(self, tx: Transaction, message: Message) -> None:
        """BookingCancelled: most had never been validated, and have no line."""
        self._take_back(tx, message, "cancelled")

    def correct(self, tx: Transaction, call: Call) -> dict[str, Any]:
        """Staff say what a line in a batch should have reimbursed; the difference is a line of the next batch.

        Raises NoSuchLine, NotInABatch (an open line is undone at the desk or by staff, not corrected), BadRequest for
        more than the booking cost, or than its custom rule gave: a slip of the hand must not become a transfer.
        """
        booking_id = requests.number(call.data, "bookingId")
        right = Cents(requests.number(call.data, "reimbursedCents", at_least=0, at_most=MAX_CENTS))
        reason = requests.text(call.data, "reason", at_most=500)
        rows = self._years.lines_of_booking(tx, booking_id)
        live = _live(rows)
        if live is None:
            raise NoSuchLine(f"booking {booking_id} has no line")
        if live.provisional:
            raise NotInABatch(f"the line of booking {booking_id} is in no batch yet")
        most = max(live.amount_cents, live.reimbursed_cents)
        if right > most:
            raise BadRequest(f"reimbursedCents: at most {most}", errors={"reimbursedCents": [f"at most {most}"]})
        more = Cents(right - _net(rows, live)[1])
        if more == 0:
            return {"lineId": None, "corrects": live.line_id, "reimbursedCents": 0}
        fix = Correction(self._years.next_line_id(tx), live.line_id, ZERO, more, ZERO, f"staff: {reason}")
        self._add(tx, live, fix, tx.now)
        return {"lineId": fix.line_id, "corrects": live.line_id, "reimbursedCents": more}

    def _take_back(self, tx: Transaction, message: Message, reason: str) -> None:
        live = _live(self._years.lines_of_booking(tx, message.data["bookingId"]))
        if live is not None:
            self._undo(tx, message, live, reason)

    def _undo(self, tx: Transaction, message: Message, live: Any, reason: str) -> None:
        if live.provisional:
            year = self._years.one(tx, live.establishment, live.year, since=live.used_at)
            year.invalidate(message.occurred_at, live.line_id, reason, self._years.rules(tx))
            tx.save(year)
            return
        amount, reimbursed = _net(self._years.lines_of_booking(tx, live.booking_id), live)
        fix = Correction(
            self._years.next_line_id(tx),
            live.line_id,
            Cents(-amount),
            Cents(-reimbursed),
            Cents(-live.entering_cents),
            reason,
        )
        self._add(tx, live, fix, message.occurred_at)

    def _add(self, tx: Transaction, live: Any, fix: Correction, at: Any) -> None:
        year = self._years.one(tx, live.establishment, live.year)
        year.correct(at, validation(live), fix, self._years.rules(tx))
        tx.save(year)


def _live(rows: Sequence[Any]) -> Any | None:
    """A booking's line that stands: neither a correction nor taken back by one. There is one at most."""
    taken_back = {row.corrects for row in rows if row.reason in UNDONE}
    standing = [row for row in rows if row.corrects is None and row.line_id not in taken_back]
    assert len(standing) <= 1, "a booking has one line that stands"
    return standing[0] if standing else None


def _net(rows: Sequence[Any], line: Any) -> tuple[Cents, Cents]:
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
            f"booking {found.booking_id}: {found.total} cents by unit and quantity, {data['totalCents']} told"
        )
    return found
