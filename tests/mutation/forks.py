"""Runs the tests on mutants, each in a forked process that has imported everything but the service under mutation."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.mutation.mutants import ROOT, Mutant

PROCESSES = 2
POLL_SECONDS = 0.01
SURVIVED = 0
"""The exit code of a process in which every test passed."""


class MutantFinder(MetaPathFinder, Loader):
    """Imports one module from the source of a mutant."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._module = mutant.path.removesuffix(".py").replace("/", ".")

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self._module:
            return None
        return spec_from_loader(name, self, origin=str(ROOT / self._mutant.path))

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.code, str(ROOT / self._mutant.path), "exec", dont_inherit=True), module.__dict__)


def outcomes(
    mutants: Iterable[Mutant], tests: Sequence[str], timeout: float, processes: int = PROCESSES
) -> Iterator[tuple[Mutant, bool]]:
    """Each mutant, as its tests end, with whether it was killed. Tests that do not end in time have failed."""
    running: dict[int, tuple[Mutant, float]] = {}
    waiting = iter(mutants)
    exhausted = False
    try:
        while running or not exhausted:
            while len(running) < processes and not exhausted:
                mutant = next(waiting, None)
                if mutant is None:
                    exhausted = True
                else:
                    running[start(mutant, tests)] = mutant, time.monotonic() + timeout
            for pid, (mutant, until) in list(running.items()):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    del running[pid]
                    yield mutant, os.waitstatus_to_exitcode(status) != SURVIVED
                elif time.monotonic() > until:
                    os.killpg(pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)
    finally:
        for pid in running:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def start(mutant: Mutant | None, tests: Sequence[str]) -> int:
    """The pid of a process, leader of its own group, that runs the tests and exits with pytest's code."""
    pid = os.fork()
    if pid:
        os.setpgid(pid, pid)
        return pid
    code = 3
    try:
        os.setpgid(0, 0)
        code = _run(mutant, tests)
    finally:
        os._exit(code)


def _run(mutant: Mutant | None, tests: Sequence[str]) -> int:
    import pytest

    from shared import green

    nothing = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nothing, number)
    green.after_fork()
    if mutant is not None:
        sys.meta_path.insert(0, MutantFinder(mutant))
    quick = ["-x", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--tb=no", "--no-header", "--assert=plain"]
    return int(pytest.main([*quick, *tests]))


def import_what_is_not_mutated() -> None:
    """Everything outside ``services/``: forked processes need not import it again."""
    for path in sorted((ROOT / "shared").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not name.startswith(("shared.cli", "shared.__main__")):
            __import__(name)
    assert not [name for name in sys.modules if name.startswith("services.")]


def existing(tests: Sequence[str]) -> list[str]:
    """The tests' files, each checked to exist."""
    missing = [test for test in tests if not Path(ROOT, test).exists()]
    assert not missing, missing
    return list(tests)
