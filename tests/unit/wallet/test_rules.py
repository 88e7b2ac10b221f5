"""The register of credits, against what the real system answered, and at its edges."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from services.wallet.domain.rules import GRANTS, Kind, expiry, grant_rule, recredit_rule
from shared.contracts.subcategories import SUBCATEGORIES

CASES = json.loads((Path(__file__).parents[2] / "cases" / "deposit.json").read_text("utf-8"))
OPENING = datetime(2021, 5, 20, 22, tzinfo=UTC)  # 2021-05-21 00:00 in Paris
IN_2022 = datetime(2022, 3, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def cents(euros: str | None) -> int | None:
    return None if euros is None else int(euros) * 100


def rule_of(deposit_type: str, version: int):
    if deposit_type == "GRANT_15_17":
        return grant_rule(Kind.UNDERAGE, 15, IN_2022)
    return grant_rule(Kind.AGE_18, 18, OPENING - TICK if version == 1 else OPENING)


@pytest.mark.parametrize("case", CASES["granted_amount"], ids=lambda case: f"{case['age']}-v{case['version']}")
def test_amounts(case: dict) -> None:
    if case["age"] == 18:
        rule = rule_of("GRANT_18", case["version"])
    else:
        rule = grant_rule(Kind.UNDERAGE, case["age"], IN_2022)
    assert rule is not None and rule.amount == cents(case["amount"])


@pytest.mark.parametrize("case", CASES["recredit"], ids=lambda case: str(case["age"]))
def test_recredits(case: dict) -> None:
    rule = recredit_rule(case["age"], IN_2022)
    assert rule is not None and rule.amount == cents(case["amount"])


@pytest.mark.parametrize("case", CASES["caps"])
def test_caps(case: dict) -> None:
    rule = rule_of(case["deposit_type"], case["version"])
    assert rule is not None
    assert (rule.digital_cap, rule.physical_cap) == (cents(case["digital_cap"]), cents(case["physical_cap"]))
    subcategory = SUBCATEGORIES[case["subcategory"]]
    digital = case["offer_has_url"] and subcategory.is_digital_deposit
    physical = not case["offer_has_url"] and subcategory.is_physical_deposit
    assert (digital and rule.digital_cap is not None) == case["expected_digital_cap_applies"]
    assert (physical and rule.physical_cap is not None) == case["expected_physical_cap_applies"]


def test_500_euros_until_the_eve_of_the_general_opening_and_300_from_then() -> None:
    assert grant_rule(Kind.AGE_18, 18, OPENING - TICK).amount == 500_00
    assert grant_rule(Kind.AGE_18, 18, OPENING).amount == 300_00


def test_no_credit_before_18_until_2022() -> None:
    new_year = datetime(2021, 12, 31, 23, tzinfo=UTC)
    assert grant_rule(Kind.UNDERAGE, 15, new_year - TICK) is None
    assert grant_rule(Kind.UNDERAGE, 15, new_year).amount == 20_00
    assert grant_rule(Kind.UNDERAGE, 14, IN_2022) is None
    assert recredit_rule(16, new_year - TICK) is None
    assert recredit_rule(18, IN_2022) is None


def test_an_under_age_file_accepted_after_the_18th_birthday_has_the_amount_of_17() -> None:
    assert grant_rule(Kind.UNDERAGE, 18, IN_2022).amount == 30_00


@pytest.mark.parametrize(
    ("activated", "expires"),
    [
        (datetime(2021, 6, 1, 10, 30, tzinfo=UTC), datetime(2023, 6, 1, 10, 30, tzinfo=UTC)),
        # half past midnight of 28 March in Paris: winter time, as two years later
        (datetime(2021, 3, 27, 23, 30, tzinfo=UTC), datetime(2023, 3, 27, 22, 30, tzinfo=UTC)),
        (datetime(2024, 2, 29, 12, tzinfo=UTC), datetime(2026, 2, 28, 12, tzinfo=UTC)),
    ],
)
def test_a_credit_at_18_lives_two_years_to_the_same_clock_time(activated: datetime, expires: datetime) -> None:
    assert expiry(Kind.AGE_18, activated, None) == expires


def test_a_credit_before_18_ends_at_midnight_of_the_birthday_in_paris() -> None:
    assert expiry(Kind.UNDERAGE, IN_2022, date(2006, 7, 14)) == datetime(2024, 7, 13, 22, tzinfo=UTC)
    assert expiry(Kind.UNDERAGE, IN_2022, date(2004, 2, 29)) == datetime(2022, 2, 28, 23, tzinfo=UTC)
    with pytest.raises(ValueError, match="birthday"):
        expiry(Kind.UNDERAGE, IN_2022, None)


def test_rules_of_one_age_follow_each_other_without_overlap() -> None:
    for first in GRANTS:
        for second in GRANTS:
            if first is not second and (first.kind, first.age) == (second.kind, second.age):
                assert first.valid_until == second.valid_from or second.valid_until == first.valid_from
