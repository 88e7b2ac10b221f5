"""The register of subcategories, compared with that of the real system."""

import json
from collections import Counter
from pathlib import Path

from shared.contracts.subcategories import CATEGORIES, HOME_LABELS, SEARCH_GROUPS, SUBCATEGORIES

FACTS = json.loads((Path(__file__).parents[2] / "cases" / "subcategories.json").read_text("utf-8"))


def test_subcategories_have_the_recorded_fields() -> None:
    assert len(SUBCATEGORIES) == 67
    for row in FACTS["subcategories"]:
        one = SUBCATEGORIES[row["id"]]
        assert (one.id, one.category, one.label, one.app_label, one.platform, one.reimbursement) == (
            row["id"],
            row["category_id"],
            row["pro_label"],
            row["app_label"],
            row["online_offline_platform"],
            row["reimbursement_rule"],
        )
        flags = ("is_event", "can_expire", "can_be_duo", "can_be_educational", "is_selectable")
        flags += ("is_digital_deposit", "is_physical_deposit")
        assert {flag: getattr(one, flag) for flag in flags} == {flag: row[flag] for flag in flags}
        assert list(one.extra_fields) == row["conditional_fields"]


def test_categories_and_search_groups_are_the_recorded_ones() -> None:
    assert len(CATEGORIES) == 14
    assert dict(SEARCH_GROUPS) == FACTS["search_groups"]
    assert dict(HOME_LABELS) == FACTS["homepage_labels"]
    assert Counter(one.is_selectable for one in SUBCATEGORIES.values()) == {True: 59, False: 8}


def test_online_and_offline_exclude_each_other() -> None:
    assert SUBCATEGORIES["JEU_EN_LIGNE"].is_online_only
    assert SUBCATEGORIES["CONCERT"].is_offline_only
    for one in SUBCATEGORIES.values():
        assert not (one.is_online_only and one.is_offline_only)
