"""Appends to a toy store's log from several greenlets: ``python -m tests.integration.writer URL FIRST``.

``--unlocked``: without the lock on the log, as a control.
"""

from __future__ import annotations

from shared import green

green.monkey_patch()

import sys  # noqa: E402  # after the patch
from typing import Any  # noqa: E402

from shared.eventstore import batching, sql  # noqa: E402
from tests.unit.shared.toy import fill, open_store  # noqa: E402

GREENLETS = 4
EVENTS_EACH = 25
DELAY = "SELECT pg_sleep(random() * 0.01)"
"""Between the append and the commit, as on a busy machine."""


def main() -> None:
    url, first = sys.argv[1], int(sys.argv[2])
    store = open_store(url, schema="toy")
    commit_with = batching.commit_with

    def commit_late(connection: Any, *arguments: Any) -> Any:
        batching.queue(connection, DELAY, ())
        return commit_with(connection, *arguments)

    batching.commit_with = commit_late
    if "--unlocked" in sys.argv:
        sql.lock = lambda *_: None

    def write(owner: int) -> None:
        for amount in range(1, EVENTS_EACH + 1):
            fill(store, owner, amount)

    writers = [green.spawn(write, first + number) for number in range(GREENLETS)]
    for writer in writers:
        writer.wait()


if __name__ == "__main__":
    main()
