"""Which services must have heard of a write before it is answered, so that its caller reads it everywhere.

The owner of a fact shows it at once. What others derive from it follows by messages; the routes of this table wait,
bounded, until those services have handled the position that the write was published at.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from shared.kernel.errors import Unavailable
from shared.messaging.bus import Bus

log = structlog.get_logger()

WAIT_SECONDS = 5.0
"""Longer than any healthy consumer needs. After that the write is answered all the same: it is stored."""

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
    ("identity", "suspend-account"): ("booking", "wallet"),
    ("identity", "unsuspend-account"): ("booking", "wallet"),
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
    # what is left of a stock; what was spent, and its price
    ("booking", "book"): ("gateway",),
    ("booking", "cancel"): ("gateway", "wallet"),
    ("booking", "staff-cancel"): ("gateway", "wallet"),
    ("booking", "desk-use"): ("wallet", "payout"),
    ("booking", "desk-keep"): ("wallet", "payout"),
    ("booking", "desk-cancel"): ("gateway", "wallet"),
    # no un-validating once in a batch; reimbursed
    ("payout", "close"): ("booking",),
    ("payout", "mark-sent"): ("booking",),
    ("payout", "mark-rejected"): ("booking",),
}


THEN_SHOWS_IN: Mapping[tuple[str, str], tuple[str, str]] = {
    # booking says what is left after a new quantity, which catalog asked of it: (who publishes it, who shows it)
    ("catalog", "change-stock"): ("booking", "gateway"),
}
"""What a write made another service publish. Its position is not told: everything published by now is waited for."""


def wait_until_shown(bus: Bus, service: str, command: str, position: int | None) -> None:
    """Waits for the services of the tables; one that is late is logged, never an error of a write that is stored."""
    if position is not None:
        for reader in SHOWS_IN.get((service, command), ()):
            _wait(bus, reader, service, position)
    if (service, command) in THEN_SHOWS_IN:
        source, reader = THEN_SHOWS_IN[service, command]
        try:
            _wait(bus, reader, source, bus.query(source, "positions", {}, timeout=WAIT_SECONDS)["published"])
        except Unavailable as late:
            log.warning("source is late", source=source, error=late.detail)


def _wait(bus: Bus, reader: str, source: str, position: int) -> None:
    try:
        bus.query(reader, "reached", {"source": source, "position": position}, timeout=WAIT_SECONDS)
    except Unavailable as late:
        log.warning("reader is late", reader=reader, source=source, position=position, error=late.detail)
