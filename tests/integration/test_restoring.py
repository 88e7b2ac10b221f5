"""Restored backups on PostgreSQL: the tests that run on SQLite."""

from __future__ import annotations

import pytest

from tests.integration.conftest import MakeStore
from tests.unit.shared.test_restoring import *  # noqa: F403 - the same tests, another database
from tests.unit.shared.test_restoring import Pair


@pytest.fixture
def pair(make_toy_store: MakeStore) -> Pair:
    return Pair(make_toy_store("source"), make_toy_store("sink"))
