"""The errors of the database: callers handle Conflict and StoreUnavailable, and report a DBAPIError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import sqlalchemy as sa
from eventsourcing.persistence import IntegrityError as VersionConflict
from sqlalchemy.exc import DBAPIError

from shared.kernel.errors import Unavailable

# Any other violation is a bug: a retry would fail again.
_CONFLICTS = {
    *("40001", "40P01", "55P03", "23505"),  # serialization failure, deadlock, lock not available, unique violation
    *(1555, 2067, 2579),  # SQLite's unique violations: of a primary key, of another key, of a row's number
}


class Conflict(VersionConflict):
    """Another transaction was faster: retry this one from its beginning (optimistic lock)."""


class StoreUnavailable(Unavailable):
    """The database cannot be reached now."""


@contextmanager
def translated() -> Iterator[None]:
    """Turns errors of the database into Conflict and StoreUnavailable."""
    try:
        yield
    except DBAPIError as error:
        if _is_conflict(error.orig):
            raise Conflict(str(error.orig)) from error
        if error.connection_invalidated or isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
            raise StoreUnavailable(reason="the database cannot be reached") from error
        raise
    except sa.exc.TimeoutError as error:
        raise StoreUnavailable(reason="all connections to the database are in use") from error
    except psycopg2.Error as error:
        # SQLAlchemy does not translate what the driver raises in event listeners (pool, statement batching)
        if _is_conflict(error):
            raise Conflict(str(error)) from error
        if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
            raise StoreUnavailable(reason="the database cannot be reached") from error
        raise


def first_line(error: DBAPIError) -> str:
    """The first line of what the database says."""
    return str(error.orig or error).strip().splitlines()[0]


def _is_conflict(error: BaseException | None) -> bool:
    return getattr(error, "pgcode", None) in _CONFLICTS or getattr(error, "sqlite_errorcode", None) in _CONFLICTS


__all__ = ["Conflict", "DBAPIError", "StoreUnavailable", "first_line", "translated"]
