"""SIGKILL with a guard of the platform taken away.

The last of the level: what it leaves behind is wrong.
"""

from __future__ import annotations

import random
from pathlib import Path

from tests.chaos.fleet import Fleet, again_and_again
from tests.chaos.journal import Journal, audit, opened
from tests.chaos.load import Load, Town

EVERY_SECONDS = 1.0
MOST_KILLS = 40
ENOUGH = 5
"""Some may have asked twice for what they had."""


def test_without_stored_outcomes_a_killed_process_leaves_what_the_oracle_reports(
    platform: Fleet, tmp_path: Path
) -> None:
    """The control: whoever asks again after a kill is refused what they have."""
    town = Town.settled(platform, people=8, stocks=24, dearest=300, first=6_000)
    journal = Journal(tmp_path / "answers.jsonl")
    load = Load(town, journal, 48, random.Random(1))
    before, kills = found(platform, town, journal), platform.kills["booking"]

    def is_enough() -> bool:
        return refused_again(journal) >= ENOUGH or platform.kills["booking"] - kills >= MOST_KILLS

    with platform.forgetting("booking"), again_and_again(lambda: platform.kill_and_restart("booking"), EVERY_SECONDS):
        load.run(lambda _: is_enough())
    platform.settle()
    complaints = found(platform, town, journal) - before
    journal.close()
    assert any(text.endswith("was refused with 409, and confirmed") for text in complaints), complaints


def found(platform: Fleet, town: Town, journal: Journal) -> set[str]:
    with opened(platform) as books:
        return set(audit(books, journal.entries(), town.quantities))


def refused_again(journal: Journal) -> int:
    """How many asked again after a lost answer and were told that they have it."""
    told = journal.entries()
    return sum(one.tries > 1 and one.answer.get("code") == "already-booked" for one in told)
