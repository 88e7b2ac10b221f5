"""Runs the levels of the tests that this machine can run, tells which, and how long each step took.

Unit, contracts, property and the embedded system need Python alone. Integration and the distributed system need
RabbitMQ and PostgreSQL: ``--all`` runs everything and fails without them; otherwise the short part of integration runs
if they answer. The files of a step are divided among as many processes as there are cores (see ``tests.sharing``). The
chaos level runs with ``--all`` only, beside the system level, because much of its time is waiting.

Any other argument is pytest's, in every step: ``python -m tests.levels -k wallet``.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers import amqp_answers, postgresql_answers

COVERAGE = (sys.executable, "-m", "coverage")
QUICK = "not slow and not distributed"
MAX_PROCESSES = 4
"""More would share no more work on a laptop, and each has to import and to collect everything."""
MAX_PROCESSES_ON_SERVERS = 2
"""Each has up to 60 connections to PostgreSQL, which accepts 100 by default."""
NO_TESTS = 5
"""pytest's exit code when nothing was selected, as by a ``-k`` that is about another level."""


@dataclass(frozen=True)
class Step:
    """Levels whose files are divided among ``processes``."""

    levels: tuple[str, ...]
    processes: int
    measured: bool = False
    """Whether the branch coverage of the product's code is measured. That nearly doubles the time."""


def main() -> int:
    everything = "--all" in sys.argv[1:]
    extra = [argument for argument in sys.argv[1:] if argument != "--all"]
    servers = amqp_answers() and postgresql_answers()
    if everything and not servers:
        print("RabbitMQ or PostgreSQL does not answer: `make test-all` needs both (see tests/servers.py)")
        return 1
    steps = steps_of(everything, servers)
    named = "; ".join(", ".join(step.levels) for step in steps)
    print(f"levels: {named}; {'all of each' if everything else f'what is {QUICK}'}", flush=True)
    if not servers:
        print("RabbitMQ and PostgreSQL do not answer: the tests that need them are left out", flush=True)
    begun, total, codes = time.monotonic(), Counter[str](), []
    for step in steps:
        code, counts = run(step, [*([] if everything else ["-m", QUICK]), *extra])
        codes.append(code)
        total += counts
    print(f"all levels: {time.monotonic() - begun:.0f} s")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped", flush=True)
    return next((code for code in codes if code not in (0, NO_TESTS)), min(codes))


def steps_of(everything: bool, servers: bool) -> list[Step]:
    cores = min(os.cpu_count() or 1, MAX_PROCESSES)
    steps = [Step(("tests/unit", "tests/contracts", "tests/property"), cores, measured=everything)]
    if everything:
        # one process for the chaos level, one for distributed platforms, one for all other tests
        steps.append(Step(("tests/chaos", "tests/system"), 3))
    else:
        steps.append(Step(("tests/system",), cores))
    if servers:
        steps.append(Step(("tests/integration",), min(cores, MAX_PROCESSES_ON_SERVERS)))
    return steps


def run(step: Step, options: Sequence[str]) -> tuple[int, Counter[str]]:
    """The first process's output as it comes, then that of the others; gives the exit code and the tests counted."""
    begun, cpu_before = time.monotonic(), cpu_seconds()
    if step.measured:
        subprocess.run([*COVERAGE, "erase"], check=True)  # what an aborted run has left
    with tempfile.TemporaryDirectory() as shared:
        command = pytest(step, ["--share", shared, *options])
        outputs = [Path(shared, f"{number}.txt") for number in range(1, step.processes)]
        others = []
        try:
            for path in outputs:
                with path.open("wb") as output:
                    others.append(start(command, stdout=output, stderr=subprocess.STDOUT))
            codes = [start(command).wait(), *(process.wait() for process in others)]
        finally:
            for process in others:
                process.terminate()
                process.wait()
        for path in outputs:
            print(path.read_text(errors="replace"), flush=True)
        counts = counted(Path(shared))
    code = next((code for code in codes if code not in (0, NO_TESTS)), min(codes))
    if step.measured and code == 0:
        code = coverage_report()
    if code == 0 and counts["ran"] != counts["collected"]:
        print(f"{counts['collected']} tests were collected and {counts['ran']} ran")
        code = 1
    print(
        f"{', '.join(step.levels)}: {counts['passed']} passed, {counts['failed']} failed"
        f" in {time.monotonic() - begun:.0f} s ({cpu_seconds() - cpu_before:.0f} s of CPU)",
        flush=True,
    )
    return code, counts


def start(command: Sequence[str], **output: object) -> subprocess.Popen[bytes]:
    """The compiled tests are kept for the next run, also where the environment says otherwise."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(command, env=environment, **output)  # type: ignore[call-overload, no-any-return]


def counted(folder: Path) -> Counter[str]:
    """The outcomes of all processes; each has collected every test."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    counts = sum((Counter(one) for one in found), Counter[str]())
    counts["collected"] = max((one["collected"] for one in found), default=0)
    return counts


def pytest(step: Step, options: Sequence[str]) -> list[str]:
    style = ["-p", "tests.sharing", "-o", "console_output_style=classic"]
    python = [*COVERAGE, "run"] if step.measured else [sys.executable]
    return [*python, "-m", "pytest", *style, *step.levels, *options]


def coverage_report() -> int:
    """Prints the branch coverage; gives 2 if it is under ``fail_under`` of ``pyproject.toml``."""
    subprocess.run([*COVERAGE, "combine", "--quiet"], check=True)
    done = subprocess.run([*COVERAGE, "report", "--format=total"], stdout=subprocess.PIPE, text=True, check=False)
    print(f"branch coverage of services/ and shared/: {done.stdout.strip()} %", flush=True)
    return done.returncode


def cpu_seconds() -> float:
    """What every process that has ended below this one has taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
