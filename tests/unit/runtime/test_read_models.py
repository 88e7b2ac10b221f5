"""Every table is part of a read model, which can be folded anew, or is named here as what nobody else knows."""

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
EVERYWHERE = {"alembic_version", *metadata.tables}
ITS_OWN = {
    "identity": {
        *("credentials", "refresh_tokens", "mail_tokens", "failures"),  # secrets, and who guessed at them
        *("requests", "notifications"),  # under way, and what was written to whom
        *("doomed_keys", "person_keys"),  # keys of personal data, which an erasure destroys
    },
    "booking": {"mail_progress", "notifications"},
    "payout": {"document_contents"},  # what was uploaded
    "gateway": {"failures"},
}


@pytest.mark.parametrize("name", SERVICES)
def test_every_table_can_be_folded_anew(name: str, tmp_path: Path) -> None:
    engine = empty_database(tmp_path, name)
    empty_database(tmp_path, "keys").dispose()
    settings = Settings.from_environment({"STATE_DIR": str(tmp_path), "CLOCK": START, "RANDOM_SEED": "1"})
    clock = SettableClock(parse_instant(START))
    service = service_class(name).build(settings, clock, BusDouble({}), engine)  # type: ignore[attr-defined]
    folded = {table.name for model in service.read_models for table in model.tables}
    assert set(sa.inspect(engine).get_table_names()) - EVERYWHERE - folded == ITS_OWN.get(name, set())
    engine.dispose()
