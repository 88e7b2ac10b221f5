"""Runs the saga for batches of calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.booking.application.saga.answer import Answering
from services.booking.application.saga.batch import Batch
from services.booking.application.saga.book import open_bookings
from services.booking.application.saga.countermarks import Countermarks
from services.booking.application.saga.credit import reserve_credits
from services.booking.application.saga.restore import open_restores
from services.booking.domain.booking import Booking
from services.booking.neighbours import Wallet
from shared.contracts.calls import booking as calls
from shared.eventstore import Store, Transaction
from shared.eventstore.outcomes import Call, Outcome, Repeated, find_outcomes
from shared.kernel.errors import OutcomePending, Unavailable
from shared.kernel.randomness import Randomness

Opening = Callable[[Transaction, Batch, Answering], None]
"""Transaction 1."""


class Saga:
    def __init__(self, store: Store, wallet: Wallet, randomness: Randomness) -> None:
        self._store, self._wallet = store, wallet
        self._answering = Answering(Countermarks(randomness))
        self.running: set[int] = set()
        """The open requests that a batch of this process will answer."""

    def book(self, batch: Sequence[Call[calls.Book]]) -> list[Outcome | Repeated]:
        return self._run(batch, open_bookings)

    def restore(self, batch: Sequence[Call[calls.StaffRestore]]) -> list[Outcome | Repeated]:
        return self._run(batch, open_restores)

    def finish(self, waiting: Sequence[Booking]) -> dict[int, Outcome]:
        """Runs transactions 2 and 3; returns the outcomes by booking number, except those that are not known yet."""
        if not waiting:
            return {}
        pairs = zip(waiting, reserve_credits(self._wallet, waiting), strict=True)
        answered = [pair for pair in pairs if not isinstance(pair[1], Unavailable)]
        return self._store.run(lambda tx: self._answering.close(tx, answered)) if answered else {}

    def _run(self, calls: Sequence[Call[Any]], opening: Opening) -> list[Outcome | Repeated]:
        def transaction_1(tx: Transaction) -> Batch:
            batch = Batch(calls)
            opening(tx, batch, self._answering)
            return batch

        batch = self._store.run(transaction_1)
        numbers = {booking.booking_id for booking in batch.open.values()}
        self.running |= numbers
        try:
            outcomes = self.finish(list(batch.open.values()))
        finally:
            self.running -= numbers
        for index, booking in batch.open.items():
            outcome = outcomes.get(booking.booking_id)
            batch.outcomes[index] = self._stored_or_pending(calls[index]) if outcome is None else outcome
        return [batch.outcomes[index] for index in range(len(calls))]

    def _stored_or_pending(self, call: Call[Any]) -> Outcome:
        """The outcome that another process has stored, or OutcomePending."""
        with self._store.reading() as connection:
            known = find_outcomes(connection, [call])
        return known.get((call.owner(), call.key or ""), OutcomePending())
