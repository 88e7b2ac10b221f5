"""A young person's wallet: its credits, and the state of each attempt of a booking.

An attempt has the key (booking, attempt)::

    (nothing) ──► reserved ──► spent          refused and barred are final: a later reservation
        │  │          │  ◄──────┘             of the attempt is refused
        │  │          ▼
        │  │       released
        │  └──► refused   (too little credit)
        └──► barred       (released before its reservation arrived)

A wallet is folded from its stream, or restored from its rows with the attempts that a decision needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from eventsourcing.domain import Aggregate

from services.wallet.domain import rules
from services.wallet.domain.credit import Credit, Place
from services.wallet.refusals import (
    REFUSALS,
    AlreadyReleased,
    DigitalCapReached,
    InconsistentMoney,
    InsufficientCredit,
    PhysicalCapReached,
    ReservationDiffers,
)
from shared.kernel.errors import Conflict
from shared.kernel.identifiers import stream_id
from shared.kernel.money import ZERO, Cents

Key = tuple[int, int]
"""(booking, attempt)."""


class State(StrEnum):
    RESERVED = "reserved"
    SPENT = "spent"
    RELEASED = "released"
    REFUSED = "refused"
    BARRED = "barred"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The state of one attempt. ``code``: why it was refused; ``used_at``: set while it is spent."""

    state: str
    amount: Cents = ZERO
    credit_id: int | None = None
    digital: bool = False
    physical: bool = False
    used_at: datetime | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """The amount that booking reserves. ``digital`` and ``physical``: whether it counts towards those caps."""

    booking_id: int
    attempt: int
    amount: Cents
    digital: bool
    physical: bool

    @property
    def key(self) -> Key:
        return self.booking_id, self.attempt


class Wallet(Aggregate):
    class Event(Aggregate.Event):
        person_id: int

    class Opened(Event, Aggregate.Created):
        pass

    class Granted(Event):
        """``timestamp``: the activation, from which a credit at 18 is valid."""

        credit_id: int
        kind: str
        amount: Cents
        expires_at: datetime
        digital_cap: Cents | None
        physical_cap: Cents | None

        def apply(self, wallet: Wallet) -> None:
            credit = Credit(
                credit_id=self.credit_id,
                kind=self.kind,
                granted_at=self.timestamp,
                expires_at=self.expires_at,
                digital_cap=self.digital_cap,
                physical_cap=self.physical_cap,
            )
            wallet.put(credit.grown(self.amount))

    class Recredited(Event):
        credit_id: int
        kind: str
        age: int
        amount: Cents
        expires_at: datetime

        def apply(self, wallet: Wallet) -> None:
            wallet.put(wallet.credits[self.credit_id].grown(self.amount, self.age))

    class Moved(Event):
        """The fields of every event that moves the money of one attempt."""

        credit_id: int
        booking_id: int
        attempt: int
        amount: Cents
        digital: bool
        physical: bool

    class Reserved(Moved):
        def apply(self, wallet: Wallet) -> None:
            wallet.move(self, Place.AVAILABLE, Place.RESERVED, counted=self.amount)
            wallet.attempts[self.booking_id, self.attempt] = Attempt(
                State.RESERVED, self.amount, self.credit_id, self.digital, self.physical
            )

    class Spent(Moved):
        """``timestamp``: the use of the countermark, which may be before earlier events of the wallet."""

        def apply(self, wallet: Wallet) -> None:
            wallet.move(self, Place.RESERVED, Place.SPENT)
            wallet.mark(self, State.SPENT, used_at=self.timestamp)

    class Unspent(Moved):
        """A validation was undone; ``used_at`` is the use that it had recorded."""

        used_at: datetime

        def apply(self, wallet: Wallet) -> None:
            wallet.move(self, Place.SPENT, Place.RESERVED)
            wallet.mark(self, State.RESERVED, used_at=None)

    class Released(Moved):
        def apply(self, wallet: Wallet) -> None:
            wallet.move(self, Place.RESERVED, Place.AVAILABLE, counted=Cents(-self.amount))
            wallet.mark(self, State.RELEASED, used_at=None)

    class Refused(Event):
        booking_id: int
        attempt: int
        amount: Cents
        code: str

        def apply(self, wallet: Wallet) -> None:
            wallet.attempts[self.booking_id, self.attempt] = Attempt(State.REFUSED, self.amount, code=self.code)

    class Barred(Event):
        """Released before its reservation arrived."""

        booking_id: int
        attempt: int

        def apply(self, wallet: Wallet) -> None:
            wallet.attempts[self.booking_id, self.attempt] = Attempt(State.BARRED, code=AlreadyReleased.code)

    class Lapsed(Event):
        credit_id: int
        amount: Cents

        def apply(self, wallet: Wallet) -> None:
            wallet.put(wallet.credits[self.credit_id].moved(self.amount, Place.AVAILABLE, Place.LAPSED))

    def __init__(self, *, person_id: int) -> None:
        self.person_id = person_id
        self.credits: dict[int, Credit] = {}
        self.attempts: dict[Key, Attempt] = {}

    @classmethod
    def open(cls, at: datetime, person_id: int) -> Wallet:
        return cls._create(cls.Opened, id=stream_id("wallet", person_id), timestamp=at, person_id=person_id)

    @classmethod
    def restored(
        cls, person_id: int, version: int, credits: Iterable[Credit], attempts: dict[Key, Attempt], at: datetime
    ) -> Wallet:
        """The wallet after ``version`` events, from its rows, with only the attempts that a decision is about."""
        wallet = object.__new__(cls)
        wallet.__base_init__(originator_id=stream_id("wallet", person_id), originator_version=version, timestamp=at)
        cls.__init__(wallet, person_id=person_id)
        wallet.credits = {credit.credit_id: credit for credit in credits}
        wallet.attempts = attempts
        return wallet

    @property
    def current(self) -> Credit | None:
        """The credit that expires last."""
        return max(self.credits.values(), key=lambda credit: credit.expires_at, default=None)

    @property
    def balance(self) -> Cents:
        """The available money of all credits; an expired credit counts until it has lapsed."""
        return Cents(sum(credit.available for credit in self.credits.values()))

    def credit_of(self, kind: str) -> Credit | None:
        return next((credit for credit in self.credits.values() if credit.kind == kind), None)

    def check(self) -> None:
        for credit in self.credits.values():
            credit.check()

    def is_due(self, kind: rules.Kind) -> bool:
        """Whether the wallet has no credit of this kind yet: never two of a kind."""
        return self.credit_of(kind) is None

    def grant(self, at: datetime, credit_id: int, rule: rules.GrantRule, birth_date: date | None) -> None:
        """Grants one credit of each kind; a second grant changes nothing. ``at``: the activation."""
        if not self.is_due(rule.kind):
            return
        self.trigger_event(
            self.Granted,
            timestamp=at,
            person_id=self.person_id,
            credit_id=credit_id,
            kind=str(rule.kind),
            amount=rule.amount,
            expires_at=rules.expiry(rule.kind, at, birth_date),
            digital_cap=rule.digital_cap,
            physical_cap=rule.physical_cap,
        )

    def recredit(self, at: datetime, age: int) -> None:
        """On the birthday at ``at``: adds to a credit that was granted before it, once for each age."""
        rule, credit = rules.recredit_rule(age, at), self.credit_of(rules.Kind.UNDERAGE)
        if rule is None or credit is None or credit.granted_at >= at or not credit.is_live(at):
            return
        if credit.last_recredit is not None and credit.last_recredit >= age:
            return
        self.trigger_event(
            self.Recredited,
            timestamp=at,
            person_id=self.person_id,
            credit_id=credit.credit_id,
            kind=credit.kind,
            age=age,
            amount=rule.amount,
            expires_at=credit.expires_at,
        )

    def reserve(self, at: datetime, reservation: Reservation) -> Conflict | None:
        """Reserves an amount of the current credit, or returns the refusal; the same for the same attempt."""
        known = self.attempts.get(reservation.key)
        if known is not None:
            return _answer_of(known, reservation)
        credit = self.current
        refusal = _refusal(credit, at, reservation)
        if refusal is not None:
            self.trigger_event(
                self.Refused,
                timestamp=at,
                person_id=self.person_id,
                booking_id=reservation.booking_id,
                attempt=reservation.attempt,
                amount=reservation.amount,
                code=refusal.code,
            )
            return refusal
        assert credit is not None
        self.trigger_event(
            self.Reserved,
            timestamp=at,
            person_id=self.person_id,
            credit_id=credit.credit_id,
            booking_id=reservation.booking_id,
            attempt=reservation.attempt,
            amount=reservation.amount,
            digital=reservation.digital,
            physical=reservation.physical,
        )
        return None

    def release(self, at: datetime, key: Key) -> None:
        """Gives the money of an attempt back, used or not. An attempt without a reservation is barred."""
        known = self.attempts.get(key)
        if known is None:
            self.trigger_event(self.Barred, timestamp=at, person_id=self.person_id, booking_id=key[0], attempt=key[1])
            return
        if known.state == State.SPENT:
            self.unspend(at, key)
        if known.state in (State.RESERVED, State.SPENT):
            self._trigger_move(self.Released, at, key)
            self._lapse(at, self.credits[known.credit_id or 0])

    def spend(self, used_at: datetime, key: Key) -> None:
        """The countermark was used. Nothing for a released attempt: its cancellation is published too."""
        known = self._reserved_attempt(key)
        if known.state == State.RESERVED:
            self._trigger_move(self.Spent, used_at, key)

    def unspend(self, at: datetime, key: Key) -> None:
        """The validation was undone: the amount is reserved again."""
        known = self._reserved_attempt(key)
        if known.state == State.SPENT:
            self._trigger_move(self.Unspent, at, key, used_at=known.used_at)

    def check_reserved(self, key: Key) -> None:
        """Raises InconsistentMoney when the attempt was never reserved."""
        self._reserved_attempt(key)

    def lapse(self, at: datetime) -> None:
        """Lapses the credits that have expired by ``at``, each as of its own expiry."""
        for credit in list(self.credits.values()):
            if not credit.is_live(at):
                self._lapse(credit.expires_at, credit)

    def put(self, credit: Credit) -> None:
        self.credits[credit.credit_id] = credit

    def move(self, event: Moved, source: Place, target: Place, *, counted: Cents = ZERO) -> None:
        """``counted``: added to the money that counts towards the caps."""
        credit = self.credits[event.credit_id].moved(event.amount, source, target)
        self.put(credit.counted(counted, digital=event.digital, physical=event.physical))

    def mark(self, event: Moved, state: State, *, used_at: datetime | None) -> None:
        key = event.booking_id, event.attempt
        self.attempts[key] = replace(self.attempts[key], state=state, used_at=used_at)

    def _lapse(self, at: datetime, credit: Credit) -> None:
        if credit.available > 0 and not credit.is_live(at):
            self.trigger_event(
                self.Lapsed,
                timestamp=at,
                person_id=self.person_id,
                credit_id=credit.credit_id,
                amount=credit.available,
            )

    def _reserved_attempt(self, key: Key) -> Attempt:
        """Also one that is spent or released by now."""
        known = self.attempts.get(key)
        if known is None or known.state in (State.REFUSED, State.BARRED):
            raise InconsistentMoney(f"booking {key[0]}, attempt {key[1]}: was never reserved")
        return known

    def _trigger_move(self, kind: type[Moved], at: datetime, key: Key, **more: datetime | None) -> None:
        known = self.attempts[key]
        self.trigger_event(
            kind,
            timestamp=at,
            person_id=self.person_id,
            credit_id=known.credit_id,
            booking_id=key[0],
            attempt=key[1],
            amount=known.amount,
            digital=known.digital,
            physical=known.physical,
            **more,
        )


def _answer_of(known: Attempt, reservation: Reservation) -> Conflict | None:
    if known.state == State.BARRED:
        return AlreadyReleased()
    if known.amount != reservation.amount:
        return ReservationDiffers()
    if known.state == State.REFUSED:
        return REFUSALS[known.code or ""]()
    return AlreadyReleased() if known.state == State.RELEASED else None


def _refusal(credit: Credit | None, at: datetime, reservation: Reservation) -> Conflict | None:
    """In the order of domain.md §4.2. The exact remaining amount is allowed."""
    amount = reservation.amount
    if credit is None or amount > credit.remaining(at):
        return InsufficientCredit()
    digital, physical = credit.digital_remaining(at), credit.physical_remaining(at)
    if reservation.digital and digital is not None and amount > digital:
        return DigitalCapReached()
    if reservation.physical and physical is not None and amount > physical:
        return PhysicalCapReached()
    return None
