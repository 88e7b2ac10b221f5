"""Timers: elapsed dates, automatic validation, expiry; and how operators move the simulated clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from shared.eventstore.tables import stored_events
from shared.kernel.identifiers import stream_id
from shared.kernel.time import instant_text, parse_instant
from tests.platform import Platform
from tests.system.scenario import Actor, Scenario

HOURS_48 = timedelta(hours=48)


@pytest.fixture(scope="module")
def actor(scenario: Scenario) -> Actor:
    return scenario.actor()


def elapsed(platform: Platform, stock_id: int) -> int:
    """The number of published ``DateElapsed`` events of a stock in catalog's log."""
    event = stored_events.c
    query = (
        sa.select(sa.func.count())
        .select_from(stored_events)
        .where(event.originator_id == stream_id("stock", stock_id), event.topic.like("%DateElapsed"), event.published)
    )
    with platform.database("catalog").connect() as connection:
        return connection.execute(query).scalar_one()


def test_dated_booking_is_validated_just_after_48_hours(scenario: Scenario, actor: Actor) -> None:
    begins = scenario.platform.now() + timedelta(days=5, minutes=7)
    concert = scenario.publish(actor, 1500, 5, subcategory="CONCERT", begins=begins, name="48 heures")
    person = scenario.young_person()
    booking = scenario.make_booking(person, concert.stock_id)["bookingId"]
    scenario.platform.move_clock_to(begins + HOURS_48)
    assert scenario.booking(person, booking)["status"] == "confirmed"
    scenario.platform.move_clock_to(begins + HOURS_48 + timedelta(seconds=1))
    used = scenario.booking(person, booking)
    assert used["status"] == "used"
    assert parse_instant(used["usedAt"]) == begins + HOURS_48


def test_late_timer_validates_with_the_due_instant(scenario: Scenario, actor: Actor) -> None:
    begins = scenario.platform.now() + timedelta(days=3)
    concert = scenario.publish(actor, 1500, 5, subcategory="CONCERT", begins=begins, name="En retard")
    person = scenario.young_person()
    booking = scenario.make_booking(person, concert.stock_id)["bookingId"]
    scenario.platform.advance(timedelta(days=9))
    assert parse_instant(scenario.booking(person, booking)["usedAt"]) == begins + HOURS_48


def test_cancelled_and_undated_bookings_are_not_validated(scenario: Scenario, actor: Actor) -> None:
    begins = scenario.platform.now() + timedelta(days=5)
    concert = scenario.publish(actor, 1500, 5, subcategory="CONCERT", begins=begins, name="Annulé")
    record = scenario.publish(actor, 1500, 5, subcategory="SUPPORT_PHYSIQUE_MUSIQUE", name="Disque")
    person = scenario.young_person()
    cancelled, undated = scenario.make_booking(person, concert.stock_id), scenario.make_booking(person, record.stock_id)
    assert scenario.cancel(person, cancelled["bookingId"]).status == 200
    scenario.platform.move_clock_to(begins + timedelta(days=3))
    assert scenario.booking(person, cancelled["bookingId"])["status"] == "cancelled"
    assert scenario.booking(person, undated["bookingId"])["status"] == "confirmed"


def test_elapsed_date_is_recorded_once_at_the_start_of_the_event(scenario: Scenario, actor: Actor) -> None:
    begins = scenario.platform.now() + timedelta(days=2, hours=1)
    concert = scenario.publish(actor, 1500, 5, subcategory="CONCERT", begins=begins, name="Daté")
    thing = scenario.publish(actor, 1500, 5)
    scenario.platform.move_clock_to(begins - timedelta(seconds=1))
    assert elapsed(scenario.platform, concert.stock_id) == 0
    scenario.platform.move_clock_to(begins)
    assert elapsed(scenario.platform, concert.stock_id) == 1
    scenario.platform.advance(timedelta(days=3))
    assert elapsed(scenario.platform, concert.stock_id) == 1
    assert elapsed(scenario.platform, thing.stock_id) == 0


def test_undated_booking_expires_and_returns_credit_and_place(scenario: Scenario, actor: Actor) -> None:
    book = scenario.publish(actor, 1500, 1)
    person = scenario.young_person()
    booking = scenario.make_booking(person, book.stock_id)
    due = parse_instant(booking["expiresAt"])
    assert due == parse_instant(booking["bookedAt"]) + timedelta(days=10)
    run = due.replace(hour=5, minute=0, second=0, microsecond=0)
    if due > due.replace(hour=0, minute=0, second=0, microsecond=0):
        run += timedelta(days=1)  # the nightly run handles bookings that expired before midnight
    scenario.platform.move_clock_to(run - timedelta(seconds=1))
    assert scenario.booking(person, booking["bookingId"])["status"] == "confirmed"
    scenario.platform.move_clock_to(run)
    expired = scenario.booking(person, booking["bookingId"])
    assert (expired["status"], expired["cancellationReason"]) == ("cancelled", "EXPIRED")
    assert scenario.remaining_credit(person) == 30000
    scenario.make_booking(scenario.young_person(), book.stock_id)


def test_clock_cannot_move_back(scenario: Scenario) -> None:
    platform = scenario.platform
    now = platform.now()
    back = platform.call("POST", "/v1/ops/clock", {"to": instant_text(now - timedelta(seconds=1))}, operator(platform))
    assert back.outcome == (422, "clock-goes-back")
    assert platform.now() == now


def test_only_operators_move_the_clock_with_one_instruction(scenario: Scenario) -> None:
    platform = scenario.platform
    now = platform.now()
    bodies: list[Any] = [{}, {"to": "soon"}, {"to": instant_text(now), "advanceSeconds": 1}, {"advanceSeconds": -1}]
    for body in bodies:
        assert platform.call("POST", "/v1/ops/clock", body, operator(platform)).status == 422
    ahead = {"advanceSeconds": 60}
    assert platform.call("POST", "/v1/ops/clock", ahead, platform.token("finance")).outcome == (403, "forbidden")
    assert platform.call("POST", "/v1/ops/clock", ahead).status == 401
    assert platform.now() == now


def operator(platform: Platform) -> str:
    return platform.token("operator")
