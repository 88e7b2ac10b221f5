"""``python -m tests.mutation [--report FILE] [group …]``: fails if a group has less than 90 % of its mutants killed."""

from __future__ import annotations

from shared import green

green.monkey_patch()

import argparse  # noqa: E402  # after the patch, as in every process of the platform
import os  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

from tests.mutation import forks  # noqa: E402
from tests.mutation.mutants import equivalent, mutants_of, unused  # noqa: E402
from tests.mutation.report import FLOOR, GROUPS, Group, Result, written  # noqa: E402

TIMES_AS_LONG, SLACK_SECONDS = 10, 10.0
"""How long a mutant's tests may take: ten times as long as without a mutant, and ten seconds more. Tests that only wait
for the machine must not count as failed."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", help=", ".join(GROUPS))
    parser.add_argument("--report", type=Path, help="where to write the figures")
    given = parser.parse_args()
    os.environ.update(PYTHONDONTWRITEBYTECODE="1", HYPOTHESIS_STORAGE_DIRECTORY=tempfile.mkdtemp())
    forks.import_what_is_not_mutated()
    begun = time.monotonic()
    names = given.groups or list(GROUPS)
    if unknown := set(names) - set(GROUPS):
        parser.error(f"no such group: {', '.join(unknown)}")
    results = [result for name in names for result in run(name, GROUPS[name])]
    page = written(results, time.monotonic() - begun)
    print(page)
    if given.report:
        given.report.write_text(page)
    weak = [name for name in GROUPS if (share := Result.share_of(results, name)) is not None and share < FLOOR]
    if weak:
        print(f"under {FLOOR:.0%}: {', '.join(weak)}", file=sys.stderr)
    return 1 if weak else 0


def run(name: str, group: Group) -> list[Result]:
    """The results of a group's modules. Ends the program if the tests fail without a mutant, or an entry is unused."""
    tests = forks.existing(group.tests)
    seconds = control(tests)
    listed = equivalent()
    mutants = {path: list(mutants_of(path)) for path in group.modules}
    every = [mutant for found in mutants.values() for mutant in found]
    if wrong := unused(listed, every):
        sys.exit(f"equivalent.toml has entries without a mutant: {wrong}")
    tried = [mutant for mutant in every if mutant.change not in listed]
    print(f"{name}: {len(tried)} mutants, tests of {seconds:.1f} s", flush=True)
    survived = []
    for number, (mutant, killed) in enumerate(
        forks.outcomes(tried, tests, TIMES_AS_LONG * seconds + SLACK_SECONDS), start=1
    ):
        if not killed:
            survived.append(mutant)
            print(f"  survived: {mutant.path}:{mutant.line}: {mutant.before}  →  {mutant.after}", flush=True)
        if number % 100 == 0:
            print(f"  {number} of {len(tried)}", flush=True)
    return [
        Result(
            name,
            path,
            mutants=len(found),
            equivalent=sum(mutant.change in listed for mutant in found),
            survivors=sorted((one for one in survived if one.path == path), key=lambda mutant: mutant.line),
        )
        for path, found in mutants.items()
    ]


def control(tests: Sequence[str]) -> float:
    """How long the tests take without a mutant. Ends the program if they fail: they would kill every mutant."""
    begun = time.monotonic()
    _, status = os.waitpid(forks.start(None, tests), 0)
    if os.waitstatus_to_exitcode(status) != forks.SURVIVED:
        sys.exit(f"the tests fail without a mutant: {' '.join(tests)}")
    return time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main())
