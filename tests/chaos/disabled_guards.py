"""Functions that disable one guard of the platform in a process, for the controls: see ``Fleet.without_guard``.

Each is called in a process that has imported everything and runs nothing yet.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from greenlet import GreenletExit

from shared import green

A_MOMENT = 0.02
"""Between looking and taking: what a busy machine does."""
STUCK_SECONDS = 2.0
"""As ``health.STUCK_SECONDS``, for those who do not want to wait for a minute."""


def retry_without_pause() -> None:
    """Loops retry at once after a failure."""
    from shared.hosting import loops

    loops.BACKOFF_SECONDS = (0.0,)  # type: ignore[assignment]


# --- what is taken once -----------------------------------------------------------------------------------------------


def forget_attempts() -> None:
    """Wallet ignores the recorded attempts: reserved and barred ones alike."""
    from services.wallet.storage import balances

    load = balances.load
    balances.load = lambda *given: (load(*given)[0], [])


def count_no_places() -> None:
    """A stock always has one more place. The test itself removes the table's constraint."""
    from services.booking.storage.stocks import LockedStocks

    def set_aside(self: LockedStocks, stock_id: int, places: int) -> bool:
        self[stock_id].taken += places
        return True

    LockedStocks.set_aside = set_aside  # type: ignore[method-assign]


def lock_no_stock() -> None:
    """A decision on a stock does not wait for another one in progress."""
    from services.booking.storage import saga, stocks
    from shared.eventstore.combined import CombinedSelect

    init = stocks.LockedStocks.__init__

    def hesitating(*given: Any) -> None:
        init(*given)
        green.sleep(A_MOMENT)

    stocks.lock = stocks.lock_of_bookings = lambda *_: None
    stocks.LOCKED_STOCKS = stocks._STOCKS
    for name in ("_OPENING", "_ANSWERING"):
        selects = getattr(saga, name)._selects
        setattr(saga, name, CombinedSelect(**{**selects, "stocks": stocks._STOCKS}))
    stocks.LockedStocks.__init__ = hesitating  # type: ignore[method-assign]


def allow_second_booking() -> None:
    """A person may have several live bookings of one offer."""
    from services.booking.application.saga import book
    from services.booking.storage import live_bookings

    read = book.read_to_open
    book.read_to_open = lambda *given: dataclasses.replace(read(*given), claimed=set())
    live_bookings.claimed = lambda *_: set()
    live_bookings.claim = lambda *_: None


def recover_nothing() -> None:
    """Requests that a crash left open stay open."""
    from services.booking.application.saga.recovery import Recovery

    Recovery.run = lambda _: None  # type: ignore[method-assign]


def ignore_outages() -> None:
    """Timers do nothing when they are due."""
    from shared.runtime.process import Process

    Process.run_due_timers = lambda _: 0  # type: ignore[method-assign]


# --- what follows -----------------------------------------------------------------------------------------------------


def request_no_log() -> None:
    """A consumer never asks the source for messages that it has missed."""
    from shared.messaging.consuming import Consumer

    Consumer.catch_up = lambda _: 0  # type: ignore[method-assign]


def share_queues() -> None:
    """A source's queue has several active consumers, one per process."""
    from shared.hosting import feeds
    from shared.messaging import topology

    declared = topology.events_queue

    def queue(namespace: str, consumer: str, source: str) -> Any:
        made = declared(namespace, consumer, source)
        made.queue_arguments = {**made.queue_arguments, "x-single-active-consumer": False}
        return made

    feeds.events_queue = queue  # type: ignore[attr-defined]


# --- what never comes back --------------------------------------------------------------------------------------------


def hang() -> None:
    """A consumer takes its first messages and never returns; the health check soon finds it stuck."""
    from shared.messaging.consuming import Consumer
    from shared.observability import health

    health.STUCK_SECONDS = STUCK_SECONDS
    Consumer.handle = lambda *_: green.sleep(3600)  # type: ignore[method-assign]


def ends() -> None:
    """The greenlet of a consumer ends at its first messages."""
    from shared.hosting import TakesMessages

    def handle(*_: Any) -> None:
        raise GreenletExit

    TakesMessages.handle = handle  # type: ignore[method-assign]
