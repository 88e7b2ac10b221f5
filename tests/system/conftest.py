"""A platform per mode that most files share, one for each file that needs its own; failures come with its log."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.platform import MODES, Platform
from tests.system.scenario import Scenario

BOTH_MODES = ["embedded", pytest.param("distributed", marks=pytest.mark.distributed)]


@pytest.fixture(scope="session", params=BOTH_MODES)
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One for all files: each test plays with people and offers of its own, and moves the clock on by days at most."""
    with MODES[request.param](tmp_path_factory.mktemp(request.param)) as platform:
        yield platform


@pytest.fixture(scope="module", params=BOTH_MODES)
def own_platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """For a file that depends on dates, on all that is stored or on the processes; it takes the place of ``platform``.

    ``EXECUTED = True`` in the file: it is started as its users start it.
    """
    executed = getattr(request.module, "EXECUTED", False)
    with MODES[request.param](tmp_path_factory.mktemp(request.param), executed=executed) as platform:
        yield platform


@pytest.fixture(scope="module")
def scenario(platform: Platform) -> Scenario:
    platform.advance(timedelta(minutes=2))  # failures that other files have caused are not counted any more
    return Scenario(platform)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        platforms = {id(value): value for value in item.funcargs.values() if isinstance(value, Platform)}
        for platform in platforms.values():
            report.sections.append(("the platform's log", platform.log()))
    return report
