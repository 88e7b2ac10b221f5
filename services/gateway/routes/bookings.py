"""Booking, and what was booked."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import quote

import segno
from flask import Response, g

from services.gateway.schemas import bookings as schemas
from services.gateway.web.audience import Audience
from services.gateway.web.calls import ask, inquire, send
from services.gateway.web.cursors import page_of
from services.gateway.web.gate import Gate, gate
from shared.contracts.calls import booking as calls
from shared.contracts.calls import identity
from shared.contracts.calls.contract import SIGNED_IN
from shared.kernel.callers import Caller
from shared.kernel.errors import NotFound, Unavailable

audience = Audience("Bookings", "Booking, and what was booked.")

EMAIL_PLACE = "{email}"
QR_MODULE = 6
"""Units of the drawing that one square of the code is wide."""


@audience.endpoint(
    "POST",
    "/v1/bookings",
    access=SIGNED_IN,
    body=schemas.NewBooking,
    answers=(201, schemas.Booking),
    key_required=True,
    refuses=calls.Book.REFUSES,
)
def book(body: schemas.NewBooking) -> Any:
    """Books one place or copy, or two of a duo offer, and gives its countermark."""
    return _shown(send(calls.Book(stock_id=body.stock_id, quantity=body.quantity), batched=True))


@audience.endpoint(
    "GET",
    "/v1/me/bookings",
    query=calls.Bookings,
    answers=(200, schemas.Bookings),
    refuses=["cursor-invalid"],
)
def my_bookings(query: calls.Bookings) -> Any:
    """Ongoing and ended bookings, newest first."""
    page = page_of(query, ["status"], ask)
    return {**page, "items": to_its_person(gate(), g.caller, page["items"])}


@audience.endpoint("GET", "/v1/me/bookings/<number:booking_id>", query=calls.Booking, answers=(200, schemas.Booking))
def my_booking(query: calls.Booking) -> Any:
    """One booking."""
    return _shown(ask(query, batched=True))


@audience.endpoint("GET", "/v1/me/bookings/<number:booking_id>/qr.svg", query=calls.Booking, media_type="image/svg+xml")
def my_booking_qr(query: calls.Booking) -> Any:
    """The QR code that the desk reads, as a drawing; none for what cannot be shown at a desk any more."""
    booking = ask(query, batched=True)
    text = booking.get("qrCode")
    if not text:
        raise NotFound("this booking has no QR code any more")
    drawing = io.BytesIO()
    segno.make(text, error="m").save(drawing, kind="svg", scale=QR_MODULE, border=4, title=booking["countermark"])
    return Response(drawing.getvalue(), mimetype="image/svg+xml")


@audience.endpoint(
    "POST",
    "/v1/me/bookings/<number:booking_id>/cancel",
    command=calls.Cancel,
    answers=(200, schemas.Booking),
)
def cancel_my_booking(command: calls.Cancel) -> Any:
    """Cancels a booking; the credit and the place are back at once."""
    return _shown(send(command))


def _shown(booking: dict[str, Any]) -> dict[str, Any]:
    return to_its_person(gate(), g.caller, [booking])[0]


def to_its_person(here: Gate, caller: Caller, bookings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Bookings with the person's e-mail filled into offers' addresses. Only identity has it: while identity does not
    answer, the placeholder stays."""
    if not any(EMAIL_PLACE in (booking.get("completedUrl") or "") for booking in bookings):
        return bookings
    try:
        query = identity.People(account_ids=(caller.account_id,))
        people = inquire(here, query, caller=None, batched=True)["people"]
    except Unavailable:
        return bookings
    email = quote(people.get(str(caller.account_id), {}).get("email", ""), safe="@")
    return [
        {**booking, "completedUrl": booking["completedUrl"].replace(EMAIL_PLACE, email)}
        if booking.get("completedUrl")
        else booking
        for booking in bookings
    ]
