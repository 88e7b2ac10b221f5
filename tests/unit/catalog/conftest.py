from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.eventstore.engines import make_engine
from shared.runtime.settings import Settings
from tests.unit.catalog.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A catalogue in which one structure has signed up, not validated yet."""
    settings = Settings.from_environment({"STATE_DIR": str(tmp_path), "CLOCK": "2021-11-02T09:00:00Z"})
    engine = make_engine(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    world = World(settings, engine)
    world.register()
    yield world
    engine.dispose()
