"""Guards of the platform that a process is started without, for the controls: see ``Fleet.sabotaged``.

Each takes away what the platform relies on, in a process that has imported everything and runs nothing yet.
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


def restless() -> None:
    """Loops that are in trouble try again without a pause."""
    from shared.hosting import loops

    loops.BACKOFF_SECONDS = (0.0,)  # type: ignore[assignment]


# --- what is taken once -----------------------------------------------------------------------------------------------


def forgets_attempts() -> None:
    """Wallet remembers neither what an attempt holds nor that it was given up."""
    from services.wallet.storage import balances

    load = balances.load
    balances.load = lambda *given: (load(*given)[0], [])


def counts_no_places() -> None:
    """Of every stock there is always one more. The table's own check is the test's to take away."""
    from services.booking.storage.stocks import LockedStocks

    def set_aside(self: LockedStocks, stock_id: int, places: int) -> bool:
        self[stock_id].taken += places
        return True

    LockedStocks.set_aside = set_aside  # type: ignore[method-assign]


def locks_no_stock() -> None:
    """Who decides on a stock does not wait for whoever decides on it already."""
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


def books_twice() -> None:
    """A person may have many live bookings of one offer."""
    from services.booking.application.saga import book
    from services.booking.storage import live_bookings

    read = book.read_to_open
    book.read_to_open = lambda *given: dataclasses.replace(read(*given), claimed=set())
    live_bookings.claimed = lambda *_: set()
    live_bookings.claim = lambda *_: None


def recovers_nothing() -> None:
    """Requests that a crash left open stay open."""
    from services.booking.application.saga.recovery import Recovery

    Recovery.run = lambda _: None  # type: ignore[method-assign]


def sleeps_through() -> None:
    """Timers do nothing of what falls due."""
    from shared.runtime.process import Process

    Process.run_due_timers = lambda _: 0  # type: ignore[method-assign]


# --- what follows -----------------------------------------------------------------------------------------------------


def asks_no_log() -> None:
    """A consumer takes what comes, and never asks the source for what it has missed."""
    from shared.messaging.consuming import Consumer

    Consumer.catch_up = lambda _: 0  # type: ignore[method-assign]


def takes_turns() -> None:
    """The queue of a source gives its messages to all processes of the service in turn."""
    from shared.hosting import feeds
    from shared.messaging import topology

    declared = topology.events_queue

    def queue(namespace: str, consumer: str, source: str) -> Any:
        made = declared(namespace, consumer, source)
        made.queue_arguments = {**made.queue_arguments, "x-single-active-consumer": False}
        return made

    feeds.events_queue = queue  # type: ignore[attr-defined]


# --- what never comes back --------------------------------------------------------------------------------------------


def hangs() -> None:
    """A consumer that takes its first messages and does not come back; it is found stuck soon."""
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
