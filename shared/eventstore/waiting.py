"""Waiting for PostgreSQL without blocking the other green threads, and with a time-out.

The server's ``statement_timeout`` works only while its messages come through, and libpq's ``connect_timeout`` not at
all while green threads wait. After the time-out the connection is closed, and the caller gets the driver's
OperationalError.
"""

from __future__ import annotations

from typing import Any

import psycopg2
import sqlalchemy as sa
from psycopg2 import extensions
from psycopg2.extensions import POLL_OK, POLL_READ

from shared import green

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 30
"""After so long the server cancels a statement."""
ANSWER_SECONDS = STATEMENT_SECONDS + 2.0
READ_SECONDS = 10.0
"""For the answer to a query whose caller does not wait longer (``Store.reading``)."""
CONNECTING = 20
"""A status of psycopg2's that has no name there."""


class NoAnswer(psycopg2.OperationalError):
    def __init__(self) -> None:
        super().__init__("PostgreSQL does not answer")


class TimedConnection(extensions.connection):
    seconds: float = CONNECT_SECONDS
    """How long each answer may take; the first one is the connection itself."""


def limit_answers(connection: sa.Connection, seconds: float) -> None:
    """How long each answer may take, until the connection returns to its pool."""
    driver: Any = connection.connection.dbapi_connection
    driver.seconds = seconds


def install_wait_callback() -> None:
    """Replaces eventlet's psycopg2 wait callback by one with a time-out; without monkey-patching nothing changes."""
    if extensions.get_wait_callback() is not None:
        extensions.set_wait_callback(_wait)


def _wait(connection: TimedConnection) -> None:
    """The wait callback: suspends the green thread until the answer is there. Raises NoAnswer."""
    state = connection.poll()
    if state == POLL_OK:
        return
    try:
        with green.Timeout(getattr(connection, "seconds", ANSWER_SECONDS), NoAnswer):
            while state != POLL_OK:
                wait = green.wait_readable if state == POLL_READ else green.wait_writable
                wait(connection.fileno())
                state = connection.poll()
    except BaseException:
        if connection.status == CONNECTING:  # psycopg2 closes a connection that fails later, but not this one
            connection.close()
        raise
