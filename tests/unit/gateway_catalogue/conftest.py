from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.eventstore.engines import make_engine
from tests.unit.gateway_catalogue.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    engine = make_engine(f"sqlite:///{tmp_path / 'gateway.sqlite'}")
    yield Shelf(engine)
    engine.dispose()
