"""Every table belongs to a read model, which can be rebuilt from events, or is listed below as the only copy."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.eventstore.tables import metadata
from shared.hosting.platform import service_class
from shared.kernel.time import SettableClock, parse_instant
from shared.runtime.settings import SERVICES, Settings
from shared.testing import BusDouble, empty_database

START = "2021-06-01T08:00:00Z"
EVENT_STORE = {"alembic_version", *metadata.tables}
NOT_REBUILT = {
    "identity": {
        *("credentials", "refresh_tokens", "mail_tokens", "failures"),  # secrets, and failed attempts
        *("requests", "notifications"),  # deferred jobs, and the outbox of mails
        *("doomed_keys", "person_keys"),  # encryption keys of personal data, which an erasure destroys
    },
    "booking": {"mail_progress", "notifications"},
    "payout": {"document_contents"},  # uploaded files
    "gateway": {"failures"},
}


@pytest.mark.parametrize("name", SERVICES)
def test_every_table_can_be_rebuilt(name: str, tmp_path: Path) -> None:
    engine = empty_database(tmp_path, name)
    empty_database(tmp_path, "keys").dispose()
    settings = Settings.from_environment({"STATE_DIR": str(tmp_path), "CLOCK": START, "RANDOM_SEED": "1"})
    clock = SettableClock(parse_instant(START))
    service = service_class(name).build(settings, clock, BusDouble({}), engine)  # type: ignore[attr-defined]
    rebuilt = {table.name for model in service.read_models for table in model.tables}
    assert set(sa.inspect(engine).get_table_names()) - EVENT_STORE - rebuilt == NOT_REBUILT.get(name, set())
    engine.dispose()
