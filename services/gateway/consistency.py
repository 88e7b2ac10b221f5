"""Who must have heard of a write before it is read, so that its caller reads it everywhere.

The owner of a fact shows it at once. What others derive from it follows by messages: somebody waits, bounded, until
they have handled the position that the write was published at. Of a rare write that is the writer (``SHOWS_IN``), and
every replica of the gateway shows it then. Of what comes a hundred times a second it is the reader (``Owed``): whoever
asks for the offer, or asks those services, of the gateway that took the write.
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

MOST_OFFERS = 10_000
"""Of which it is kept what they owe; of older ones together, how far to wait."""
WAIT_SECONDS = 5.0
"""Longer than any healthy consumer needs. After that the write is answered all the same: it is stored."""
LEAST_SECONDS = 0.2
"""For each of several that are waited for, when the one before took all the time: it may well be there."""

SHOWS_IN: Mapping[tuple[str, str], tuple[str, ...]] = {
    # the structure with its digital venue, the right to it at the desk, and of its bank details
    ("identity", "confirm-email"): ("catalog", "booking", "payout"),
    ("identity", "approve-attachment"): ("catalog", "booking", "payout"),
    ("identity", "validate-offerer"): ("catalog", "booking", "payout", "gateway"),
    ("identity", "reject-offerer"): ("catalog", "booking", "payout", "gateway"),
    ("identity", "close-offerer"): ("catalog", "booking", "payout", "gateway"),
    # the credit, and the right to book
    ("identity", "complete-profile"): ("wallet", "booking"),
    ("identity", "review-identity-check"): ("wallet", "booking"),
    # and to act for a structure
    ("identity", "suspend-account"): ("booking", "wallet", "catalog", "payout"),
    ("identity", "unsuspend-account"): ("booking", "wallet", "catalog", "payout"),
    # no booking that could still be cancelled
    ("identity", "suspend-me"): ("booking", "wallet"),
    ("identity", "erase"): ("booking", "wallet"),
    # what can be found, and booked
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
    # what is left of a stock, and of the credit
    ("booking", "cancel"): ("gateway", "wallet"),
    ("booking", "staff-cancel"): ("gateway", "wallet"),
    ("booking", "desk-cancel"): ("gateway", "wallet"),
    ("booking", "staff-restore"): ("gateway",),
    # no un-validating once in a batch; reimbursed
    ("payout", "close"): ("booking",),
    ("payout", "mark-sent"): ("booking",),
    ("payout", "mark-rejected"): ("booking",),
}

OWED_BY: Mapping[tuple[str, str], tuple[str, ...]] = {
    # what was spent, and its price
    ("booking", "desk-use"): ("wallet", "payout"),
    ("booking", "desk-keep"): ("wallet", "payout"),
}
"""As ``SHOWS_IN``, but who reads waits. What is left of an offer is owed, too, by ``("booking", "book")``."""

THEN_SHOWS_IN: Mapping[tuple[str, str], tuple[str, str]] = {
    # booking says what is left after a new quantity, which catalog asked of it: (who publishes it, who shows it)
    ("catalog", "change-stock"): ("booking", "gateway"),
    # the credits of the bookings that go with a person
    ("identity", "suspend-me"): ("booking", "wallet"),
    ("identity", "suspend-account"): ("booking", "wallet"),
    ("identity", "erase"): ("booking", "wallet"),
}
"""What a write made another service publish. Its position is not told: everything published by now is waited for."""


class Owed:
    """What was written through this gateway and may not show yet; who reads it waits for it, once."""

    def __init__(self, bus: Bus, most_offers: int = MOST_OFFERS) -> None:
        self._bus = bus
        self._most = most_offers
        self._services: dict[tuple[str, str], int] = {}
        """(reader, source) → position."""
        self._offers: OrderedDict[int, int] = OrderedDict()
        """Offer → booking's position."""

    def note(self, service: str, command: str, position: int | None, result: Any) -> None:
        if position is None:
            return
        for reader in OWED_BY.get((service, command), ()):
            self._services[reader, service] = position
        if (service, command) == ("booking", "book"):
            offer_id = result["offer"]["offerId"]
            self._offers[offer_id] = position
            self._offers.move_to_end(offer_id)
            while len(self._offers) > self._most:
                self._services["gateway", "booking"] = self._offers.popitem(last=False)[1]

    def wait_for(self, reader: str) -> None:
        """Until a service shows what was written before now."""
        until = time.monotonic() + WAIT_SECONDS
        for (owing, source), position in list(self._services.items()):
            if owing == reader:
                _wait(self._bus, reader, source, position, until)
                if self._services.get((owing, source)) == position:
                    del self._services[owing, source]

    def wait_for_offer(self, offer_id: int) -> None:
        """Until the catalogue shows what was booked of an offer before now."""
        position = self._offers.get(offer_id)
        if position is not None:
            _wait(self._bus, "gateway", "booking", position)
            if self._offers.get(offer_id) == position:
                del self._offers[offer_id]
        self.wait_for("gateway")

    def wait_for_offers(self) -> None:
        """Until the catalogue shows what was booked of any offer before now."""
        if self._offers:
            _wait(self._bus, "gateway", "booking", max(self._offers.values()))
        self.wait_for("gateway")


def wait_until_shown(bus: Bus, service: str, command: str, position: int | None) -> None:
    """Waits for the services of the tables, for all of them so long together; one that is late is logged, and never an
    error of a write that is stored."""
    until = time.monotonic() + WAIT_SECONDS
    if position is not None:
        for reader in SHOWS_IN.get((service, command), ()):
            _wait(bus, reader, service, position, until)
    if (service, command) in THEN_SHOWS_IN:
        source, reader = THEN_SHOWS_IN[service, command]
        try:
            published = bus.query(calls.Positions(), to=source, timeout=_left(until))["published"]
            _wait(bus, reader, source, published, until)
        except Unavailable as late:
            log.warning("source is late", source=source, error=late.detail)


def _wait(bus: Bus, reader: str, source: str, position: int, until: float | None = None) -> None:
    """Until the reader shows it, or the instant of the machine's clock that is given, or for ``WAIT_SECONDS``."""
    seconds = WAIT_SECONDS if until is None else _left(until)
    try:
        bus.query(calls.Reached(source=source, position=position), to=reader, timeout=seconds)
    except Unavailable as late:
        log.warning("reader is late", reader=reader, source=source, position=position, error=late.detail)


def _left(until: float) -> float:
    return max(LEAST_SECONDS, until - time.monotonic())
