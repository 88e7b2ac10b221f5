from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testing import empty_database
from tests.unit.gateway_catalogue.catalogue import Catalogue


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    engine = empty_database(tmp_path, "gateway")
    yield Catalogue(engine)
    engine.dispose()
