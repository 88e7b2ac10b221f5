"""Ages and windows: dated rules, at 00:00 in Paris (decisions 16 and 17)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.identity.domain.eligibility import (
    Kind,
    age_at,
    coming_window,
    current_window,
    next_birthday,
    windows,
)

TICK = timedelta(microseconds=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def kind(birth: date, at: datetime) -> Kind | None:
    window = current_window(birth, at)
    return window.kind if window else None


BIRTH = date(2003, 6, 15)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (utc("2021-06-14T22:00:00") - TICK, None),
        (utc("2021-06-14T22:00:00"), Kind.AGE_18),
        (utc("2022-06-14T22:00:00") - TICK, Kind.AGE_18),
        (utc("2022-06-14T22:00:00"), None),
    ],
)
def test_at_18_from_the_birthday_at_midnight_in_paris_to_the_eve_of_the_19th(at, expected):
    assert kind(BIRTH, at) is expected


@pytest.mark.parametrize(
    ("birth", "at", "expected"),
    [
        (date(2005, 3, 1), utc("2021-12-31T23:00:00") - TICK, None),
        (date(2005, 3, 1), utc("2021-12-31T23:00:00"), Kind.UNDERAGE),
        (date(2007, 2, 10), utc("2022-02-09T23:00:00") - TICK, None),
        (date(2007, 2, 10), utc("2022-02-09T23:00:00"), Kind.UNDERAGE),
        (date(2004, 1, 1), utc("2021-12-31T23:00:00"), Kind.AGE_18),
        (date(2004, 1, 2), utc("2021-12-31T23:00:00"), Kind.UNDERAGE),
        (date(2004, 1, 2), utc("2022-01-01T23:00:00"), Kind.AGE_18),
    ],
)
def test_from_15_to_17_since_2022_only(birth, at, expected):
    assert kind(birth, at) is expected


def test_born_on_29_february_one_turns_18_on_1_march():
    birth = date(2004, 2, 29)
    assert kind(birth, utc("2022-02-28T22:59:59")) is Kind.UNDERAGE
    assert kind(birth, utc("2022-02-28T23:00:00")) is Kind.AGE_18
    assert age_at(birth, utc("2022-02-28T12:00:00")) == 17


def test_the_windows_of_a_person_do_not_overlap():
    found = windows(date(2007, 2, 10))
    assert [window.kind for window in found] == [Kind.UNDERAGE, Kind.AGE_18]
    assert found[0].ends == found[1].begins


def test_the_under_age_window_of_a_person_15_before_2022_begins_with_the_scheme():
    (underage, _) = windows(date(2005, 3, 1))
    assert underage.begins == utc("2021-12-31T23:00:00")


def test_a_person_18_before_the_scheme_has_no_under_age_window():
    assert [window.kind for window in windows(BIRTH)] == [Kind.AGE_18]
    assert windows(date(1980, 1, 1)) == []


def test_the_coming_window_is_the_next_one():
    assert coming_window(date(2005, 3, 1), utc("2021-11-02T09:00:00")).kind is Kind.UNDERAGE
    assert coming_window(date(2005, 3, 1), utc("2022-11-02T09:00:00")).kind is Kind.AGE_18
    assert coming_window(BIRTH, utc("2021-11-02T09:00:00")) is None
    assert coming_window(None, utc("2021-11-02T09:00:00")) is None


def test_the_reform_of_2025_does_not_exist():
    assert kind(date(2010, 1, 1), utc("2026-06-01T00:00:00")) is Kind.UNDERAGE
    assert kind(date(2008, 1, 1), utc("2026-06-01T00:00:00")) is Kind.AGE_18


def test_the_last_birthday_that_changes_a_credit_is_the_18th():
    birth = date(2006, 6, 15)
    assert next_birthday(birth, utc("2022-01-05T00:00:00")) == (16, utc("2022-06-14T22:00:00"))
    assert next_birthday(birth, utc("2022-06-14T22:00:00")) == (17, utc("2023-06-14T22:00:00"))
    assert next_birthday(birth, utc("2023-06-14T22:00:00")) == (18, utc("2024-06-14T22:00:00"))
    assert next_birthday(birth, utc("2024-06-14T22:00:00")) is None
