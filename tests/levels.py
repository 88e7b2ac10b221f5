"""Runs the levels of the tests that this machine can run, and says which.

Unit, contracts, property and the embedded system need Python alone. Integration and the distributed system need
RabbitMQ and PostgreSQL: ``--all`` runs everything and fails without them; otherwise the short part of integration runs
where they answer.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.servers import amqp_answers, postgresql_answers

ALONE = ("tests/unit", "tests/contracts", "tests/property", "tests/system")
WITH_SERVERS = ("tests/integration",)
QUICK = "not slow and not distributed"


def main() -> int:
    everything = "--all" in sys.argv[1:]
    extra = [argument for argument in sys.argv[1:] if argument != "--all"]
    servers = amqp_answers() and postgresql_answers()
    if everything and not servers:
        print("RabbitMQ or PostgreSQL does not answer: `make test-all` needs both (see tests/servers.py)")
        return 1
    levels = [level for level in (*ALONE, *(WITH_SERVERS if servers else ())) if Path(level).is_dir()]
    print(f"levels: {', '.join(levels)}; {'all of each' if everything else f'what is {QUICK}'}", flush=True)
    if not servers:
        print("RabbitMQ and PostgreSQL do not answer here: what needs them is left out", flush=True)
    selection = () if everything else ("-m", QUICK)
    return subprocess.run([sys.executable, "-m", "pytest", *levels, *selection, *extra], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
