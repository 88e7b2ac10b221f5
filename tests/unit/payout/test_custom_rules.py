"""Custom rules: their offer or structure, their start, and that none overlaps another."""

from __future__ import annotations

import pytest

from shared.kernel.errors import Refused, Unavailable
from tests.unit.payout.stage import Stage, refused


@pytest.mark.parametrize("owner", [{"offerId": 10}, {"offererId": 10}], ids=str)
def test_a_custom_rule_needs_an_existing_offer_or_structure(stage: Stage, owner: dict[str, int]) -> None:
    rule = {**owner, "amountCents": 3000, "start": "2021-11-03T00:00:00Z"}
    for _ in range(2):
        with pytest.raises(Refused) as unknown:
            stage.command("add-custom-rule", rule, key="k")
        assert (unknown.value.status, unknown.value.code) == (422, "custom-rule-owner-unknown")
        assert set(unknown.value.errors) == set(owner)
    assert stage.query("custom-rules")["items"] == []
    assert stage.command("add-custom-rule", {**rule, **dict.fromkeys(owner, 1)})["customRuleId"] == 1


def test_a_rule_for_an_offer_stays_undecided_without_catalog(stage: Stage) -> None:
    rule = {"offerId": 1, "amountCents": 3000, "start": "2021-11-03T00:00:00Z"}
    stage.bus.away.add("catalog")
    with pytest.raises(Unavailable):
        stage.command("add-custom-rule", rule, key="k")
    stage.bus.away.clear()
    added = stage.command("add-custom-rule", rule, key="k")
    assert stage.command("add-custom-rule", rule, key="k") == added
    assert stage.query("custom-rules")["items"] == [added]


def test_custom_rules_start_tomorrow_and_do_not_overlap(stage: Stage) -> None:
    rule = {"offerId": 1, "amountCents": 3000, "start": "2021-11-03T00:00:00Z", "end": "2021-11-10T00:00:00Z"}
    assert refused(stage, "add-custom-rule", {**rule, "start": "2021-11-02T12:00:00Z"}) == "custom-rule-invalid"
    assert refused(stage, "add-custom-rule", {**rule, "end": rule["start"]}) == "custom-rule-invalid"
    assert refused(stage, "add-custom-rule", {**rule, "rate": "0.5"}) == "invalid"
    del rule["amountCents"]
    assert refused(stage, "add-custom-rule", {**rule, "rate": "1.5"}) == "invalid"
    rule["amountCents"] = 3000
    added = stage.command("add-custom-rule", rule)
    assert stage.query("custom-rules")["items"] == [added]
    assert (
        refused(stage, "add-custom-rule", {**rule, "start": "2021-11-09T23:00:00Z", "end": None})
        == "custom-rule-overlaps"
    )
    stage.clock.move_to(stage.clock.now().replace(day=5))
    stage.validate(1, 2550)
    line = next(iter(stage.lines().values()))
    assert (line["reimbursedCents"], line["contributionCents"], line["rate"]) == (3000, -450, None)
    assert line["rule"] == "CustomReimbursementRule 1"
    stage.close()
    stage.balanced()
