"""Platforms for the system tests: one per mode, which most files share, or one per file. Failures show the log."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.platform import MODES, Platform
from tests.system.scenario import Scenario

BOTH_MODES = ["embedded", pytest.param("distributed", marks=pytest.mark.distributed)]


@pytest.fixture(scope="session", params=BOTH_MODES)
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Shared by all files: each test creates its own people and offers, and moves the clock by days at most."""
    with MODES[request.param](tmp_path_factory.mktemp(request.param)) as platform:
        yield platform


@pytest.fixture(scope="module", params=BOTH_MODES)
def own_platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """For a file that depends on dates, on all stored data or on the processes. The file assigns it to ``platform``.

    ``EXECUTED = True`` in the file: the platform is started as users start it, not by the fork server.
    """
    executed = getattr(request.module, "EXECUTED", False)
    with MODES[request.param](tmp_path_factory.mktemp(request.param), executed=executed) as platform:
        yield platform


@pytest.fixture(scope="module")
def scenario(platform: Platform) -> Scenario:
    platform.advance(timedelta(minutes=2))  # rate limits forget the failures of other files
    return Scenario(platform)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process runs all tests on distributed platforms: more at a time need more connections than PostgreSQL has."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("distributed"):
            item.add_marker(pytest.mark.same_process("distributed platforms"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        platforms = {id(value): value for value in item.funcargs.values() if isinstance(value, Platform)}
        for platform in platforms.values():
            report.sections.append(("the platform's log", platform.log()))
    return report
