"""The saga of a booking: the request with its places, the credit, the answer.

Transaction 1 (booking) refuses a request, or records ``Requested`` and sets its places aside. Transaction 2 (wallet)
reserves the credits of a batch in one call. Transaction 3 (booking) confirms the booking with a countermark, or rejects
it and gives the places back. ``recover`` finishes a request that a crash or a silent wallet left open: it asks wallet
again, and wallet gives the same answer as the first time. A free booking is confirmed in transaction 1, without wallet.

The order of the checks is that of domain.md §4.2 and decision 19: not a beneficiary, unknown stock, already booked,
quantity, stock not bookable, then wallet's checks, then no activation code.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from services.booking.domain import errors, rules
from services.booking.domain.booking import Asked, Booking, Reason, Status, Terms
from services.booking.neighbours import Wallet
from services.booking.projections import call_of, open_request, row_of
from services.booking.shapes import booking_shape
from services.booking.storage import deciding, places
from services.booking.storage.places import Held, Shelf
from shared.contracts.calls import booking as commands
from shared.eventstore import Store, Transaction
from shared.eventstore.outcomes import Call, KeyReused, Outcome, Repeated, find_outcomes
from shared.kernel.errors import DomainError, OutcomePending, Unavailable
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents
from shared.kernel.randomness import Randomness
from shared.observability import metrics

MAX_DRAWS = 100
"""Draws of a countermark for one booking. With 30 million of 729 million taken, one draw in 24 is taken already."""
RECOVERY_BATCH = 200
MAX_WATCHED = 5_000
"""Open requests that ``recover`` watches at a time, the oldest first."""
ABANDONED_SECONDS = 3.0
"""How long, by the machine's clock, ``recover`` watches an open request before it takes it for abandoned."""

log = structlog.get_logger()
Verdict = DomainError | None
"""Wallet's answer. None: the credit is reserved. Unavailable: not known yet. Another refusal: it is not reserved."""
Answered = Sequence[tuple[Booking, Verdict]]


@dataclass(slots=True)
class Batch:
    """The calls of a batch: by index their outcomes, or the bookings that wait for their credit."""

    calls: Sequence[Call[Any]]
    outcomes: dict[int, Outcome | Repeated] = field(default_factory=dict)
    open: dict[int, Booking] = field(default_factory=dict)

    def is_fresh(self, index: int) -> bool:
        return index not in self.outcomes and index not in self.open


@dataclass(frozen=True, slots=True)
class Wanted:
    person_id: int
    stock_id: int
    quantity: int
    asked: Asked


class Requests:
    """``book`` and ``restore`` are resuming sagas of the command entrypoint; ``recover`` is a task."""

    def __init__(
        self,
        store: Store,
        wallet: Wallet,
        randomness: Randomness,
        *,
        machine_seconds: Callable[[], float] = time.monotonic,
        recovery_batch: int = RECOVERY_BATCH,
    ) -> None:
        self._store, self._wallet, self._randomness = store, wallet, randomness
        self._seconds, self._batch = machine_seconds, recovery_batch
        self._first_seen: dict[int, float] = {}
        self._tries: Counter[int] = Counter()
        self._in_hand: set[int] = set()

    def book(self, calls: Sequence[Call[commands.Book]]) -> list[Outcome | Repeated]:
        return self._run(calls, self._open_bookings)

    def restore(self, calls: Sequence[Call[commands.StaffRestore]]) -> list[Outcome | Repeated]:
        return self._run(calls, self._open_restores)

    def recover(self) -> None:
        """The recovery task: finishes a bounded number of abandoned requests. Several processes may run it."""
        with self._store.reading() as connection:
            abandoned = self._abandoned(places.open_numbers(connection, MAX_WATCHED))
            if not abandoned:
                return
        with self._store.transaction() as tx:
            loaded = tx.get_many(Booking, [stream_id("booking", number) for number in abandoned])
        finished = self._finish_or_bisect([booking for booking in loaded.values() if booking.is_open])
        metrics.saga_recoveries.labels("booking").inc(len(finished))
        log.info("open requests", abandoned=len(abandoned), finished=len(finished))

    def _abandoned(self, found: list[int]) -> list[int]:
        """The requests watched for long enough, least tried first: one that fails every time delays no other."""
        now = self._seconds()
        self._first_seen = {number: self._first_seen.get(number, now) for number in found}
        self._tries = Counter({number: self._tries[number] for number in found})
        latest = now - ABANDONED_SECONDS
        old = [one for one, since in self._first_seen.items() if since <= latest and one not in self._in_hand]
        chosen = sorted(old, key=lambda number: (self._tries[number], number))[: self._batch]
        self._tries.update(chosen)
        return chosen

    def _run(
        self, calls: Sequence[Call[Any]], opening: Callable[[Transaction, Batch], None]
    ) -> list[Outcome | Repeated]:
        def transaction_1(tx: Transaction) -> Batch:
            batch = Batch(calls)
            opening(tx, batch)
            return batch

        batch = self._store.run(transaction_1)
        numbers = {booking.booking_id for booking in batch.open.values()}
        self._in_hand |= numbers
        try:
            outcomes = self._finish(list(batch.open.values()))
        finally:
            self._in_hand -= numbers
        for index, booking in batch.open.items():
            outcome = outcomes.get(booking.booking_id)
            batch.outcomes[index] = self._stored_or_pending(calls[index]) if outcome is None else outcome
        return [batch.outcomes[index] for index in range(len(calls))]

    def _finish_or_bisect(self, waiting: Sequence[Booking]) -> dict[int, Outcome]:
        """Like ``_finish``, bisecting on a failure so that one bad request stays alone, and open.

        ``recover`` tries it again after all others.
        """
        try:
            return self._finish(waiting)
        except Unavailable:
            raise
        except Exception as error:
            if len(waiting) == 1:
                log.error("open request not finished", booking=waiting[0].booking_id, error=repr(error), exc_info=error)
                return {}
        with self._store.transaction() as tx:  # the rollback undid the rows, not the decisions in these objects
            loaded = tx.get_many(Booking, [booking.id for booking in waiting])
        fresh = [booking for booking in loaded.values() if booking.is_open]
        half = len(fresh) // 2
        return self._finish_or_bisect(fresh[:half]) | self._finish_or_bisect(fresh[half:])

    def _finish(self, waiting: Sequence[Booking]) -> dict[int, Outcome]:
        """Runs transactions 2 and 3; returns the outcomes by booking number, except those that are not known yet."""
        if not waiting:
            return {}
        verdicts = zip(waiting, self._credit(waiting), strict=True)
        answered = [pair for pair in verdicts if not isinstance(pair[1], Unavailable)]
        return self._close(answered) if answered else {}

    def _stored_or_pending(self, call: Call[Any]) -> Outcome:
        """The outcome that another process has stored, or OutcomePending."""
        with self._store.reading() as connection:
            known = find_outcomes(connection, [call])
        pending = OutcomePending("L'issue n'est pas encore connue : redemandez avec la même clé.")
        return known.get((call.owner(), call.key or ""), pending)

    # transaction 1

    @staticmethod
    def _resume(tx: Transaction, batch: Batch, known: dict[tuple[str, str], Outcome], open_: Sequence[Any]) -> None:
        """Gives a key with a stored outcome that outcome, and a key with an open request that request's booking."""
        indexes = {(call.owner(), call.key): index for index, call in enumerate(batch.calls) if call.key is not None}
        batch.outcomes |= {indexes[found]: Repeated(outcome) for found, outcome in known.items()}
        resumed = {}
        for row in open_:
            index = indexes[row.owner, row.key]
            if batch.calls[index].fingerprint() == row.fingerprint:
                resumed[index] = stream_id("booking", row.booking_id)
            else:
                batch.outcomes[index] = KeyReused("this key came with another body before")
        loaded = tx.get_many(Booking, resumed.values())
        batch.open |= {index: loaded[stream] for index, stream in resumed.items()}

    def _open_bookings(self, tx: Transaction, batch: Batch) -> None:
        read = [_wanted(call) for call in batch.calls]
        found = deciding.at_request(tx, batch.calls, [(one.person_id, one.stock_id) for one in read])
        shelf = found.shelf
        self._resume(tx, batch, found.known, found.open)
        wanted = {index: one for index, one in enumerate(read) if batch.is_fresh(index)}
        decided = _refusals(tx.now, found, wanted)
        accepted = {index: one for index, one in wanted.items() if index not in decided}
        bookings = dict(zip(accepted, self._request(tx, shelf, list(accepted.values())), strict=True))
        decided |= self._set_aside(tx, shelf, bookings)
        batch.open |= {index: booking for index, booking in bookings.items() if index not in decided}
        batch.outcomes |= decided
        tx.outcomes.store_many([(batch.calls[index], outcome) for index, outcome in decided.items()])

    def _request(self, tx: Transaction, shelf: Shelf, wanted: Sequence[Wanted]) -> list[Booking]:
        if not wanted:
            return []
        first = tx.next_number("booking", len(wanted))
        numbered = list(enumerate(wanted, start=first))
        codes = _take_codes(tx, shelf, numbered)
        return [
            Booking.request(
                tx.now,
                booking_id=number,
                person_id=one.person_id,
                terms=_terms(shelf[one.stock_id].row, one.quantity),
                asked=one.asked,
                with_code=shelf[one.stock_id].row.with_codes,
                activation_code=codes.get(number),
            )
            for number, one in numbered
        ]

    def _set_aside(self, tx: Transaction, shelf: Shelf, bookings: dict[int, Booking]) -> dict[int, Outcome]:
        """Claims the offers for their people, opens the requests that need credit and answers the free ones.

        Returns the outcomes of the free ones.
        """
        places.claim_live(tx.connection, bookings.values())
        free = [booking for booking in bookings.values() if booking.terms.total == 0]
        beneficiaries = {booking.person_id for booking in free}  # this transaction has checked them
        self._answer(tx, shelf, [(booking, _without_credit(booking)) for booking in free], beneficiaries)
        paid = [booking for booking in bookings.values() if booking.terms.total > 0]
        waiting = [open_request(booking.booking_id, booking.restoring or booking.asked) for booking in paid]
        places.add_requests(tx.connection, waiting)
        shelf.write(tx.now)
        tx.save(*bookings.values())
        return {
            index: _outcome(booking, shelf, tx.now) for index, booking in bookings.items() if booking.terms.total == 0
        }

    def _open_restores(self, tx: Transaction, batch: Batch) -> None:
        self._resume(tx, batch, *deciding.of_keys(tx, batch.calls))
        decided: dict[int, Outcome] = {}
        found: dict[int, Booking] = {}
        for index in filter(batch.is_fresh, range(len(batch.calls))):
            try:
                found[index] = _restorable(tx, batch.calls[index])
            except DomainError as error:
                decided[index] = error
        shelf = Shelf.of(tx, [booking.terms.stock_id for booking in found.values()])
        live = places.live_pairs(tx.connection, [(one.person_id, one.terms.offer_id) for one in found.values()])
        for index, booking in list(found.items()):
            refusal = _no_room(shelf, live, booking)
            if refusal is None:
                booking.request_restore(tx.now, _asked(batch.calls[index]))
            else:
                decided[index] = refusal
                del found[index]
        decided |= self._set_aside(tx, shelf, found)
        batch.open |= {index: booking for index, booking in found.items() if index not in decided}
        batch.outcomes |= decided
        tx.outcomes.store_many([(batch.calls[index], outcome) for index, outcome in decided.items()])

    # transaction 2

    def _credit(self, waiting: Sequence[Booking]) -> list[Verdict]:
        """Wallet's verdicts. When no activation code is left, a reserved credit is released before the caller is told.

        The release leaves a mark in wallet, so that asking again ends the same way.
        """
        paid = [booking for booking in waiting if booking.terms.total > 0]
        verdicts = dict(zip((one.booking_id for one in paid), self._wallet.reserve(paid), strict=True))
        codeless = [one for one in waiting if one.lacks_code and _is_sufficient(verdicts.get(one.booking_id))]
        reserved = [one for one in codeless if one.terms.total > 0]
        released = dict(zip((one.booking_id for one in reserved), self._wallet.release(reserved), strict=True))
        for booking in codeless:
            unknown = released.get(booking.booking_id)
            verdicts[booking.booking_id] = unknown if isinstance(unknown, Unavailable) else _no_code()
        return [verdicts.get(booking.booking_id) for booking in waiting]

    # transaction 3

    def _close(self, answered: Answered) -> dict[int, Outcome]:
        def transaction_3(tx: Transaction) -> dict[int, Outcome]:
            waiting = [booking for booking, _ in answered]
            found = deciding.at_answer(
                tx,
                {booking.booking_id for booking in waiting},
                {booking.person_id for booking in waiting},
                {booking.terms.stock_id for booking in waiting},
            )
            shelf = found.shelf
            pairs = [(booking, verdict) for booking, verdict in answered if booking.booking_id in found.still]
            if tx.attempt > 1:  # the rollback undid the rows, not the decisions in these objects
                loaded = tx.get_many(Booking, [booking.id for booking, _ in pairs])
                pairs = [(loaded[booking.id], verdict) for booking, verdict in pairs]
            calls = {booking.booking_id: call_of(booking.restoring or booking.asked) for booking, _ in pairs}
            self._answer(tx, shelf, pairs, found.beneficiaries)
            shelf.write(tx.now)
            places.remove_requests(tx.connection, found.still)
            tx.save(*(booking for booking, _ in pairs))
            outcomes = {
                booking.booking_id: _outcome(booking, shelf, tx.now) if verdict is None else verdict
                for booking, verdict in pairs
            }
            tx.outcomes.store_many([(calls[number], outcome) for number, outcome in outcomes.items()])
            return outcomes

        return self._store.run(transaction_3)

    def _answer(self, tx: Transaction, shelf: Shelf, answered: Answered, beneficiaries: set[int]) -> None:
        """Confirms or rejects requests and counts their places.

        A confirmed booking is cancelled or moved at once when its stock or person has changed since the request.
        ``beneficiaries``: the people who may book now.
        """
        for booking, verdict in answered:
            row = shelf[booking.terms.stock_id].row
            if verdict is None and (booking.restoring or _ended_meanwhile(booking, row, beneficiaries) is None):
                shelf.book(booking.terms.stock_id, booking.terms.quantity)
            else:
                shelf.give_back(booking.terms.stock_id, booking.terms.quantity, booked=False)
        marks = self._draw(tx, [one for one, verdict in answered if verdict is None and one.restoring is None])
        for booking, verdict in answered:
            _decide(tx.now, shelf, booking, verdict, marks.get(booking.booking_id, ""), beneficiaries)
        ended = [one for one, _ in answered if one.status in (Status.REJECTED, Status.CANCELLED)]
        places.release_live(tx.connection, [one.booking_id for one in ended])
        # the person of a cancelled booking may have seen its code: only rejected ones return theirs
        rejected = [one for one in ended if one.status == Status.REJECTED]
        places.return_codes(tx.connection, [one.booking_id for one in rejected if one.activation_code is not None])

    def _draw(self, tx: Transaction, bookings: Sequence[Booking]) -> dict[int, str]:
        """A countermark for each booking, unique for ever."""
        marks: dict[int, str] = {}
        waiting = {booking.booking_id: booking for booking in bookings}
        for draw in range(MAX_DRAWS):
            if not waiting:
                return marks
            wanted: dict[str, int] = {}
            for number, booking in waiting.items():
                owner = call_of(booking.asked).owner()
                purpose = (owner, booking.asked.key) if booking.asked.key else (number,)
                chance = self._randomness.draw("countermark", *purpose, draw)
                wanted.setdefault(rules.draw_countermark(chance), number)
            for mark in places.claim_countermarks(tx.connection, wanted):
                marks[wanted[mark]] = mark
                del waiting[wanted[mark]]
        raise RuntimeError(f"no free countermark in {MAX_DRAWS} draws")


def _wanted(call: Call[commands.Book]) -> Wanted:
    person = call.caller.account_id if call.caller is not None else 0
    return Wanted(person, call.body.stock_id, call.body.quantity, _asked(call))


def _refusals(now: datetime, found: deciding.AtRequest, wanted: dict[int, Wanted]) -> dict[int, Outcome]:
    """Decides in order, in memory, under the locks of the stocks; takes the places of accepted requests."""
    refused: dict[int, Outcome] = {}
    for index, one in wanted.items():
        refusal = _refusal(now, found, one)
        if refusal is None:
            found.live.add((one.person_id, found.shelf[one.stock_id].row.offer_id))
        else:
            refused[index] = refusal
    return refused


def _refusal(now: datetime, found: deciding.AtRequest, one: Wanted) -> DomainError | None:
    held = found.shelf.get(one.stock_id)
    if one.person_id not in found.beneficiaries:
        return errors.NotABeneficiary("Il faut être bénéficiaire du pass Culture pour réserver.")
    if held is None:
        return errors.UnknownStock()
    if (one.person_id, held.row.offer_id) in found.live:
        return errors.AlreadyBooked("Cette offre est déjà réservée.")
    if one.quantity > (rules.MOST_PLACES if held.row.is_duo else 1):
        return errors.QuantityInvalid("Une place, ou deux pour une offre duo.")
    if not _is_bookable(held.row, now) or not found.shelf.take(one.stock_id, one.quantity):
        return errors.StockNotBookable("Ce stock n'est pas réservable.")
    return None


def _is_bookable(row: Any, now: datetime) -> bool:
    """Released, not withdrawn, and before its booking limit and its start (domain.md §3.1, decision 36)."""
    open_until = min((end for end in (row.booking_limit_at, row.beginning_at) if end is not None), default=None)
    known = row.establishment is not None and row.is_released
    return bool(known) and not row.is_withdrawn and (open_until is None or now < open_until)


def _no_room(shelf: Shelf, live: set[tuple[int, int]], booking: Booking) -> DomainError | None:
    """A restore needs free places; it ignores the booking limit and a withdrawal."""
    pair = (booking.person_id, booking.terms.offer_id)
    if pair in live:
        return errors.AlreadyBooked("Cette offre a été réservée de nouveau.")
    if not shelf.take(booking.terms.stock_id, booking.terms.quantity):
        return errors.StockNotBookable("Il ne reste pas assez de places.")
    live.add(pair)
    return None


def _restorable(tx: Transaction, call: Call[commands.StaffRestore]) -> Booking:
    booking = tx.get(Booking, stream_id("booking", call.body.booking_id))
    if booking is None or not booking.countermark:
        raise errors.UnknownBooking
    booking.check_restorable()
    return booking


def _take_codes(tx: Transaction, shelf: Shelf, numbered: Sequence[tuple[int, Wanted]]) -> dict[int, str]:
    codes: dict[int, str] = {}
    for stock_id in sorted({one.stock_id for _, one in numbered if shelf[one.stock_id].row.with_codes}):
        codes |= places.take_codes(tx.connection, stock_id, [no for no, one in numbered if one.stock_id == stock_id])
    return codes


def _terms(row: Any, quantity: int) -> Terms:
    return Terms(
        stock_id=row.stock_id,
        offer_id=row.offer_id,
        venue_id=row.venue_id,
        offerer_id=row.offerer_id,
        establishment=row.establishment,
        subcategory=row.subcategory,
        offer_name=row.offer_name,
        is_digital=row.is_digital,
        quantity=quantity,
        unit_price=Cents(row.price),
        beginning_at=row.beginning_at,
    )


def _decide(
    now: datetime, shelf: Shelf, booking: Booking, verdict: Verdict, mark: str, beneficiaries: set[int]
) -> None:
    held = shelf[booking.terms.stock_id]
    if verdict is not None:
        booking.reject(now, verdict.code, verdict.status, verdict.detail)
    elif booking.restoring is not None:
        booking.restore(now, held.remaining())
    else:
        booking.confirm(now, mark, held.remaining())
        _catch_up(now, booking, held, beneficiaries)


def _ended_meanwhile(booking: Booking, row: Any, beneficiaries: set[int]) -> Reason | None:
    """Why a booking must be cancelled as soon as it is confirmed: while wallet was asked, the stock or its offer was
    withdrawn, the structure closed or the person suspended. The reactions that cancel bookings then do not see an open
    request."""
    if row.is_withdrawn or not row.is_released:
        return Reason.OFFERER
    return None if booking.person_id in beneficiaries else Reason.BACKOFFICE


def _catch_up(now: datetime, booking: Booking, held: Held, beneficiaries: set[int]) -> None:
    """Applies changes of the stock, its event and the person that came while wallet was asked."""
    row = held.row
    ended = _ended_meanwhile(booking, row, beneficiaries)
    if ended is not None:
        booking.cancel(now, ended, held.remaining())
    elif row.beginning_at is not None and row.beginning_at != booking.beginning_at:
        booking.move(now, row.beginning_at)


def _outcome(booking: Booking, shelf: Shelf, now: datetime) -> Outcome:
    if booking.status == Status.REJECTED:
        return _no_code()
    return booking_shape(row_of(booking), shelf[booking.terms.stock_id].row, now)


def _without_credit(booking: Booking) -> Verdict:
    return _no_code() if booking.lacks_code else None


def _no_code() -> DomainError:
    return errors.NoActivationCode("Il ne reste pas de code d'activation.")


def _is_sufficient(verdict: Verdict) -> bool:
    return verdict is None or verdict.code == "released"


def _asked(call: Call[Any]) -> Asked:
    return Asked(call.name, call.key, call.caller.account_id if call.caller else None, call.data)
