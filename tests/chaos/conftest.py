"""One platform, dataset and journal for all tests of the level: each test adds to the history that is audited."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.runtime import logging as logs
from tests.chaos.figures import Figures
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.journal import Journal
from tests.chaos.load import Dataset, Load
from tests.chaos.report import written
from tests.chaos.scale import LONG, SHORT, Scale
from tests.system.conftest import pytest_runtest_makereport  # noqa: F401  # shows the platform's log

SEED = 20211102
BEGUN = pytest.StashKey[float]()
FIGURES = pytest.StashKey[Figures]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="chaos at full length, as `make chaos` runs it")
    parser.addoption("--report", metavar="FILE", help="where to write what was measured, once all of it has held")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("distributed")
            item.add_marker("slow")
            if isinstance(item, pytest.Function) and "platform" in item.fixturenames:
                item.add_marker(pytest.mark.same_process("chaos"))


def pytest_sessionstart(session: pytest.Session) -> None:
    logs.configure("error", "chaos")  # a line for each, as in production: pages with every value take seconds to draw
    session.stash[BEGUN], session.stash[FIGURES] = time.monotonic(), Figures()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    path = session.config.getoption("--report", None)
    if path and exitstatus == pytest.ExitCode.OK:
        tests = [item.function for item in session.items if isinstance(item, pytest.Function)]
        seconds = time.monotonic() - session.stash[BEGUN]
        page = written(scale_of(session.config), session.stash[FIGURES].notes, tests, seconds)
        Path(path).write_text(page)


def scale_of(config: pytest.Config) -> Scale:
    return LONG if config.getoption("--long", False) else SHORT


@pytest.fixture(scope="package")
def scale(pytestconfig: pytest.Config) -> Scale:
    return scale_of(pytestconfig)


@pytest.fixture(scope="package")
def figures(request: pytest.FixtureRequest) -> Figures:
    return request.session.stash[FIGURES]


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("fleet")) as started:
        yield started


@pytest.fixture(scope="package")
def dataset(platform: Fleet, scale: Scale) -> Dataset:
    return Dataset.created(platform, scale.people, scale.stocks, scale.dearest)


@pytest.fixture(scope="package")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    kept = Journal(tmp_path_factory.mktemp("journal") / "answers.jsonl")
    yield kept
    kept.close()


@pytest.fixture(scope="package")
def load(dataset: Dataset, journal: Journal, scale: Scale) -> Load:
    return Load(dataset, journal, scale.clients, random.Random(SEED))
