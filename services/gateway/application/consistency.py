"""Read your writes: which services must have handled a write before its caller reads from them.

The owner of a fact shows it at once. Other services follow by messages. Somebody waits, for a bounded time, until they
have handled the position at which the write was published:

- for a rare write, the writer (``SHOWS_IN``): every replica of the gateway shows it afterwards;
- for a write that comes a hundred times a second, the reader (``PendingWrites``): a request that reads the offer, or
  from one of those services, through the gateway process that took the write.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import structlog

from shared.contracts.calls import platform as calls
from shared.kernel.errors import Unavailable
from shared.messaging.bus import Bus

log = structlog.get_logger()

MAX_OFFERS = 10_000
"""With a pending position each. Beyond that, the oldest positions become one for all offers."""
WAIT_SECONDS = 5.0
"""Longer than a healthy consumer needs. Afterwards the write is answered as well: it is stored."""
MIN_SECONDS = 0.2
"""For each of several services, also when the one before took all the time: the next may have caught up already."""

SHOWS_IN: Mapping[tuple[str, str], tuple[str, ...]] = {
    # the structure with its digital venue, and the right to act for it
    ("identity", "confirm-email"): ("catalog", "booking", "payout"),
    ("identity", "approve-attachment"): ("catalog", "booking", "payout"),
    ("identity", "validate-offerer"): ("catalog", "booking", "payout", "gateway"),
    ("identity", "reject-offerer"): ("catalog", "booking", "payout", "gateway"),
    ("identity", "close-offerer"): ("catalog", "booking", "payout", "gateway"),
    # the credit, and the right to book
    ("identity", "complete-profile"): ("wallet", "booking"),
    ("identity", "review-identity-check"): ("wallet", "booking"),
    # the right to act for a structure
    ("identity", "suspend-account"): ("booking", "wallet", "catalog", "payout"),
    ("identity", "unsuspend-account"): ("booking", "wallet", "catalog", "payout"),
    # its bookings are cancelled
    ("identity", "suspend-me"): ("booking", "wallet"),
    ("identity", "erase"): ("booking", "wallet"),
    # what can be found and booked
    ("catalog", "open-venue"): ("booking", "payout", "gateway"),
    ("catalog", "change-venue"): ("booking", "payout", "gateway"),
    ("catalog", "create-offer"): ("booking", "gateway"),
    ("catalog", "change-offer"): ("booking", "gateway"),
    ("catalog", "activate-offer"): ("booking", "gateway"),
    ("catalog", "deactivate-offer"): ("booking", "gateway"),
    ("catalog", "approve-offer"): ("booking", "gateway"),
    ("catalog", "reject-offer"): ("booking", "gateway"),
    ("catalog", "add-stock"): ("booking", "gateway"),
    ("catalog", "change-stock"): ("booking", "gateway"),
    ("catalog", "withdraw-stock"): ("booking", "gateway"),
    # the places left of a stock, and the credit
    ("booking", "cancel"): ("gateway", "wallet"),
    ("booking", "staff-cancel"): ("gateway", "wallet"),
    ("booking", "desk-cancel"): ("gateway", "wallet"),
    ("booking", "staff-restore"): ("gateway",),
    # a booking in a batch cannot be made unused; reimbursed
    ("payout", "close"): ("booking",),
    ("payout", "mark-sent"): ("booking",),
    ("payout", "mark-rejected"): ("booking",),
}

PENDING_IN: Mapping[tuple[str, str], tuple[str, ...]] = {
    # what was spent, and its price
    ("booking", "desk-use"): ("wallet", "payout"),
    ("booking", "desk-keep"): ("wallet", "payout"),
}
"""Like ``SHOWS_IN``, but the reader waits. ``("booking", "book")`` is pending for its offer in the catalogue."""

SECOND_HOP: Mapping[tuple[str, str], tuple[str, str]] = {
    # after a new quantity, which catalog asks booking for, booking publishes the places left: (publisher, reader)
    ("catalog", "change-stock"): ("booking", "gateway"),
    # the credits of the bookings that are cancelled with an account
    ("identity", "suspend-me"): ("booking", "wallet"),
    ("identity", "suspend-account"): ("booking", "wallet"),
    ("identity", "erase"): ("booking", "wallet"),
}
"""What a write made another service publish. Its position is not known here: the wait is for all published so far."""


class PendingWrites:
    """Writes through this process that other services may not show yet. The next reader waits for them, once."""

    def __init__(self, bus: Bus, max_offers: int = MAX_OFFERS) -> None:
        self._bus = bus
        self._max_offers = max_offers
        self._services: dict[tuple[str, str], int] = {}
        """(reader, source) → position."""
        self._offers: OrderedDict[int, int] = OrderedDict()
        """Offer → booking's position."""

    def note(self, service: str, command: str, position: int | None, result: Any) -> None:
        if position is None:
            return
        for reader in PENDING_IN.get((service, command), ()):
            self._services[reader, service] = position
        if (service, command) == ("booking", "book"):
            offer_id = result["offer"]["offerId"]
            self._offers[offer_id] = position
            self._offers.move_to_end(offer_id)
            while len(self._offers) > self._max_offers:
                self._services["gateway", "booking"] = self._offers.popitem(last=False)[1]

    def wait_for(self, reader: str) -> None:
        """Until a service shows what was written before now."""
        until = time.monotonic() + WAIT_SECONDS
        for (waiting, source), position in list(self._services.items()):
            if waiting == reader:
                _wait(self._bus, reader, source, position, until)
                if self._services.get((waiting, source)) == position:
                    del self._services[waiting, source]

    def wait_for_offer(self, offer_id: int) -> None:
        """Until the catalogue shows the bookings of an offer before now."""
        position = self._offers.get(offer_id)
        if position is not None:
            _wait(self._bus, "gateway", "booking", position)
            if self._offers.get(offer_id) == position:
                del self._offers[offer_id]
        self.wait_for("gateway")

    def wait_for_offers(self) -> None:
        """Until the catalogue shows the bookings of all offers before now."""
        if self._offers:
            _wait(self._bus, "gateway", "booking", max(self._offers.values()))
        self.wait_for("gateway")


def wait_until_shown(bus: Bus, service: str, command: str, position: int | None) -> None:
    """Waits for the services of the tables, ``WAIT_SECONDS`` for all of them together.

    A service that is late is logged. It is no error of the write, which is stored.
    """
    until = time.monotonic() + WAIT_SECONDS
    if position is not None:
        for reader in SHOWS_IN.get((service, command), ()):
            _wait(bus, reader, service, position, until)
    if (service, command) in SECOND_HOP:
        source, reader = SECOND_HOP[service, command]
        try:
            published = bus.query(calls.Positions(), to=source, timeout=_left(until))["published"]
            _wait(bus, reader, source, published, until)
        except Unavailable as late:
            log.warning("source is late", source=source, error=late.detail)


def _wait(bus: Bus, reader: str, source: str, position: int, until: float | None = None) -> None:
    """Until the reader has handled the position; at most ``WAIT_SECONDS``, or up to an instant of the machine."""
    seconds = WAIT_SECONDS if until is None else _left(until)
    try:
        bus.query(calls.Reached(source=source, position=position), to=reader, timeout=seconds)
    except Unavailable as late:
        log.warning("reader is late", reader=reader, source=source, position=position, error=late.detail)


def _left(until: float) -> float:
    return max(MIN_SECONDS, until - time.monotonic())
