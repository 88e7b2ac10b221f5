"""Read models that are deleted and rebuilt from the logs are equal to the live ones, after all crashes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from shared.cli.access import StoreAccess
from shared.eventstore.outcomes import Call
from shared.projections.rebuilding import Model
from shared.runtime.process import Process
from shared.runtime.settings import SERVICES, Settings
from tests.chaos.fleet import Fleet
from tests.chaos.load import Load
from tests.system.test_reconciliation import altered

Models = list[tuple[str, Process, Model]]


@pytest.fixture(scope="module")
def models(platform: Fleet, load: Load) -> Iterator[Models]:
    load.acknowledged(20)
    platform.wait_idle()
    processes = StoreAccess(Settings.from_environment(platform.environment)).processes
    yield [(name, process, model) for name, process in processes.items() for model in process.service.read_models]
    for process in processes.values():
        process.store.engine.dispose()


def rows(platform: Fleet, service: str, model: Model) -> dict[str, list[str]]:
    with platform.database(service).connect() as connection:
        return {
            table.name: sorted(str(tuple(row)) for row in connection.execute(sa.select(table)))
            for table in model.tables
        }


def test_rebuilt_read_models_equal_the_live_ones(platform: Fleet, models: Models) -> None:
    assert {service for service, _, _ in models} == {*SERVICES}
    for service, _, model in models:
        live = rows(platform, service, model)
        with platform.database(service).begin() as connection:
            for table in model.tables:
                connection.execute(table.delete())
        replayed = platform.post(f"/v1/ops/projections/{service}.{model.name}/rebuild", {}, platform.token("operator"))
        assert replayed.status == 200, replayed
        assert rows(platform, service, model) == live, f"{service}.{model.name}"


def test_altered_row_is_detected(platform: Fleet, models: Models) -> None:
    """The control: one altered row in each table is reported by name."""
    seen = 0
    for service, process, model in models:
        with ExitStack() as spoilt:
            engine = platform.database(service)
            names = {table.name for table in model.tables if spoilt.enter_context(one_altered(engine, table))}
            assert differing(process, model) == names, f"{service}.{model.name}"
            seen += len(names)
    assert seen > 20


def differing(process: Process, model: Model) -> set[str]:
    """The tables of a read model that differ from a fold of the logs."""
    (found,) = process.answer([Call("compare-projection", {"name": model.name})])
    return {difference["table"] for difference in found["differences"]}


@contextmanager
def one_altered(engine: sa.Engine, table: sa.Table) -> Iterator[bool]:
    """One value of a row is another one meanwhile, unless the table is empty or admits no other value."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(table).limit(1)).first()
    with ExitStack() as spoilt:
        yield row is not None and any(_is_altered(spoilt, engine, table, row, column) for column in table.columns)


def _is_altered(
    spoilt: ExitStack, engine: sa.Engine, table: sa.Table, row: sa.Row[Any], column: sa.Column[Any]
) -> bool:
    before = row._mapping[column.name]
    if column.primary_key or before is None:
        return False
    try:
        spoilt.enter_context(altered(engine, table, row, column.name, another(before)))
    except sa.exc.IntegrityError:
        return False
    return True


def another(value: Any) -> Any:
    """Another value of the same type."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case datetime():
            return value + timedelta(seconds=1)
        case UUID():
            return UUID(int=value.int ^ 1)
        case str():
            return f"{value} "
        case dict():
            return {**value, "by hand": True}
        case list():
            return [*value, "by hand"]
        case _:
            raise TypeError(f"nothing else than {value!r} is known of {type(value)}")
