"""One booking from its request to its reimbursement.

::

    requested ──► confirmed ──► used ──► reimbursed
        │             │  ◄──────  │
        ▼             ▼           ▼ (staff)
    rejected      cancelled ◄─────┘
                      └──► (restored: a new attempt) used

Events carry every fact of their messages: prices, names and dates are frozen at the booking.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from eventsourcing.domain import Aggregate

from services.booking import refusals
from services.booking.domain import rules
from services.booking.domain.desk import check_undoable, check_usable
from services.booking.domain.states import Means, Status
from shared.contracts.cancellation import cancellation_limit
from shared.contracts.subcategories import SUBCATEGORIES
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents


@dataclass(frozen=True, slots=True)
class Terms:
    """What was booked, as described at that time. ``unit_price`` is for one place."""

    stock_id: int
    offer_id: int
    venue_id: int
    offerer_id: int
    establishment: str
    subcategory: str
    offer_name: str
    is_digital: bool
    quantity: int
    unit_price: Cents
    beginning_at: datetime | None

    @property
    def total(self) -> Cents:
        return Cents(self.unit_price * self.quantity)

    @property
    def counts_as_digital(self) -> bool:
        """Whether it counts towards the digital cap: online, and of a subcategory under that cap (domain.md §1.2)."""
        return self.is_digital and SUBCATEGORIES[self.subcategory].is_digital_deposit

    @property
    def counts_as_physical(self) -> bool:
        return not self.is_digital and SUBCATEGORIES[self.subcategory].is_physical_deposit


@dataclass(frozen=True, slots=True)
class Command:
    """The command that opened a request; the outcome of the request is stored under its (``account_id``, ``key``)."""

    name: str
    key: str | None
    account_id: int | None
    data: dict[str, Any]


class Booking(Aggregate):
    """``attempt`` counts the reservations of its credit: 1, and one more with each restore.

    ``invalidated_at``: since when it has been unvalidated again (cleared by a move or a restore). ``last_undone_at``:
    the last time a validation was undone, never cleared.
    """

    class Event(Aggregate.Event):
        booking_id: int

    class Requested(Event, Aggregate.Created):
        person_id: int
        terms: Terms
        asked: Command  # named so in the log
        with_code: bool  # the stock gives a code to each booking
        activation_code: str | None  # None although with_code: none was left

    class Rejected(Event):
        terms: Terms
        code: str
        status: int
        detail: str

        def apply(self, booking: Booking) -> None:
            booking.status = Status.REJECTED

    class Fact(Event):
        """The facts that every message about a booking carries."""

        attempt: int
        person_id: int
        countermark: str
        booked_at: datetime
        terms: Terms

    class Confirmed(Fact):
        cancellation_limit_at: datetime | None
        activation_code: str | None
        stock_remaining: int | None

        def apply(self, booking: Booking) -> None:
            booking.status = Status.CONFIRMED
            booking.countermark = self.countermark
            booking.cancellation_limit_at = self.cancellation_limit_at

    class Validated(Fact):
        used_at: datetime
        by: str

        def apply(self, booking: Booking) -> None:
            booking.status = Status.USED
            booking.used_at = self.used_at

    class Invalidated(Fact):
        used_at: datetime

        def apply(self, booking: Booking) -> None:
            booking.status = Status.CONFIRMED
            booking.used_at = None
            booking.invalidated_at = booking.last_undone_at = self.timestamp

    class Cancelled(Fact):
        reason: str
        comment: str
        stock_remaining: int | None

        def apply(self, booking: Booking) -> None:
            booking.status = Status.CANCELLED
            booking.cancelled_at, booking.cancellation_reason = self.timestamp, self.reason

    class RestoreRequested(Event):
        attempt: int
        person_id: int
        terms: Terms
        asked: Command

        def apply(self, booking: Booking) -> None:
            booking.attempt = self.attempt
            booking.restore_command = self.asked

    class RestoreRejected(Event):
        terms: Terms
        code: str
        status: int
        detail: str

        def apply(self, booking: Booking) -> None:
            booking.restore_command = None

    class Restored(Fact):
        stock_remaining: int | None

        def apply(self, booking: Booking) -> None:
            booking.restore_command = None
            booking.status = Status.CONFIRMED
            booking.cancelled_at = booking.cancellation_reason = booking.invalidated_at = None

    class Moved(Event):
        """Its event was rescheduled."""

        terms: Terms
        cancellation_limit_at: datetime | None
        is_waiting: bool  # for its use

        def apply(self, booking: Booking) -> None:
            booking.terms = self.terms
            booking.cancellation_limit_at = self.cancellation_limit_at
            booking.invalidated_at = None

    class ExpiryApproached(Event):
        """Its person must be warned."""

        expires_at: datetime

    class EnteredBatch(Event):
        batch_id: int
        line_id: int

        def apply(self, booking: Booking) -> None:
            booking.batch_id, booking.line_id = self.batch_id, self.line_id

    class Reimbursed(Event):
        batch_id: int

        def apply(self, booking: Booking) -> None:
            booking.status = Status.REIMBURSED
            booking.reimbursed_at = self.timestamp

    def __init__(
        self,
        *,
        booking_id: int,
        person_id: int,
        terms: Terms,
        asked: Command,
        with_code: bool,
        activation_code: str | None,
        timestamp: datetime,
    ) -> None:
        self.booking_id, self.person_id, self.terms, self.command = booking_id, person_id, terms, asked
        self.with_code, self.activation_code = with_code, activation_code
        self.booked_at = timestamp
        self.attempt = 1
        self.status: str = Status.REQUESTED
        self.restore_command: Command | None = None
        self.countermark = ""
        self.cancellation_limit_at: datetime | None = None
        self.used_at: datetime | None = None
        self.invalidated_at: datetime | None = None
        self.last_undone_at: datetime | None = None
        self.cancelled_at: datetime | None = None
        self.cancellation_reason: str | None = None
        self.batch_id: int | None = None
        self.line_id: int | None = None
        self.reimbursed_at: datetime | None = None

    @property
    def beginning_at(self) -> datetime | None:
        return self.terms.beginning_at

    @property
    def is_open(self) -> bool:
        """Whether a request or a restore still waits for wallet's answer."""
        return self.status == Status.REQUESTED or self.restore_command is not None

    @property
    def open_command(self) -> Command:
        """The command whose outcome is still to be stored."""
        return self.restore_command or self.command

    @property
    def lacks_code(self) -> bool:
        """Requested when no activation code was left: it is refused once the credit is known to suffice."""
        return self.with_code and self.activation_code is None and self.restore_command is None

    @classmethod
    def request(
        cls,
        at: datetime,
        *,
        booking_id: int,
        person_id: int,
        terms: Terms,
        command: Command,
        with_code: bool = False,
        activation_code: str | None = None,
    ) -> Booking:
        return cls._create(
            cls.Requested,
            id=stream_id("booking", booking_id),
            timestamp=at,
            booking_id=booking_id,
            person_id=person_id,
            terms=terms,
            asked=command,
            with_code=with_code,
            activation_code=activation_code,
        )

    def confirm(self, at: datetime, countermark: str, stock_remaining: int | None) -> None:
        """Its credit is reserved. A booking with an activation code is used at once (domain.md R27)."""
        assert self.status == Status.REQUESTED, self.status
        begins = self.beginning_at
        self.trigger_event(
            self.Confirmed,
            timestamp=at,
            **self._facts() | {"countermark": countermark},
            cancellation_limit_at=cancellation_limit(begins, self.booked_at) if begins else None,
            activation_code=self.activation_code,
            stock_remaining=stock_remaining,
        )
        if self.activation_code is not None:
            self.validate(self.booked_at, Means.ACTIVATION_CODE)

    def reject(self, at: datetime, code: str, status: int, detail: str) -> None:
        assert self.is_open, self.status
        kind = self.Rejected if self.restore_command is None else self.RestoreRejected
        refusal = {"code": code, "status": status, "detail": detail}
        self.trigger_event(kind, timestamp=at, booking_id=self.booking_id, terms=self.terms, **refusal)

    def validate(self, used_at: datetime, by: Means) -> None:
        """``used_at``: for an automatic validation the instant at which it was due, however late the timer runs."""
        assert self.status == Status.CONFIRMED, self.status
        self.trigger_event(self.Validated, timestamp=used_at, **self._facts(), used_at=used_at, by=by)

    def validate_at_the_desk(self, now: datetime, by: Means, zone: str) -> None:
        check_usable(self, now, zone)
        self.validate(now, by)

    def invalidate(self, at: datetime) -> None:
        assert self.status == Status.USED and self.batch_id is None and self.used_at is not None
        self.trigger_event(self.Invalidated, timestamp=at, **self._facts(), used_at=self.used_at)

    def invalidate_at_the_desk(self, at: datetime) -> None:
        check_undoable(self)
        self.invalidate(at)

    def check_cancellable_by_person(self, now: datetime) -> None:
        """A person may cancel until the limit, if there is one, and nothing that is used (domain.md §4.4)."""
        if self.status == Status.CANCELLED:
            raise refusals.AlreadyCancelled
        if self.status != Status.CONFIRMED:
            raise refusals.AlreadyUsed
        if self.cancellation_limit_at is not None and now >= self.cancellation_limit_at:
            raise refusals.LimitPassed

    def check_cancellable_by_staff(self) -> None:
        """Staff may cancel in every state, until the booking enters a batch."""
        if self.status == Status.CANCELLED:
            raise refusals.AlreadyCancelled
        if self.batch_id is not None:
            raise refusals.InABatch

    def cancel(self, at: datetime, reason: str, stock_remaining: int | None, comment: str = "") -> None:
        """The caller gives its places back in the same transaction. A used one is invalidated first, so that wallet and
        payout subtract it."""
        assert self.status in (Status.CONFIRMED, Status.USED), self.status
        if self.status == Status.USED:
            self.invalidate(at)
        facts = self._facts()
        self.trigger_event(
            self.Cancelled, timestamp=at, **facts, reason=reason, comment=comment, stock_remaining=stock_remaining
        )

    def check_restorable(self) -> None:
        if self.is_open:
            raise refusals.NotCancelled(
                "Cette réservation est déjà en cours de rétablissement : patientez quelques instants."
            )
        if self.status != Status.CANCELLED:
            raise refusals.NotCancelled

    def request_restore(self, at: datetime, command: Command) -> None:
        """The item had been collected all the same: a new attempt reserves its credit again."""
        self.check_restorable()
        self.trigger_event(
            self.RestoreRequested,
            timestamp=at,
            booking_id=self.booking_id,
            attempt=self.attempt + 1,
            person_id=self.person_id,
            terms=self.terms,
            asked=command,
        )

    def restore(self, at: datetime, stock_remaining: int | None) -> None:
        """A restored booking is used (domain.md §4.1)."""
        assert self.restore_command is not None
        self.trigger_event(self.Restored, timestamp=at, **self._facts(), stock_remaining=stock_remaining)
        self.validate(at, Means.RESTORED)

    def move(self, at: datetime, beginning_at: datetime) -> None:
        """Its event was rescheduled at ``at``, from which its new limit is counted. If the new start is more than 48 h
        later than that, a validation that is in no batch is undone (domain.md §3.1)."""
        if self.status not in (Status.CONFIRMED, Status.USED, Status.REIMBURSED):
            return
        self.trigger_event(
            self.Moved,
            timestamp=at,
            booking_id=self.booking_id,
            terms=replace(self.terms, beginning_at=beginning_at),
            cancellation_limit_at=cancellation_limit(beginning_at, at),
            is_waiting=self.status == Status.CONFIRMED,
        )
        postponed = beginning_at - at > rules.POSTPONED
        if postponed and self.status == Status.USED and self.batch_id is None and self.activation_code is None:
            self.invalidate(at)

    def approach_expiry(self, at: datetime) -> None:
        """The run of the warnings for its expiry."""
        expires = rules.expires_at(self.terms.subcategory, self.booked_at, self.beginning_at)
        assert expires is not None and self.status == Status.CONFIRMED, self.status
        self.trigger_event(self.ExpiryApproached, timestamp=at, booking_id=self.booking_id, expires_at=expires)

    def enter_batch(self, at: datetime, batch_id: int, line_id: int) -> None:
        """Its validation is paid by a batch that closed at ``at``, or by a later batch after the bank has rejected it.

        Payout corrects a validation that the desk has undone meanwhile (decision 30). A newer validation is another
        line, of a later batch.
        """
        known = self.batch_id is None and self._was_validated_at(at)
        again = line_id == self.line_id and batch_id != self.batch_id
        if self.status == Status.USED and (known or again):
            self.trigger_event(
                self.EnteredBatch, timestamp=at, booking_id=self.booking_id, batch_id=batch_id, line_id=line_id
            )

    def _was_validated_at(self, at: datetime) -> bool:
        """Whether its present validation was made before ``at``: a batch closes after the use of everything it pays."""
        used = self.used_at is not None and self.used_at < at
        return used and (self.last_undone_at is None or self.last_undone_at < at)

    def reimburse(self, at: datetime, batch_id: int) -> None:
        """Ignores another batch than the one it is in: that batch paid a validation that was undone."""
        if self.status == Status.USED and batch_id == self.batch_id:
            self.trigger_event(self.Reimbursed, timestamp=at, booking_id=self.booking_id, batch_id=batch_id)

    def _facts(self) -> dict[str, Any]:
        return {
            "booking_id": self.booking_id,
            "attempt": self.attempt,
            "person_id": self.person_id,
            "countermark": self.countermark,
            "booked_at": self.booked_at,
            "terms": self.terms,
        }
