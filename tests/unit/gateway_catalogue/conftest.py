from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testing import empty_database
from tests.unit.gateway_catalogue.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    engine = empty_database(tmp_path, "gateway")
    yield Shelf(engine)
    engine.dispose()
