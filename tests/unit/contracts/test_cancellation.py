"""The cancellation limit, against what the real system answered."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.contracts.cancellation import cancellation_limit

CASES = json.loads((Path(__file__).parents[2] / "cases" / "cancellation_limit.json").read_text("utf-8"))["cases"]
DATED = [case for case in CASES if case["event_beginning"]]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_there_are_cases() -> None:
    assert len(DATED) >= 30


@pytest.mark.parametrize("case", DATED, ids=lambda case: f"{case['event_beginning']} at {case['booking_created']}")
def test_as_the_real_system(case: dict[str, str]) -> None:
    limit = cancellation_limit(instant(case["event_beginning"]), instant(case["booking_created"]))
    assert limit == instant(case["expected_limit"])


def test_never_before_the_booking_nor_later_than_two_days_after() -> None:
    booked = datetime(2021, 11, 2, 9, tzinfo=UTC)
    for hours in range(200):
        limit = cancellation_limit(booked + timedelta(hours=hours), booked)
        assert booked <= limit <= booked + timedelta(hours=48)
