"""The controls of the oracle: it finds every kind of corruption that it is there for.

Each is written in a transaction that only the oracle reads and that is never committed.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos.fleet import Fleet
from tests.chaos.journal import Entry, Journal, audit, opened_stores
from tests.chaos.load import Dataset, Load

EVENT = "originator_id, originator_version, topic, state, recorded_at, published, correlation_id, causation_id"
TWICE = EVENT.replace("originator_version", "originator_version + 100000")


def one_of(topic: str) -> str:
    return f"(SELECT max(id) FROM stored_events WHERE topic = '{topic}')"


CORRUPTIONS = {
    "a lost booking": (
        "booking",
        f"DELETE FROM stored_events WHERE id = {one_of('Booking.Confirmed')}",
        "was acknowledged, and is 0 times in the log",
    ),
    "a doubled booking": (
        "booking",
        f"INSERT INTO stored_events ({EVENT}) SELECT {TWICE} FROM stored_events"
        f" WHERE id = {one_of('Booking.Confirmed')}",
        "was acknowledged, and is 2 times in the log",
    ),
    "a lost cancellation": (
        "booking",
        f"DELETE FROM stored_events WHERE id = {one_of('Booking.Cancelled')}",
        "cancel was acknowledged, and is 0 times in the log",
    ),
    "a lost validation": (
        "booking",
        f"DELETE FROM stored_events WHERE id = {one_of('Booking.Validated')}",
        "use was acknowledged, and is 0 times in the log",
    ),
    "a credit taken twice": (
        "wallet",
        f"INSERT INTO stored_events ({EVENT}) SELECT {TWICE} FROM stored_events WHERE id = {one_of('Wallet.Reserved')}",
        "its credit was taken 2 times",
    ),
    "a credit not given back": (
        "wallet",
        f"DELETE FROM stored_events WHERE id = {one_of('Wallet.Released')}",
        "its credit is held 1 times, and it is cancelled",
    ),
    "a cent too many": (
        "wallet",
        "UPDATE credits SET available = available + 1, reserved = reserved - 1 WHERE reserved > 0",
        "cents left of",
    ),
    "a place held for ever": ("booking", "UPDATE stocks SET taken = taken + 1 WHERE taken < quantity", "are taken"),
    "an open request": (
        "booking",
        "INSERT INTO open_requests VALUES (999999, 'account-1', 'k', 'f')",
        "its request is held open",
    ),
    "a stale number of places": ("gateway", "UPDATE catalogue_stocks SET remaining = remaining - 1", "are shown"),
    "a consumer behind": ("payout", "UPDATE tracking SET position = position - 1", "payout has followed booking up to"),
    "a consumer that never began": (
        "wallet",
        "DELETE FROM tracking WHERE source = 'identity'",
        "wallet has followed identity up to 0 of",
    ),
    "an unsent message": ("booking", "UPDATE relay SET position = position - 1", "booking has sent up to"),
    "a dead letter": (
        "wallet",
        "INSERT INTO dead_letters (source, stream, position, message, error, state, recorded_at)"
        " VALUES ('booking', 's', 999999, '{}', 'why', 'failed', now())",
        "wallet could not handle booking 999999: why",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def idle(platform: Fleet, load: Load) -> None:
    """Every action has succeeded at least once, and nothing is in progress."""
    load.run(lambda seen: all(seen.done[action] > 0 for action in ("book", "cancel", "use")))
    platform.wait_idle()


def test_consistent_stores_are_not_reported(platform: Fleet, dataset: Dataset, journal: Journal) -> None:
    with opened_stores(platform) as stores:
        assert audit(stores, journal.entries(), dataset.quantities) == []


@pytest.mark.parametrize("what", CORRUPTIONS)
def test_corruption_of_a_store_is_detected(platform: Fleet, dataset: Dataset, journal: Journal, what: str) -> None:
    service, statement, complaint = CORRUPTIONS[what]
    with opened_stores(platform) as stores:
        assert stores.connections[service].exec_driver_sql(statement).rowcount > 0
        found = audit(stores, journal.entries(), dataset.quantities)
    assert any(complaint in text for text in found), found


def test_acknowledged_command_without_effect_is_detected(platform: Fleet, dataset: Dataset, journal: Journal) -> None:
    entries = journal.entries()
    booked = next(entry for entry in entries if entry.action == "book" and entry.is_done)
    invented = replace(booked, key="invented", answer=booked.answer | {"bookingId": 10**9})
    refused = replace(booked, status=409, answer={"code": "already-booked"})
    with opened_stores(platform) as stores:
        assert f"booking {10**9} was acknowledged, and is 0 times in the log" in audit(stores, [invented], {})
        found = audit(stores, [booked, refused], {})
    assert f"booking with key {booked.key} was refused with 409, and confirmed" in found
    assert any(text.startswith(f"key {booked.key} was answered 201") for text in found)


def test_oversold_stock_is_detected(platform: Fleet, dataset: Dataset, journal: Journal) -> None:
    """The control: the quantity is set below what was sold."""
    sold = next(entry for entry in journal.entries() if entry.action == "use" and entry.is_done)
    stock = next(
        entry.answer["stock"]["stockId"]
        for entry in journal.entries()
        if entry.action == "book" and entry.is_done and entry.answer["bookingId"] == sold.booking
    )
    with opened_stores(platform) as stores:
        found = audit(stores, journal.entries(), {stock: 0})
    assert any(text.startswith(f"stock {stock}: ") and "of 0 are booked" in text for text in found), found


def test_unexpected_answer_is_detected(platform: Fleet) -> None:
    odd = Entry("use", 1, "k", 1, 403, {"booking": ["no"]})
    with opened_stores(platform) as stores:
        assert "use was answered 403: {'booking': ['no']}" in audit(stores, [odd], {})
