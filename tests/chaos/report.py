"""Writes `docs/reliability.md`: the faults, the figures, what was proved, and the controls."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from tests.chaos.load import SCARCE, SCARCE_EVERY
from tests.chaos.scale import Scale

CONTROL = "The control"
HEAD = """# Reliability

Written by `make chaos`, which plays everything below on real processes, RabbitMQ and PostgreSQL, and writes this page
only when all of it held. `make test-all` runs the same at a shorter length.

The oracle is a journal: every answer that a caller was given is on disk before that caller's next call. Afterwards the
logs and tables of all services are held against it. Each acknowledged booking, cancellation and validation stands in
booking's log once, a refused one not at all; no key made two requests; nobody has two live bookings of an offer; wallet
took each credit once, holds it exactly while the booking lives and spent it exactly when it was used; every balance is
what was granted less what is held; of each stock what is left is its quantity less its live bookings, in booking and in
the public catalogue; no request is open, no message unsent or unhandled, no mail unwritten. `passculture reconcile` and
`passculture verify` exit with 0.

A killed process is started again at once, as an orchestrator does; callers who hear 503 or lose their connection ask
again with the same key. A process is forked from one that has imported the code already, so that a start costs a fork.
"""


def written(scale: Scale, notes: Mapping[str, Sequence[str]], tests: Iterable[Any], seconds: float) -> str:
    """``tests``: the functions that ran, in their order."""
    parts = [HEAD, _facts(scale, seconds)]
    for topic, lines in notes.items():
        parts.append("\n".join([f"## {topic}\n", *(f"- {line}" for line in lines), ""]))
    proved, controls = _sorted_out(tests)
    parts.append("\n".join(["## Proved\n", *_by_module(proved)]))
    parts.append("\n".join(["## Controls: the guard taken away, the oracle must say so\n", *_by_module(controls)]))
    return "\n".join(parts)


def _facts(scale: Scale, seconds: float) -> str:
    day = datetime.now(UTC).date().isoformat()
    return (
        f"`make chaos` on {day}, {seconds / 60:.0f} minutes on a machine of {os.cpu_count()} cores and "
        f"{_memory_gigabytes()} GB of memory, where the\nload, RabbitMQ and PostgreSQL ran beside the platform. "
        f"Settings (`tests/chaos/scale.py`): {scale.people} people with 300 € each, {scale.stocks}\n"
        f"stocks of 1 € to {scale.dearest // 100} €, one in {SCARCE_EVERY} with {SCARCE} places, {scale.clients} "
        f"clients at once; at least {scale.acknowledged} acknowledged\nanswers and {scale.kills} kills.\n"
    )


def _memory_gigabytes() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _sorted_out(tests: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    distinct = list(dict.fromkeys(tests))
    controls = [test for test in distinct if CONTROL in (inspect.getdoc(test) or inspect.getmodule(test).__doc__ or "")]
    return [test for test in distinct if test not in controls], controls


def _by_module(tests: Sequence[Any]) -> list[str]:
    lines = []
    for module, group in groupby(tests, key=inspect.getmodule):
        lines.append(f"{(inspect.getdoc(module) or '').splitlines()[0]}\n")
        lines += [f"- {_in_words(test)}" for test in group]
        lines.append("")
    return lines


def _in_words(test: Any) -> str:
    return test.__name__.removeprefix("test_").replace("_s_", "'s ").replace("_", " ")
