"""Runs Alembic's migrations, one history per service, without an ini file or an env.py."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from shared.eventstore import Connection, Engine
from shared.runtime.settings import EXTRA_STORES

SERVICES = Path(__file__).parents[2] / "services"


@cache
def script_of(store: str) -> ScriptDirectory:
    """The folder of the migrations of a store."""
    place = SERVICES / EXTRA_STORES[store] / store if store in EXTRA_STORES else SERVICES / store
    return ScriptDirectory(str(place / "migrations"))


def upgrade(engine: Engine, service: str) -> bool:
    """Brings a service's schema to the newest revision; True when there was none before."""
    script = script_of(service)

    def revisions(current: Any, _context: Any) -> Any:
        return script._upgrade_revs("head", current)

    with engine.connect() as connection:
        connection = connection.execution_options(writes=True)
        with connection.begin(), EnvironmentContext(Config(), script, fn=revisions) as environment:
            environment.configure(connection=connection, transactional_ddl=True)
            fresh = environment.get_context().get_current_revision() is None
            environment.run_migrations()
    return fresh


def is_current(connection: Connection, service: str) -> bool:
    """Whether the schema is the one that this code expects."""
    current = MigrationContext.configure(connection).get_current_revision()
    return current == script_of(service).get_current_head()
