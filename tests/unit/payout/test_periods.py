"""Fortnights, weeks, cut-offs, labels, and the working days of banks."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pytest

from services.payout.domain.bank_calendar import easter_sunday, is_working_day, next_working_day
from services.payout.domain.periods import Period, period_ending, period_of
from services.payout.refusals import EndsNoPeriod

CASES = json.loads((Path(__file__).parents[2] / "cases" / "cutoff.json").read_text("utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["last_day"])
def test_the_cutoff_is_the_first_instant_of_the_next_day_in_paris(case: dict[str, str]) -> None:
    assert Period("fortnight", date.fromisoformat(case["last_day"])).cutoff == datetime.fromisoformat(case["expected"])


def test_labels_name_the_fortnight_that_the_cutoff_ends() -> None:
    first, second = (period_ending(date(2021, month, day), "fortnight") for month, day in ((11, 15), (2, 28)))
    assert first.label == "Novembre 2021 : remboursement 1ère quinzaine"
    assert first.transfer_label == "Novembre : remboursement 1ère quinzaine"
    assert second.label == "Février 2021 : remboursement 2nde quinzaine"
    assert period_ending(date(2021, 11, 14), "week").transfer_label == "Novembre : remboursement semaine 45"


@pytest.mark.parametrize(("day", "kind"), [(14, "fortnight"), (29, "fortnight"), (15, "week")])
def test_a_day_that_ends_no_period_is_refused(day: int, kind: str) -> None:
    with pytest.raises(EndsNoPeriod):
        period_ending(date(2021, 11, day), kind)  # type: ignore[arg-type]  # both kinds are listed above


def test_an_instant_falls_into_the_period_of_its_day_in_paris() -> None:
    late = datetime.fromisoformat("2021-11-15T23:30:00+00:00")
    assert period_of(late, "fortnight").last == date(2021, 11, 30)
    assert period_of(late, "week").last == date(2021, 11, 21)


def test_banks_are_closed_on_the_closing_days_of_target() -> None:
    assert easter_sunday(2021) == date(2021, 4, 4)
    assert easter_sunday(2024) == date(2024, 3, 31)
    closed = [(2021, 4, 2), (2021, 4, 5), (2021, 5, 1), (2021, 12, 25), (2021, 11, 14), (2024, 12, 26), (2024, 1, 1)]
    assert not any(is_working_day(date(*day)) for day in closed)
    assert is_working_day(date(2021, 11, 11)), "armistice day is no closing day of TARGET"
    assert next_working_day(date(2021, 11, 16)) == date(2021, 11, 17)
    assert next_working_day(date(2021, 4, 1)) == date(2021, 4, 6)
