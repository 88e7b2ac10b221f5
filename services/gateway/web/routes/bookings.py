"""Booking, and bookings."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import quote

import segno
from flask import Response, g

from services.gateway.ports import Ports, current_ports
from services.gateway.web.endpoints.audience import Audience
from services.gateway.web.endpoints.calls import ask, ask_as, send
from services.gateway.web.responses.cursors import page_of
from services.gateway.web.schemas import bookings as schemas
from shared.contracts.calls import booking as calls
from shared.contracts.calls import identity
from shared.contracts.calls.contract import SIGNED_IN
from shared.kernel.callers import Caller
from shared.kernel.errors import NotFound, Unavailable

audience = Audience("Bookings", "Booking an offer, and one's own bookings.")

EMAIL_PLACEHOLDER = "{email}"
QR_MODULE = 6
"""Width of a module of the code, in units of the drawing."""


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
    """Books one place or copy, or two of a duo offer, and returns its countermark."""
    return _completed(send(calls.Book(stock_id=body.stock_id, quantity=body.quantity), batched=True))


@audience.endpoint("GET", "/v1/me/bookings", query=calls.Bookings, answers=(200, schemas.Bookings))
def my_bookings(query: calls.Bookings) -> Any:
    """Ongoing and ended bookings, newest first."""
    page = page_of(query, ["status"], ask)
    return {**page, "items": with_email(current_ports(), g.caller, page["items"])}


@audience.endpoint("GET", "/v1/me/bookings/<number:booking_id>", query=calls.Booking, answers=(200, schemas.Booking))
def my_booking(query: calls.Booking) -> Any:
    """One booking."""
    return _completed(ask(query, batched=True))


@audience.endpoint("GET", "/v1/me/bookings/<number:booking_id>/qr.svg", query=calls.Booking, media_type="image/svg+xml")
def my_booking_qr(query: calls.Booking) -> Any:
    """The QR code for the desk, as a drawing. 404 if the booking can no longer be used."""
    booking = ask(query, batched=True)
    text = booking.get("qrCode")
    if not text:
        raise NotFound("Cette réservation n’a plus de QR code.")
    drawing = io.BytesIO()
    segno.make(text, error="m").save(drawing, kind="svg", scale=QR_MODULE, border=4, title=booking["countermark"])
    return Response(drawing.getvalue(), mimetype="image/svg+xml")


@audience.endpoint(
    "POST", "/v1/me/bookings/<number:booking_id>/cancel", command=calls.Cancel, answers=(200, schemas.Booking)
)
def cancel_my_booking(command: calls.Cancel) -> Any:
    """Cancels a booking. The credit and the place are free at once."""
    return _completed(send(command))


def _completed(booking: dict[str, Any]) -> dict[str, Any]:
    return with_email(current_ports(), g.caller, [booking])[0]


def with_email(ports: Ports, caller: Caller, bookings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The bookings with the person's e-mail in the URLs of offers. Identity owns e-mails: while it does not answer, the
    placeholder remains."""
    if not any(EMAIL_PLACEHOLDER in (booking.get("completedUrl") or "") for booking in bookings):
        return bookings
    try:
        query = identity.People(account_ids=(caller.account_id,))
        people = ask_as(ports, query, caller=None, batched=True)["people"]
    except Unavailable:
        return bookings
    email = quote(people.get(str(caller.account_id), {}).get("email", ""), safe="@")
    return [
        {**booking, "completedUrl": booking["completedUrl"].replace(EMAIL_PLACEHOLDER, email)}
        if booking.get("completedUrl")
        else booking
        for booking in bookings
    ]
