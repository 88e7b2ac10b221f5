"""Fewer round trips to PostgreSQL: what is asked for no result is sent with the next statement that is.

Within ``transaction`` the ``BEGIN`` and whatever is handed to ``send_later`` wait on the connection; the next statement
takes them along, in their order, as one string. An error of theirs comes with it, and ends the same transaction. Half
of a command's round trips were such; each costs a service more than the database needs for the statement. ``COMMIT``
goes with the last statement (``commit_with``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

_WAITING = "statements that wait for the next one"
_BEGIN = "BEGIN"


def listen(engine: sa.Engine) -> None:
    """Makes an engine's connections send what waits."""
    sa.event.listen(engine, "before_cursor_execute", _take_along, retval=True)


@contextmanager
def transaction(connection: sa.Connection) -> Iterator[None]:
    """On a connection that commits every statement by itself: from here on nothing is, until the end of the block."""
    waiting = connection.info[_WAITING] = [_BEGIN]
    try:
        yield
        if waiting != [_BEGIN]:
            connection.exec_driver_sql("COMMIT")
    except BaseException:
        _undo(connection, was_begun=_BEGIN not in waiting)
        raise
    finally:
        if not connection.invalidated and not connection.closed:
            connection.info.pop(_WAITING, None)


def send_later(connection: sa.Connection, text: str, values: Sequence[Any]) -> None:
    """Carries out a statement in the driver's words, at the latest before the next one. Its result is of no account."""
    waiting = connection.info.get(_WAITING)
    if waiting is None:
        connection.exec_driver_sql(text, tuple(values))
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        waiting.append(cursor.mogrify(text, values).decode())


def commit_with(connection: sa.Connection, text: str, values: Sequence[Any], result: str) -> Any:
    """Carries out a statement, commits, and gives what ``result`` selects then, in one round trip.

    The last of a transaction's statements: an answer of its own is not heard, as the ``COMMIT`` comes after it.
    """
    assert connection.info[_WAITING] is not None
    answer = connection.exec_driver_sql(f"{text};\nCOMMIT;\n{result}", tuple(values)).scalar_one()
    connection.info[_WAITING][:] = [_BEGIN]  # nothing is begun now
    return answer


def _take_along(
    connection: sa.Connection, cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool
) -> tuple[str, Any]:
    waiting = connection.info.get(_WAITING)
    if not waiting:
        return statement, parameters
    before = ";\n".join(waiting)
    waiting.clear()
    if executemany:
        cursor.execute(before)
        return statement, parameters
    return f"{before.replace('%', '%%')};\n{statement}", parameters


def _undo(connection: sa.Connection, *, was_begun: bool) -> None:
    """Ends the transaction; a connection that cannot say so any more is thrown away, and the database ends it."""
    if connection.invalidated or connection.closed:
        return
    connection.info[_WAITING].clear()
    if was_begun:
        try:
            connection.exec_driver_sql("ROLLBACK")
        except BaseException as error:
            with suppress(Exception):
                connection.invalidate(error)
            if not isinstance(error, Exception):
                raise
