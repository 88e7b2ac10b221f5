"""What falls due by itself: automatic validations and expiries, against what the real system answered."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.booking.domain import rules
from shared.kernel.time import parse_instant
from shared.projections.rebuilding import compare
from tests.unit.booking.world import NOON, YOUNG, World

CASES = Path(__file__).parents[2] / "cases"
EXPIRY = json.loads((CASES / "expiry.json").read_text())
AUTO_USE = json.loads((CASES / "auto_use.json").read_text())["cases"]


def utc(naive: str | None) -> datetime | None:
    return None if naive is None else datetime.fromisoformat(naive).replace(tzinfo=UTC)


def due(world: World, timer: str) -> datetime | None:
    with world.store.reading() as connection:
        (found,) = [one.next_due(connection) for one in world.service.timers if one.name == timer]
    return found


def dated(case: dict[str, Any]) -> bool:
    return bool(rules.SUBCATEGORIES[case["subcategory"]].is_event)


@pytest.mark.parametrize("case", EXPIRY["expiration_dates"])
def test_expiry_dates_are_those_of_the_real_system(case: dict[str, Any]) -> None:
    created = utc(case["created"])
    assert created is not None
    # what is used or cancelled shows no expiry; paper books before 2021-09-22 waited 30 days, whatever code runs today
    expires = None if case["is_used"] or case["is_cancelled"] else rules.expires_at(case["subcategory"], created, None)
    if case["subcategory"] == "LIVRE_PAPIER" and created < datetime(2021, 9, 22, tzinfo=UTC) and expires:
        assert expires == created + timedelta(days=30)
    else:
        assert expires == utc(case["expected_expiration"])


@pytest.mark.parametrize("case", [case for case in EXPIRY["batch"] if case["status"] == "CONFIRMED"])
def test_the_expiry_run_selects_what_the_real_system_does(case: dict[str, Any]) -> None:
    created, today = utc(case["created"]), utc(f"{case['today']}T00:00:00")
    assert created is not None and today is not None
    expires = rules.expires_at(case["subcategory"], created, None)
    taken = expires is not None and rules.expiry_run(expires) <= today + timedelta(hours=5)
    if dated(case) and case["expected_expired_by_nightly_job"]:
        # decision 29: what has a date does not expire, and an event always has one
        assert rules.expires_at(case["subcategory"], created, today) is None
    else:
        assert taken == case["expected_expired_by_nightly_job"]


@pytest.mark.parametrize("case", AUTO_USE)
def test_automatic_validation_selects_what_the_real_system_does(world: World, case: dict[str, Any]) -> None:
    """Adapted to decision 5: ``usedAt`` is start + 48 h, where the real system wrote the time of its job."""
    now, begins = utc(case["now"]), utc(case["event_beginning"])
    assert now is not None and begins is not None
    booked = world.book(world.stock(begins=begins))
    world.move_to(now)
    seen = world.seen(booked["bookingId"])
    assert (seen["status"] == "used") == case["expected_used"]
    expected = begins + timedelta(hours=48) if case["expected_used"] else None
    assert (parse_instant(seen["usedAt"]) if seen["usedAt"] else None) == expected


def test_automatic_validation_starts_after_48_hours_and_keeps_its_due_instant(world: World) -> None:
    begins = NOON + timedelta(days=8)
    booked = world.book(world.stock(begins=begins))
    world.move_to(begins + timedelta(hours=48))
    assert world.seen(booked["bookingId"])["status"] == "confirmed"
    world.clock.move_to(begins + timedelta(days=30))
    assert world.process.run_due_timers() == 1
    (validated,) = world.messages("CountermarkValidated")
    assert (validated["usedAt"], validated["by"]) == ("2021-11-12T12:00:00Z", "automatic")
    assert world.seen(booked["bookingId"])["usedAt"] == "2021-11-12T12:00:00Z"
    assert world.differences() == []


def test_a_validation_undone_after_its_due_instant_falls_due_two_days_later(world: World) -> None:
    begins = NOON + timedelta(days=8)
    booked = world.book(world.stock(begins=begins))
    world.move_to(begins + timedelta(hours=50))
    world.desk("keep", booked["countermark"])
    world.pass_time(timedelta(hours=48))
    assert world.seen(booked["bookingId"])["status"] == "confirmed"
    world.pass_time(timedelta(seconds=1))
    assert world.seen(booked["bookingId"])["usedAt"] == "2021-11-12T12:00:00Z"
    assert world.differences() == []


def test_a_validation_undone_before_its_due_instant_keeps_it(world: World) -> None:
    begins = parse_instant("2021-11-13T20:00:00Z")
    booked = world.book(world.stock(begins=begins))
    world.move_to(begins)
    world.desk("use", booked["countermark"])
    world.move_to(parse_instant("2021-11-14T09:00:00Z"))
    world.desk("keep", booked["countermark"])
    two_days_after = parse_instant("2021-11-15T20:00:00Z")
    world.move_to(two_days_after)
    assert world.seen(booked["bookingId"])["status"] == "confirmed"
    world.move_to(two_days_after + rules.TICK)
    seen = world.seen(booked["bookingId"])
    assert (seen["status"], seen["usedAt"]) == ("used", "2021-11-15T20:00:00Z"), "in time for the batch of the 15th"
    assert world.differences() == []


def test_a_validation_undone_at_its_due_instant_is_made_again_just_after(world: World) -> None:
    begins = NOON + timedelta(days=8)
    booked = world.book(world.stock(begins=begins))
    world.move_to(begins)
    world.desk("use", booked["countermark"])
    world.move_to(begins + timedelta(hours=48))
    world.desk("keep", booked["countermark"])
    world.pass_time(rules.TICK)
    assert world.seen(booked["bookingId"])["usedAt"] == "2021-11-12T12:00:00Z"


def test_validate_due_validates_only_what_is_due_before_the_instant(world: World) -> None:
    early, late = NOON + timedelta(days=8), NOON + timedelta(days=9)
    first, second = world.book(world.stock(begins=early)), world.book(world.stock(begins=late))
    world.clock.move_to(late + timedelta(days=5))
    until = early + timedelta(hours=48, seconds=1)
    answer = world.command("validate-due", {"until": until.isoformat().replace("+00:00", "Z")})
    assert answer == {"position": world.store.published_head()}
    states = [world.seen(one["bookingId"])["status"] for one in (first, second)]
    assert states == ["used", "confirmed"]


def test_validate_due_validates_nothing_before_its_time(world: World) -> None:
    booked = world.book(world.stock(begins=NOON + timedelta(days=8)))
    world.command("validate-due", {"until": "2030-01-01T00:00:00Z"})
    assert world.seen(booked["bookingId"])["status"] == "confirmed"


def test_hundreds_of_bookings_fall_due_together(world: World) -> None:
    begins = NOON + timedelta(days=8)
    stock = world.stock(begins=begins, price=0, quantity=None)
    for person in range(3_000, 3_020):
        world.book(stock, world.welcome(person))
    world.move_to(begins + timedelta(hours=49))
    assert len(world.messages("CountermarkValidated")) == 20
    assert world.differences() == []


def test_a_paper_book_expires_at_the_run_after_its_tenth_day(world: World) -> None:
    stock = world.stock(quantity=1)
    booked = world.book(stock)
    assert booked["expiresAt"] == "2021-11-12T12:00:00Z"
    world.move_to(parse_instant("2021-11-13T04:59:59Z"))
    assert world.desk("look-up", booked["countermark"])["status"] == "confirmed"
    world.move_to(parse_instant("2021-11-13T05:00:00Z"))
    seen = world.seen(booked["bookingId"])
    assert (seen["status"], seen["cancellationReason"]) == ("cancelled", "EXPIRED")
    assert seen["expiresAt"] is None
    assert seen["cancelledAt"] == "2021-11-13T05:00:00Z"
    assert world.wallet.available(YOUNG) == 30_000
    assert world.counts(stock) == (0, 0)
    assert world.differences() == []


def test_the_expiry_timer_is_due_only_when_something_expires(world: World) -> None:
    assert world._first_due() is None
    world.book(world.stock(world.offer("ACHAT_INSTRUMENT")))
    assert due(world, "expiry") == parse_instant("2021-12-03T05:00:00Z")


def test_a_booking_that_expires_at_midnight_expires_that_day(world: World) -> None:
    world.clock.move_to(parse_instant("2021-11-03T00:00:00Z"))
    world.book(world.stock())
    assert due(world, "expiry") == parse_instant("2021-11-13T05:00:00Z")


@pytest.mark.parametrize(
    ("subcategory", "booked", "warned"),
    [
        ("LIVRE_PAPIER", "2021-11-02T12:00:00Z", "2021-11-07T05:30:00Z"),
        ("ACHAT_INSTRUMENT", "2021-11-02T12:00:00Z", "2021-11-25T05:30:00Z"),
        ("ACHAT_INSTRUMENT", "2021-11-03T00:00:00Z", "2021-11-26T05:30:00Z"),
        ("ACHAT_INSTRUMENT", "2021-11-03T23:59:59Z", "2021-11-26T05:30:00Z"),
        ("VOD", "2021-11-02T12:00:00Z", None),
    ],
)
def test_an_expiry_is_announced_seven_days_before_and_five_for_paper_books(
    world: World, subcategory: str, booked: str, warned: str | None
) -> None:
    world.clock.move_to(parse_instant(booked))
    booking = world.book(world.stock(world.offer(subcategory)))
    assert due(world, "expiry-warnings") == (warned and parse_instant(warned))
    if warned:
        world.move_to(parse_instant(warned))
        assert due(world, "expiry-warnings") is None, "once"
        assert world.seen(booking["bookingId"]) == booking
    assert world.differences() == []


def test_a_paper_book_booked_before_the_ten_day_rule_is_warned_seven_days_before() -> None:
    old = datetime(2021, 9, 21, 12, tzinfo=UTC)
    assert rules.warning_run("LIVRE_PAPIER", old) == datetime(2021, 10, 14, 5, 30, tzinfo=UTC)


def test_undoing_a_validation_after_the_warning_gives_no_second_one(world: World) -> None:
    early, late = world.book(world.stock()), world.book(world.stock())
    for one in (early, late):
        world.desk("use", one["countermark"])
    world.desk("keep", early["countermark"])
    assert due(world, "expiry-warnings") == parse_instant("2021-11-07T05:30:00Z")
    world.move_to(parse_instant("2021-11-08T09:00:00Z"))
    world.desk("keep", late["countermark"])
    assert due(world, "expiry-warnings") is None
    assert world.differences() == []


def test_used_and_cancelled_bookings_get_no_warning(world: World) -> None:
    used, cancelled = world.book(world.stock()), world.book(world.stock())
    world.desk("use", used["countermark"])
    world.cancel(cancelled["bookingId"])
    assert due(world, "expiry-warnings") is None


def test_a_reminder_is_due_at_16_on_the_eve_of_an_event(world: World) -> None:
    stock = world.event(timedelta(days=8))
    assert due(world, "reminders") == parse_instant("2021-11-09T16:00:00Z")
    world.move_event(stock, NOON + timedelta(days=20))
    assert due(world, "reminders") == parse_instant("2021-11-21T16:00:00Z")
    world.move_to(parse_instant("2021-11-21T16:00:00Z"))
    assert due(world, "reminders") is None
    world.event(timedelta(hours=20))
    assert due(world, "reminders") is None, "its eve is past, whoever books it knows"
    withdrawn = world.event(timedelta(days=8))
    world.receive("catalog", "StockWithdrawn", {"stockId": withdrawn, "offerId": 1, "withdrawnAt": world.now_text()})
    assert due(world, "reminders") is None
    for projection in world.store.projections:
        assert compare(world.store, projection) == []


def test_a_validation_undone_after_the_expiry_expires_at_the_next_run(world: World) -> None:
    booked = world.book(world.stock())
    world.desk("use", booked["countermark"])
    world.move_to(parse_instant("2021-12-01T06:00:00Z"))
    world.desk("keep", booked["countermark"])
    assert due(world, "expiry") == parse_instant("2021-12-02T05:00:00Z")
    world.move_to(parse_instant("2021-12-02T05:00:00Z"))
    assert world.seen(booked["bookingId"])["status"] == "cancelled"


def test_a_dated_booking_does_not_expire(world: World) -> None:
    stock = world.stock(world.offer("SEANCE_ESSAI_PRATIQUE_ART"), begins=NOON + timedelta(days=60))
    assert world.book(stock)["expiresAt"] is None


def test_a_moved_event_has_new_limits_counted_from_the_move(world: World) -> None:
    stock = world.event(timedelta(days=8))
    booked = world.book(stock)
    world.pass_time(timedelta(days=5))
    world.move_event(stock, NOON + timedelta(days=20))
    seen = world.seen(booked["bookingId"])
    assert seen["stock"]["beginningAt"] == "2021-11-22T12:00:00Z"
    assert seen["cancellationLimitAt"] == "2021-11-09T12:00:00Z"
    assert world.cancel(booked["bookingId"])["status"] == "cancelled"
    assert world.differences() == []


def test_postponing_an_event_undoes_its_validations(world: World) -> None:
    stock = world.event(timedelta(hours=40))
    booked = world.book(stock)
    world.desk("use", booked["countermark"])
    world.move_event(stock, NOON + timedelta(hours=48))
    assert world.seen(booked["bookingId"])["status"] == "used"
    world.move_event(stock, NOON + timedelta(hours=48, seconds=1))
    assert world.seen(booked["bookingId"])["status"] == "confirmed"
    assert len(world.messages("CountermarkInvalidated")) == 1
    world.move_to(NOON + timedelta(hours=96, seconds=2))
    assert world.seen(booked["bookingId"])["usedAt"] == "2021-11-06T12:00:01Z"
    assert world.differences() == []


def test_postponing_an_event_keeps_the_validations_in_a_batch(world: World) -> None:
    stock = world.event(timedelta(hours=40))
    booked = world.book(stock)
    world.desk("use", booked["countermark"])
    world.enter_batch(booked["bookingId"])
    world.move_event(stock, NOON + timedelta(days=20))
    assert world.seen(booked["bookingId"])["status"] == "used"
