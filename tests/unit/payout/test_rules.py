"""The rules of prices at their edges, on the domain alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.payout.domain.bank_calendar import easter_sunday, is_working_day, next_working_day
from services.payout.domain.custom_rules import Agreement, CustomRule
from services.payout.domain.pricing import crosses_threshold, tier
from services.payout.domain.scales import PRICING_ENGINE_STARTS, REGISTERS, TODAY, known_on
from services.payout.refusals import BadRule
from shared.kernel.money import Cents

START = datetime(2021, 12, 1, 23, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
EDGE = Cents(20_000_00)


def custom(**given: Any) -> CustomRule:
    owner = {} if "offerer_id" in given else {"offer_id": 1}
    amount = {} if "rate" in given else {"amount": Cents(100)}
    return CustomRule(**{"start": START, **owner, **amount, **given})


def easter_by_epacts(year: int) -> date:
    """Clavius' tables, as Knuth gives them (The Art of Computer Programming, 1.3.2, exercise 14)."""
    golden, century = year % 19 + 1, year // 100 + 1
    leaps, moon = 3 * century // 4 - 12, (8 * century + 5) // 25 - 5
    sunday = 5 * year // 4 - leaps - 10
    epact = (11 * golden + 20 + moon - leaps) % 30
    if epact == 24 or (epact == 25 and golden > 11):
        epact += 1
    full_moon = 44 - epact
    full_moon += 30 if full_moon < 21 else 0
    return date(year, 3, 1) + timedelta(days=full_moon + 7 - (sunday + full_moon) % 7 - 1)


def test_easter_is_that_of_the_tables_for_two_thousand_years() -> None:
    years = range(1600, 3600)
    assert [year for year in years if easter_sunday(year) != easter_by_epacts(year)] == []


def test_the_fixed_closing_days_are_closed_on_weekdays_too() -> None:
    closed = [(2021, 1, 1), (2023, 5, 1), (2023, 12, 25), (2023, 12, 26)]
    assert all(date(*day).weekday() < 5 and not is_working_day(date(*day)) for day in closed)
    assert all(is_working_day(date(*day)) for day in ((2023, 5, 2), (2023, 11, 27), (2023, 12, 27), (2021, 6, 1)))


def test_fridays_are_working_days_and_weekends_are_not() -> None:
    week = [date(2021, 11, 15) + number * DAY for number in range(7)]
    assert [is_working_day(day) for day in week] == [True] * 5 + [False] * 2
    assert next_working_day(date(2021, 11, 19)) == date(2021, 11, 22)


@pytest.mark.parametrize(
    "wrong",
    [{"amount": Cents(-1)}, {"rate": "-0.01"}, {"rate": "1.01"}, {"end": START}, {"offerer_id": 1, "offer_id": 1}],
    ids=str,
)
def test_a_custom_rule_with_impossible_values_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"rule|amount|rate"):
        custom(**wrong)


@pytest.mark.parametrize("edge", [{"amount": Cents(0)}, {"rate": "0"}, {"rate": "1"}, {"end": START + TICK}], ids=str)
def test_the_edges_of_a_custom_rule_are_accepted(edge: dict[str, Any]) -> None:
    assert custom(**edge)


BOOK, FILM, VOD = "LIVRE_PAPIER", "SEANCE_CINE", "VOD"
OVERLAPS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({}, {}, True),
    ({}, {"offerer_id": 1}, False),
    ({"end": START + DAY}, {"start": START + DAY}, False),
    ({"end": START + DAY}, {"start": START + DAY - TICK}, True),
    ({}, {"start": START + 100 * DAY}, True),
    ({"subcategories": (BOOK,)}, {"subcategories": (FILM,)}, False),
    ({"subcategories": (BOOK, VOD)}, {"subcategories": (FILM, VOD)}, True),
    ({"subcategories": (BOOK,)}, {}, True),
    ({"offer_id": 2}, {"start": START + DAY}, False),
    ({"offer_id": 2, "end": START + DAY}, {"start": START + 2 * DAY}, False),
    ({"end": START + DAY, "subcategories": (BOOK,)}, {"start": START + 2 * DAY, "subcategories": (BOOK,)}, False),
]


@pytest.mark.parametrize(("first", "second", "expected"), OVERLAPS)
def test_two_custom_rules_overlap_if_one_booking_could_have_both(
    first: dict[str, Any], second: dict[str, Any], expected: bool
) -> None:
    one, other = custom(**first), custom(**second)
    assert (one.overlaps(other), other.overlaps(one)) == (expected, expected)


def test_a_custom_rule_starts_at_the_next_midnight_in_paris_at_the_earliest() -> None:
    at = START - TICK
    assert Agreement.agree(at, custom(rule_id=4), ()).rule.start == START
    with pytest.raises(BadRule):
        Agreement.agree(at, custom(rule_id=5, start=START - TICK), ())
    with pytest.raises(BadRule):
        Agreement.agree(START, custom(rule_id=6), ())


@pytest.mark.parametrize(
    ("lowest", "highest", "crosses"),
    [
        (EDGE - 1, EDGE, False),
        (EDGE, EDGE + 1, True),
        (EDGE + 1, EDGE + 2, False),
        (0, EDGE, False),
        (0, EDGE + 1, True),
    ],
)
def test_prices_change_above_a_threshold_and_not_at_it(lowest: int, highest: int, crosses: bool) -> None:
    assert crosses_threshold(Cents(lowest), Cents(highest)) is crosses


@pytest.mark.parametrize(
    ("revenue", "rate", "following"), [(0, "1", EDGE), (EDGE, "1", EDGE), (EDGE + 1, "0.95", 2 * EDGE)]
)
def test_the_tier_of_a_revenue(revenue: int, rate: str, following: int) -> None:
    found = tier(Cents(revenue), START)
    assert (found.rate, found.next_threshold) == (rate, following)


def test_the_engine_of_2022_begins_at_midnight_in_paris_and_is_known_from_23_december() -> None:
    assert datetime(2021, 12, 31, 23, tzinfo=UTC) == PRICING_ENGINE_STARTS
    zones = [TODAY.engine(at).zone for at in (PRICING_ENGINE_STARTS - TICK, PRICING_ENGINE_STARTS)]
    assert zones == ["UTC", "Europe/Paris"]
    assert [known_on(day) for day in (date(2021, 11, 17), date(2021, 12, 22))] == [REGISTERS[0]] * 2
    assert known_on(date(2021, 12, 23)) == REGISTERS[1]
    with pytest.raises(ValueError, match="2021-11-16"):
        known_on(date(2021, 11, 16))
