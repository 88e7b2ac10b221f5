from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.runtime.settings import Settings
from shared.testing import empty_database
from tests.unit.catalog.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A catalog service in which one structure has signed up and is not validated yet."""
    settings = Settings.from_environment({"STATE_DIR": str(tmp_path), "CLOCK": "2021-11-02T09:00:00Z"})
    engine = empty_database(tmp_path, "catalog")
    world = World(settings, engine)
    world.register()
    yield world
    engine.dispose()
