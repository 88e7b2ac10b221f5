"""A pytest plugin that divides the files of one run among several processes.

Every process collects every test. It runs a file only if it is the first to claim it, by creating a file of that name
in the folder given as ``--share``. A process that has finished one file claims the next, so none idles while there is
work. (pytest-xdist does this with threads in each worker, and hangs once eventlet has patched the standard library.)
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import pytest

OUTCOMES = pytest.StashKey[Counter[str]]()
RAN = "ran"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", metavar="FOLDER", type=Path, help="where the processes of a run claim their files")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[OUTCOMES] = Counter()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """As pytest's own loop, over the tests that this process has claimed."""
    folder: Path | None = session.config.getoption("--share")
    if folder is None or session.testsfailed or session.config.option.collectonly:
        return None
    claimed = _claimed(session.items, folder)
    item = next(claimed, None)
    while item is not None:
        following = next(claimed, None)  # pytest tears down whatever the next test does not need
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        session.config.stash[OUTCOMES][RAN] += 1
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        item = following
    return True


def _claimed(items: Sequence[pytest.Item], folder: Path) -> Iterator[pytest.Item]:
    own: dict[str, bool] = {}
    for item in sorted(items, key=lambda item: item.get_closest_marker("same_process") is None):  # the longest first
        portion = portion_of(item)
        if portion not in own:
            own[portion] = _is_first(folder / hashlib.sha256(portion.encode()).hexdigest())
        if own[portion]:
            yield item


def _is_first(claim: Path) -> bool:
    try:
        os.close(os.open(claim, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def portion_of(item: pytest.Item) -> str:
    """What one process runs as a whole: the tests of a file, apart for each platform that they run on.

    All tests marked ``same_process(name)`` are one portion, whatever their files.
    """
    group = item.get_closest_marker("same_process")
    if group is not None:
        return str(group.args[0])
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return f"{item.path} {parameters.get('platform', '')}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" or not report.passed:  # an error before or after the test counts as a failure
        item.config.stash[OUTCOMES][report.outcome] += 1
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tells the run how many tests were collected, ran, passed, failed and were skipped in this process."""
    folder: Path | None = session.config.getoption("--share")
    if folder is not None:
        counts = {**session.config.stash[OUTCOMES], "collected": session.testscollected}
        (folder / f"{os.getpid()}.json").write_text(json.dumps(counts))
