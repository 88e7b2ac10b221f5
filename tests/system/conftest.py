"""One platform per module and mode; its log is shown beside what failed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.platform import MODES, Platform
from tests.system.stage import Stage

BOTH_MODES = ["embedded", pytest.param("distributed", marks=pytest.mark.distributed)]


@pytest.fixture(scope="module", params=BOTH_MODES)
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A module may set ``SETTINGS``, what its platforms are started with."""
    settings: dict[str, str] = getattr(request.module, "SETTINGS", {})
    with MODES[request.param](tmp_path_factory.mktemp(request.param), **settings) as platform:
        yield platform


@pytest.fixture(scope="module")
def stage(platform: Platform) -> Stage:
    return Stage(platform)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        platforms = {id(value): value for value in item.funcargs.values() if isinstance(value, Platform)}
        for platform in platforms.values():
            report.sections.append(("the platform's log", platform.log()))
    return report
