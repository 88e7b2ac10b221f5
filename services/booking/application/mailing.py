"""Mails and pushes about bookings, written from booking's own log.

A booking never waits for a mail, and a mail that fails never makes a booking fail. Identity gives names and addresses
when a mail is written; they are stored until it is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from services.booking import mails
from services.booking.domain.booking import Booking
from services.booking.domain.states import Reason, Status
from services.booking.domain.stock import Stock
from services.booking.neighbours import Identity
from services.booking.storage import bookings
from services.booking.storage import mail_progress as progress
from shared.contracts.identity import UNNAMED
from shared.eventstore import Connection, Store
from shared.kernel.errors import Unavailable
from shared.notifications import Mail, Notification, Outbox, Push

BATCH = 100
MAX_LISTED = 200
"""Bookings that the mail about a withdrawn stock lists by name."""
KINDS = (
    Booking.Confirmed, Booking.Cancelled, Booking.Moved, Booking.ExpiryApproached, Stock.EveReached, Stock.Withdrawn
)  # fmt: skip
_MAILED_TO_PERSON = frozenset({Reason.BENEFICIARY, Reason.OFFERER, Reason.EXPIRED, Reason.BACKOFFICE})
_MAILED_TO_VENUE = frozenset({Reason.BENEFICIARY, Reason.EXPIRED, Reason.FRAUD, Reason.BACKOFFICE})
"""Each gets mails about cancellations for these reasons (domain.md §4.7): the venue none about those of its desk, the
person none about a suspicion of fraud."""


class Mailing:
    def __init__(self, store: Store, identity: Identity, outbox: Outbox) -> None:
        self._store, self._identity, self._outbox = store, identity, outbox

    def write_due(self) -> None:
        """Writes the mails about a bounded number of events since the last run; does nothing while identity is away.

        It waits while the outbox is full: the log keeps the other events, and callers get the processor.
        """
        with self._store.reading() as connection:
            position = progress.position(connection)
            head = self._store.log.head(connection)
            if head == position or not self._outbox.has_room(connection):
                return
            events = self._store.log.events(connection, after=position, until=head, kinds=KINDS, at_once=BATCH)
            found = list(islice(events, BATCH))
            subjects = _subjects(connection, found)
        reached = found[-1][0] if len(found) == BATCH else head
        mailed = [rows for _, event, rows in subjects if not isinstance(event, Stock.EveReached)]
        try:
            people = self._identity.people({row.person_id for rows in mailed for row in rows})
        except Unavailable:
            return
        written = [one for at, event, rows in subjects for one in _notifications(at, event, rows, people)]
        self._write(written, position, reached)

    def open_work(self, connection: Connection) -> int:
        """The number of mails that wait in the outbox, plus 1 while some have to be written."""
        position = progress.position(connection)
        waiting = islice(self._store.log.events(connection, after=position, kinds=KINDS, at_once=1), 1)
        return len(list(waiting)) + self._outbox.open_work(connection)

    def _write(self, written: Sequence[tuple[str, Notification]], position: int, reached: int) -> None:
        with self._store.transaction() as tx:
            if progress.advance(tx.connection, position, reached):  # otherwise another process has written them
                self._outbox.write_all(tx, written)


def _subjects(connection: Connection, found: Sequence[tuple[int, Any, Any]]) -> list[tuple[int, Any, list[Any]]]:
    """(position, event, rows): the present rows of the bookings that each event is about."""
    numbers = [event.booking_id for _, _, event in found if not isinstance(event, Stock.Event)]
    own = bookings.by_numbers(connection, numbers)
    crowds: dict[int, list[Any]] = {event.stock_id: [] for _, _, event in found if isinstance(event, Stock.EveReached)}
    for row in bookings.uncancelled_with_place(connection, crowds) if crowds else ():
        crowds[row.stock_id].append(row)

    def about(event: Any) -> list[Any]:
        if isinstance(event, Stock.EveReached):
            return crowds[event.stock_id]
        if isinstance(event, Stock.Withdrawn):
            return list(bookings.cancelled_with_stock(connection, event.stock_id, event.timestamp, MAX_LISTED))
        return [own[event.booking_id]]

    return [(position, event, about(event)) for position, _, event in found]


def _notifications(
    position: int, event: Any, rows: Sequence[Any], people: dict[int, Any]
) -> Iterator[tuple[str, Notification]]:
    """(key, notification) of an event. No warning of a used booking, no reminder of a moved or past event."""
    if isinstance(event, Stock.Withdrawn):
        yield from _recap(position, event, rows, people)
        return
    for row in rows:
        if isinstance(event, Stock.EveReached):
            if event.timestamp < event.beginning_at == row.beginning_at:
                title, text = mails.eve(row)
                yield f"eve/{row.booking_id}/{position}", Push(str(row.person_id), title, text)
        elif not isinstance(event, Booking.ExpiryApproached) or row.status == Status.CONFIRMED:
            yield from _mails(position, event, row, people)


def _recap(
    position: int, event: Stock.Withdrawn, rows: Sequence[Any], people: dict[int, Any]
) -> Iterator[tuple[str, Mail]]:
    """One mail to the venue about all bookings that a withdrawal cancelled (domain.md §4.7)."""
    address = rows and (rows[0].booking_email or rows[0].venue_email)
    if address:
        subject, text = mails.recap(rows, people)
        yield f"withdrawn/{event.stock_id}/{position}", Mail(address, subject, text)


def _mails(position: int, event: Any, row: Any, people: dict[int, Any]) -> Iterator[tuple[str, Mail]]:
    """(key, mail) of an event: to the young person, and to the booking address of the offer, or else of its venue."""
    person = people.get(row.person_id) or UNNAMED
    venue_address = row.booking_email or row.venue_email
    key = f"{type(event).__name__.lower()}/{row.booking_id}/{position}"
    if person["email"] and _concerns_person(event):
        subject, text = mails.to_person(event, row, person)
        yield key, Mail(person["email"], subject, text)
    if venue_address and _concerns_venue(event):
        subject, text = mails.to_venue(event, row, person)
        yield key, Mail(venue_address, subject, text, reply_to=person["email"])


def _concerns_person(event: Any) -> bool:
    return not isinstance(event, Booking.Cancelled) or event.reason in _MAILED_TO_PERSON


def _concerns_venue(event: Any) -> bool:
    if isinstance(event, Booking.Moved | Booking.ExpiryApproached):
        return False
    return not isinstance(event, Booking.Cancelled) or event.reason in _MAILED_TO_VENUE
