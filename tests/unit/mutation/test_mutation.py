"""Mutation testing itself: what it changes, and that it tells killed mutants from survivors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation import forks, mutants
from tests.mutation.report import GROUPS, Result, written

RULES = "services/wallet/domain/rules.py"
SOURCE = '''"""A rule."""


def price(age: int | None, cents: int) -> int:
    if age is None or age < 18:
        return 0
    return cents + 1
'''


@pytest.fixture
def rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[mutants.Mutant]:
    (tmp_path / "rule.py").write_text(SOURCE)
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    return list(mutants.mutants_of("rule.py"))


def test_conditions_operators_and_numbers_are_changed(rule: list[mutants.Mutant]) -> None:
    changed = {(mutant.line, mutant.after) for mutant in rule}
    assert {
        (5, "if age is not None or age < 18:"),
        (5, "if age is None and age < 18:"),
        (5, "if age is None or age <= 18:"),
        (5, "if age is None or age < 19:"),
        (6, "return 1"),
        (7, "return cents - 1"),
        (7, "return cents + 2"),
    } <= changed
    assert all(mutant.code != SOURCE for mutant in rule)
    assert len({mutant.code for mutant in rule}) == len(rule)


def test_an_entry_that_is_no_mutant_is_found(tmp_path: Path, rule: list[mutants.Mutant]) -> None:
    path = tmp_path / "equivalent.toml"
    entry = '[[mutant]]\nmodule = "rule.py"\nbefore = "return 0"\nafter = "return {}"\nreason = "why"\n'
    path.write_text(entry.format(1) + entry.format(7))
    listed = mutants.equivalent(path)
    assert mutants.unused(listed, rule) == [("rule.py", "return 0", "return 7")]


def test_every_entry_of_the_project_has_a_reason() -> None:
    assert [change for change, reason in mutants.equivalent().items() if len(reason) < 10] == []


def test_the_page_counts_what_survived(rule: list[mutants.Mutant]) -> None:
    results = [Result("wallet", "rule.py", mutants=10, equivalent=2, survivors=rule[:1])]
    assert Result.share_of(results, "wallet") == 7 / 8
    assert Result.share_of(results, "booking") is None
    page = written(results, 60.0)
    assert "| wallet | `rule.py` | 10 | 2 | 7 | 1 | 87.5% |" in page
    assert f"- `rule.py`: `{rule[0].before}` → `{rule[0].after}`" in page


def test_every_group_names_files_that_exist() -> None:
    for group in GROUPS.values():
        assert forks.existing([*group.modules, *group.tests])


KILLED_AND_SURVIVED = f"""
from shared import green
green.monkey_patch()
from tests.mutation import forks, mutants
forks.import_what_is_not_mutated()
source = (mutants.ROOT / {RULES!r}).read_text()
same = mutants.Mutant({RULES!r}, 1, "", "", source)
broken = mutants.Mutant({RULES!r}, 1, "", "", source + "\\nraise RuntimeError\\n")
endless = mutants.Mutant({RULES!r}, 1, "", "", source + "\\nwhile True: pass\\n")
for given in (same, broken, endless):
    timeout = 3.0 if given is endless else 120.0
    print([killed for _, killed in forks.outcomes([given], ["tests/unit/wallet/test_rules.py"], timeout)])
"""


def test_a_mutant_is_killed_by_a_failure_or_by_time() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED_AND_SURVIVED],
        cwd=mutants.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["[False]", "[True]", "[True]"], done.stderr
