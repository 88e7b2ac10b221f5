"""The dated rules of bookings at their edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.booking.domain import rules
from services.booking.domain.rules import Expiry

BOOKS_FROM = datetime(2021, 9, 22, tzinfo=UTC)
TICK = timedelta(microseconds=1)
RUN = datetime(2021, 10, 5, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("booked_at", "days", "warned_before"),
    [(BOOKS_FROM - TICK, 30, 7), (BOOKS_FROM, 10, 5), (BOOKS_FROM + TICK, 10, 5)],
)
def test_paper_books_expire_after_ten_days_if_booked_from_22_september_2021(
    booked_at: datetime, days: int, warned_before: int
) -> None:
    rule = rules.expiry_rule("LIVRE_PAPIER", booked_at)
    assert rule is not None
    assert (rule.delay, rule.warning) == (timedelta(days=days), timedelta(days=warned_before))
    assert rules.expires_at("LIVRE_PAPIER", booked_at, None) == booked_at + timedelta(days=days)


def test_a_rule_applies_from_its_first_instant_until_before_its_last() -> None:
    day = timedelta(days=1)
    rule = Expiry(day, day, None, BOOKS_FROM, BOOKS_FROM + day)
    instants = (BOOKS_FROM - TICK, BOOKS_FROM, BOOKS_FROM + day - TICK, BOOKS_FROM + day)
    assert [rule.applies("LIVRE_PAPIER", at) for at in instants] == [False, True, True, False]


def test_a_booking_that_became_unused_at_the_instant_of_its_run_expires_in_the_next_one() -> None:
    expires = RUN - timedelta(hours=5)
    assert rules.expiry_run(expires) == RUN
    assert rules.expiry_run(expires, RUN - TICK) == RUN
    assert rules.expiry_run(expires, RUN) == RUN + timedelta(days=1)


def test_the_next_run_is_after_an_instant_even_at_a_run() -> None:
    assert rules.next_run(RUN - TICK) == RUN
    assert rules.next_run(RUN) == RUN + timedelta(days=1)


def test_no_warning_at_the_instant_of_an_undone_validation() -> None:
    warning = rules.warning_run("LIVRE_PAPIER", BOOKS_FROM)
    assert warning is not None
    assert rules.warning_run("LIVRE_PAPIER", BOOKS_FROM, warning - TICK) == warning
    assert rules.warning_run("LIVRE_PAPIER", BOOKS_FROM, warning) is None


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (" abc234 ", "ABC234"),
        ("O0I1ZZ", "O0I1ZZ"),
        ("ABC23", None),
        ("ABC2345", None),
        ("ABC-23", None),
        ("ABCÉ23", None),
    ],
)
def test_a_countermark_is_six_letters_and_digits(typed: str, read: str | None) -> None:
    assert rules.read_countermark(typed) == read
