"""One booking from its request to its reimbursement.

::

    requested ──► confirmed ──► used ──► reimbursed
        │             │  ◄──────  │
        ▼             ▼           ▼ (staff)
    rejected      cancelled ◄─────┘
                      └──► (restored: a new attempt) used

What is published carries everything that its message says: prices, names and dates are frozen when it is booked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from eventsourcing.domain import Aggregate

from services.booking.domain import errors, rules
from shared.contracts.cancellation import cancellation_limit
from shared.contracts.subcategories import SUBCATEGORIES
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents


class Status(StrEnum):
    REQUESTED = "requested"
    REJECTED = "rejected"
    CONFIRMED = "confirmed"
    USED = "used"
    CANCELLED = "cancelled"
    REIMBURSED = "reimbursed"


class Reason(StrEnum):
    """Why a booking was cancelled (domain.md §4.1)."""

    BENEFICIARY = "BENEFICIARY"
    OFFERER = "OFFERER"
    EXPIRED = "EXPIRED"
    FRAUD = "FRAUD"
    BACKOFFICE = "BACKOFFICE"


class Means(StrEnum):
    """How a countermark was validated."""

    DESK = "desk"
    API = "api"
    AUTOMATIC = "automatic"
    ACTIVATION_CODE = "activation-code"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Terms:
    """What was booked, as it stood then. ``unit_price`` is for one place."""

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
        """Towards the digital cap: online, and of a subcategory that the cap is about (domain.md §1.2)."""
        return self.is_digital and SUBCATEGORIES[self.subcategory].is_digital_deposit

    @property
    def counts_as_physical(self) -> bool:
        return not self.is_digital and SUBCATEGORIES[self.subcategory].is_physical_deposit


@dataclass(frozen=True, slots=True)
class Asked:
    """The command that a request answers: its outcome is stored under (``account_id``, ``key``)."""

    name: str
    key: str | None
    account_id: int | None
    data: dict[str, Any]


class Countermarked(Protocol):
    """What the desk's checks look at: the booking itself, or its row."""

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


class Booking(Aggregate):
    """``attempt`` counts how often its credit was asked for: 1, and one more with each restore.

    ``invalidated_at`` is when the validation that it now lacks was taken back, ``taken_back_at`` when the last one ever
    was.
    """

    class Event(Aggregate.Event):
        booking_id: int

    class Requested(Event, Aggregate.Created):
        person_id: int
        terms: Terms
        asked: Asked
        with_code: bool  # the stock gives a code to each booking
        activation_code: str | None  # None though with_code: none was left

    class Rejected(Event):
        terms: Terms
        code: str
        status: int
        detail: str

        def apply(self, booking: Booking) -> None:
            booking.status = Status.REJECTED

    class Fact(Event):
        """What is told to the other services."""

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
            booking.invalidated_at = booking.taken_back_at = self.timestamp

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
        asked: Asked

        def apply(self, booking: Booking) -> None:
            booking.attempt = self.attempt
            booking.restoring = self.asked

    class RestoreRejected(Event):
        terms: Terms
        code: str
        status: int
        detail: str

        def apply(self, booking: Booking) -> None:
            booking.restoring = None

    class Restored(Fact):
        stock_remaining: int | None

        def apply(self, booking: Booking) -> None:
            booking.restoring = None
            booking.status = Status.CONFIRMED
            booking.cancelled_at = booking.cancellation_reason = booking.invalidated_at = None

    class Moved(Event):
        """Its event has another date."""

        terms: Terms
        cancellation_limit_at: datetime | None
        is_waiting: bool  # not used yet

        def apply(self, booking: Booking) -> None:
            booking.terms = self.terms
            booking.cancellation_limit_at = self.cancellation_limit_at
            booking.invalidated_at = None

    class ExpiryApproached(Event):
        """Its owner is to be warned."""

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
        asked: Asked,
        with_code: bool,
        activation_code: str | None,
        timestamp: datetime,
    ) -> None:
        self.booking_id, self.person_id, self.terms, self.asked = booking_id, person_id, terms, asked
        self.with_code, self.activation_code = with_code, activation_code
        self.booked_at = timestamp
        self.attempt = 1
        self.status: str = Status.REQUESTED
        self.restoring: Asked | None = None
        self.countermark = ""
        self.cancellation_limit_at: datetime | None = None
        self.used_at: datetime | None = None
        self.invalidated_at: datetime | None = None
        self.taken_back_at: datetime | None = None
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
        """Asked for and not answered yet."""
        return self.status == Status.REQUESTED or self.restoring is not None

    @property
    def lacks_code(self) -> bool:
        """Asked for when no activation code was left: it can only be refused, once its credit was found sufficient."""
        return self.with_code and self.activation_code is None and self.restoring is None

    @classmethod
    def request(
        cls,
        at: datetime,
        *,
        booking_id: int,
        person_id: int,
        terms: Terms,
        asked: Asked,
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
            asked=asked,
            with_code=with_code,
            activation_code=activation_code,
        )

    def confirm(self, at: datetime, countermark: str, stock_remaining: int | None) -> None:
        """The credit is held. A booking with an activation code is used at once (domain.md R27)."""
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
        kind = self.Rejected if self.restoring is None else self.RestoreRejected
        refusal = {"code": code, "status": status, "detail": detail}
        self.trigger_event(kind, timestamp=at, booking_id=self.booking_id, terms=self.terms, **refusal)

    def validate(self, used_at: datetime, by: Means) -> None:
        """It was used at ``used_at``: for an automatic validation the due instant, however late it is done."""
        assert self.status == Status.CONFIRMED, self.status
        self.trigger_event(self.Validated, timestamp=used_at, **self._facts(), used_at=used_at, by=by)

    def validate_at_the_desk(self, now: datetime, by: Means, zone: str) -> None:
        check_usable(self, now, zone)
        self.validate(now, by)

    def invalidate(self, at: datetime) -> None:
        assert self.status == Status.USED and self.batch_id is None and self.used_at is not None
        self.trigger_event(self.Invalidated, timestamp=at, **self._facts(), used_at=self.used_at)

    def keep(self, at: datetime) -> None:
        """The desk takes its validation back."""
        check_keepable(self)
        self.invalidate(at)

    def check_cancellable_by_person(self, now: datetime) -> None:
        """Until the limit, if there is one, and unless it was used (domain.md §4.4)."""
        if self.status == Status.CANCELLED:
            raise errors.AlreadyCancelled("Cette réservation est déjà annulée.")
        if self.status != Status.CONFIRMED:
            raise errors.AlreadyUsed("Cette réservation a déjà été utilisée.")
        if self.cancellation_limit_at is not None and now >= self.cancellation_limit_at:
            raise errors.LimitPassed("Le délai d'annulation de cette réservation est passé.")

    def check_cancellable_by_staff(self) -> None:
        """Whatever its state, as long as it entered no batch."""
        if self.status == Status.CANCELLED:
            raise errors.AlreadyCancelled("Cette réservation est déjà annulée.")
        if self.batch_id is not None:
            raise errors.InABatch("Cette réservation est dans un lot de remboursement : demandez une correction.")

    def cancel(self, at: datetime, reason: str, stock_remaining: int | None, comment: str = "") -> None:
        """Its places went back in the same transaction; what was used is first taken back, for whoever counts it."""
        assert self.status in (Status.CONFIRMED, Status.USED), self.status
        if self.status == Status.USED:
            self.invalidate(at)
        facts = self._facts()
        self.trigger_event(
            self.Cancelled, timestamp=at, **facts, reason=reason, comment=comment, stock_remaining=stock_remaining
        )

    def check_restorable(self) -> None:
        if self.is_open:
            raise errors.NotCancelled("Une remise en état est déjà en cours.")
        if self.status != Status.CANCELLED:
            raise errors.NotCancelled("Cette réservation n'est pas annulée.")

    def request_restore(self, at: datetime, asked: Asked) -> None:
        """The item had been collected: a new attempt asks for its credit again."""
        self.check_restorable()
        self.trigger_event(
            self.RestoreRequested,
            timestamp=at,
            booking_id=self.booking_id,
            attempt=self.attempt + 1,
            person_id=self.person_id,
            terms=self.terms,
            asked=asked,
        )

    def restore(self, at: datetime, stock_remaining: int | None) -> None:
        """What is restored is used (domain.md §4.1)."""
        assert self.restoring is not None
        self.trigger_event(self.Restored, timestamp=at, **self._facts(), stock_remaining=stock_remaining)
        self.validate(at, Means.RESTORED)

    def move(self, at: datetime, beginning_at: datetime) -> None:
        """Its event was moved at ``at``: a new limit counted from then; if the new start is more than 48 h away, a
        validation that is in no batch is taken back (domain.md §3.1)."""
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
        """The run that warns of it has come."""
        expires = rules.expires_at(self.terms.subcategory, self.booked_at, self.beginning_at)
        assert expires is not None and self.status == Status.CONFIRMED, self.status
        self.trigger_event(self.ExpiryApproached, timestamp=at, booking_id=self.booking_id, expires_at=expires)

    def enter_batch(self, at: datetime, batch_id: int, line_id: int) -> None:
        """Its validation is paid by a batch that closed at ``at``, or by a later one once the bank had rejected it.

        A validation that the desk took back meanwhile is payout's to correct (decision 30), and one that was made since
        is a line of its own, of a batch to come.
        """
        known = self.batch_id is None and self._stood_at(at)
        again = line_id == self.line_id and batch_id != self.batch_id
        if self.status == Status.USED and (known or again):
            self.trigger_event(
                self.EnteredBatch, timestamp=at, booking_id=self.booking_id, batch_id=batch_id, line_id=line_id
            )

    def _stood_at(self, at: datetime) -> bool:
        """Whether it was validated before ``at`` and has not been taken back since. A batch closes after the use of all
        that it pays."""
        used = self.used_at is not None and self.used_at < at
        return used and (self.taken_back_at is None or self.taken_back_at < at)

    def reimburse(self, at: datetime, batch_id: int) -> None:
        """Paid by the batch that it is in; another one's transfer paid a validation that no longer is."""
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


def validation_due(beginning_at: datetime | None, invalidated_at: datetime | None = None) -> datetime | None:
    """When a dated booking is due to be validated by itself: strictly after this instant (decision 31).

    What the desk took back before it was due falls due as ever; what it took back afterwards is left to it for another
    48 h and then falls due again, so that no credit is held for ever.
    """
    if beginning_at is None:
        return None
    due = beginning_at + rules.AUTOMATIC_VALIDATION
    if invalidated_at is None or invalidated_at <= due:
        return due
    return invalidated_at + rules.LEFT_TO_THE_DESK


def check_usable(booking: Countermarked, now: datetime, zone: str) -> None:
    """The desk's checks of a look-up and of a validation, in the order of domain.md §5.2."""
    if booking.batch_id is not None or booking.status == Status.REIMBURSED:
        raise errors.AlreadyReimbursed
    if booking.status == Status.USED:
        raise errors.Used
    if booking.status == Status.CANCELLED:
        raise errors.BookingCancelled
    limit = booking.cancellation_limit_at
    if booking.beginning_at is not None and limit is not None and now < limit:
        raise errors.TooEarly(local_text(booking.booked_at, zone), local_text(limit, zone))


def check_keepable(booking: Countermarked) -> None:
    """The checks of taking a validation back, in the order of domain.md §5.2."""
    if booking.activation_code is not None:
        raise errors.NotUndoable
    if booking.status == Status.CANCELLED:
        raise errors.BookingCancelled
    if booking.batch_id is not None or booking.status == Status.REIMBURSED:
        raise errors.GoneReimbursed
    if booking.status != Status.USED:
        raise errors.NotUsed


def check_cancellable_at_the_desk(booking: Countermarked) -> None:
    """Even after the young person's limit, as long as it is not used (domain.md §4.4, §5.2)."""
    if booking.status == Status.CANCELLED:
        raise errors.GoneCancelled
    if booking.status != Status.CONFIRMED:
        raise errors.UsedAtTheDesk


def local_text(instant: datetime, zone: str) -> str:
    """``02/11/2021 à 10:00`` on the clocks of a venue."""
    return f"{instant.astimezone(ZoneInfo(zone)):%d/%m/%Y à %H:%M}"
