"""Runs the levels of the tests that this machine can run, and says which.

Unit, contracts, property and the embedded system need Python alone. Integration and the distributed system need
RabbitMQ and PostgreSQL: ``--all`` runs everything and fails without them; otherwise the short part of integration runs
where they answer. The system level waits for processes more than it computes: it runs beside the others. The chaos
level comes last and alone, with ``--all`` only: it measures what processes take.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.servers import amqp_answers, postgresql_answers

ALONE = ("tests/unit", "tests/contracts", "tests/property")
WITH_SERVERS = ("tests/integration",)
SYSTEM = ("tests/system",)
CHAOS = ("tests/chaos",)
QUICK = "not slow and not distributed"
NO_TESTS = 5
"""pytest's exit code when nothing was selected, as by a ``-k`` that is about another level."""


def main() -> int:
    everything = "--all" in sys.argv[1:]
    extra = [argument for argument in sys.argv[1:] if argument != "--all"]
    servers = amqp_answers() and postgresql_answers()
    if everything and not servers:
        print("RabbitMQ or PostgreSQL does not answer: `make test-all` needs both (see tests/servers.py)")
        return 1
    levels = [level for level in (*ALONE, *(WITH_SERVERS if servers else ())) if Path(level).is_dir()]
    named = ", ".join([*levels, *SYSTEM, *(CHAOS if everything else ())])
    print(f"levels: {named}; {'all of each' if everything else f'what is {QUICK}'}", flush=True)
    if not servers:
        print("RabbitMQ and PostgreSQL do not answer here: what needs them is left out", flush=True)
    selection = [] if everything else ["-m", QUICK]
    code = run(levels, [*selection, *extra])
    if not everything:
        return code
    last = subprocess.run(pytest(CHAOS, extra), check=False).returncode
    return last if code in (0, NO_TESTS) and last != NO_TESTS else code


def run(levels: Sequence[str], options: Sequence[str]) -> int:
    """The levels as their output comes, then what the system level said meanwhile; gives the exit code."""
    with tempfile.TemporaryFile() as said:
        beside = subprocess.Popen(pytest(SYSTEM, options), stdout=said, stderr=subprocess.STDOUT)
        try:
            codes = [subprocess.run(pytest(levels, options), check=False).returncode, beside.wait()]
        finally:
            beside.terminate()
            beside.wait()
        said.seek(0)
        print(said.read().decode(errors="replace"), flush=True)
    return next((code for code in codes if code not in (0, NO_TESTS)), min(codes))


def pytest(levels: Sequence[str], options: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", *levels, *options]


if __name__ == "__main__":
    sys.exit(main())
