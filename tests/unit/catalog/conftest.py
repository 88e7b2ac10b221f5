from pathlib import Path

import pytest

from shared.runtime.settings import Settings
from tests.unit.catalog.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A catalogue in which one structure has signed up, not validated yet."""
    settings = Settings.from_environment({"STATE_DIR": str(tmp_path), "CLOCK": "2021-11-02T09:00:00Z"})
    world = make_world(tmp_path, settings)
    world.register()
    return world
