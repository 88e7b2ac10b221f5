"""The cancellation limit, compared with recorded answers of the real system."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.contracts.cancellation import cancellation_limit

CASES = json.loads((Path(__file__).parents[2] / "cases" / "cancellation_limit.json").read_text("utf-8"))["cases"]
DATED = [case for case in CASES if case["event_beginning"]]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_recorded_cases_are_present() -> None:
    assert len(DATED) >= 30


@pytest.mark.parametrize("case", DATED, ids=lambda case: f"{case['event_beginning']} at {case['booking_created']}")
def test_the_limit_equals_that_of_the_real_system(case: dict[str, str]) -> None:
    limit = cancellation_limit(instant(case["event_beginning"]), instant(case["booking_created"]))
    assert limit == instant(case["expected_limit"])


def test_the_limit_is_at_most_two_days_after_the_booking() -> None:
    booked = datetime(2021, 11, 2, 9, tzinfo=UTC)
    for hours in range(200):
        limit = cancellation_limit(booked + timedelta(hours=hours), booked)
        assert booked <= limit <= booked + timedelta(hours=48)
