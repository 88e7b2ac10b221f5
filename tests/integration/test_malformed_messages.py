"""Malformed calls and messages on RabbitMQ: the tests that run on the in-process bus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.messaging import topology
from shared.messaging.connections import connect
from shared.runtime.settings import Settings
from tests.servers import AMQP
from tests.unit.shared.test_entrypoints import (  # noqa: F401  # collected by pytest
    caller,
    container,
    source,
    test_an_unreadable_call_is_refused_and_the_others_are_executed,
    test_an_unreadable_message_is_read_from_the_log_of_its_source,
)


@pytest.fixture
def settings(tmp_path: Path, namespace: str) -> Iterator[Settings]:
    found = Settings.from_environment(
        {"STATE_DIR": str(tmp_path), "CLOCK": "2021-11-02T09:00:00Z", "AMQP_URI": AMQP, "NAMESPACE": namespace}
    )
    yield found
    with connect(AMQP) as connection:
        topology.delete(connection, namespace, {"toy": ["source"]})
