"""The controls of the oracle: what it is there to find is put into the stores or the journal, and it finds it.

Each is written in a transaction that only the oracle reads through and that is never committed.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos.fleet import Fleet
from tests.chaos.journal import Entry, Journal, audit, opened
from tests.chaos.load import Load, Town

EVENT = "originator_id, originator_version, topic, state, recorded_at, published, correlation_id, causation_id"
TWICE = EVENT.replace("originator_version", "originator_version + 100000")


def one_of(topic: str) -> str:
    return f"(SELECT max(id) FROM stored_events WHERE topic = '{topic}')"


SPOILT = {
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
def quiet(platform: Fleet, load: Load) -> None:
    """Something of each kind has happened, and everything has come to rest."""
    load.run(lambda seen: all(seen.done[action] > 0 for action in ("book", "cancel", "use")))
    platform.wait_idle()


def test_what_is_right_is_not_complained_about(platform: Fleet, town: Town, journal: Journal) -> None:
    with opened(platform) as books:
        assert audit(books, journal.entries(), town.quantities) == []


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_spoilt_in_a_store_is_found(platform: Fleet, town: Town, journal: Journal, what: str) -> None:
    service, statement, complaint = SPOILT[what]
    with opened(platform) as books:
        assert books.connections[service].exec_driver_sql(statement).rowcount > 0
        found = audit(books, journal.entries(), town.quantities)
    assert any(complaint in text for text in found), found


def test_what_was_acknowledged_and_never_happened_is_found(platform: Fleet, town: Town, journal: Journal) -> None:
    entries = journal.entries()
    booked = next(entry for entry in entries if entry.action == "book" and entry.is_done)
    invented = replace(booked, key="invented", answer=booked.answer | {"bookingId": 10**9})
    refused = replace(booked, status=409, answer={"code": "already-booked"})
    with opened(platform) as books:
        assert f"booking {10**9} was acknowledged, and is 0 times in the log" in audit(books, [invented], {})
        found = audit(books, [booked, refused], {})
    assert f"booking with key {booked.key} was refused with 409, and confirmed" in found
    assert any(text.startswith(f"key {booked.key} was answered 201") for text in found)


def test_what_is_oversold_is_found(platform: Fleet, town: Town, journal: Journal) -> None:
    """Of as many as are booked, one less had been there."""
    sold = next(entry for entry in journal.entries() if entry.action == "use" and entry.is_done)
    stock = next(
        entry.answer["stock"]["stockId"]
        for entry in journal.entries()
        if entry.action == "book" and entry.is_done and entry.answer["bookingId"] == sold.booking
    )
    with opened(platform) as books:
        found = audit(books, journal.entries(), {stock: 0})
    assert any(text.startswith(f"stock {stock}: ") and "of 0 are booked" in text for text in found), found


def test_an_answer_that_is_none_is_found(platform: Fleet) -> None:
    odd = Entry("use", 1, "k", 1, 403, {"booking": ["no"]})
    with opened(platform) as books:
        assert "use was answered 403: {'booking': ['no']}" in audit(books, [odd], {})
