"""Types of columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

BigNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""An integer of 64 bits. SQLite generates keys only for a column that is declared INTEGER, which holds 64 bits too."""


class Instant(sa.types.TypeDecorator[datetime]):
    """An instant in UTC: timestamptz on PostgreSQL, sortable text with microseconds on SQLite."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone")
        utc = value.astimezone(UTC)
        return utc.isoformat(timespec="microseconds") if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        instant: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
        return instant if instant.tzinfo is UTC else instant.astimezone(UTC)


class Json(sa.types.TypeDecorator[Any]):
    """JSON that keeps the order of its keys: text on SQLite, ``json`` on PostgreSQL (``jsonb`` sorts them)."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else postgresql.JSON())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return orjson.dumps(value).decode() if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        return orjson.loads(value) if isinstance(value, str) and dialect.name == "sqlite" else value
