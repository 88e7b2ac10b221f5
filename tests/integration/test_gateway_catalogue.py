"""The public read model on PostgreSQL: the tests that run on SQLite."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Empty
from tests.unit.gateway_catalogue.catalogue import Catalogue
from tests.unit.gateway_catalogue.test_offer import *  # noqa: F403 - the same tests, another database
from tests.unit.gateway_catalogue.test_search import *  # noqa: F403


@pytest.fixture
def catalogue(empty: Empty) -> Catalogue:
    return Catalogue(empty("gateway"))
