"""Waiting for PostgreSQL without holding up the other greenlets, and not for ever.

The server's ``statement_timeout`` ends a statement as long as its word comes through, and libpq's ``connect_timeout``
does nothing where greenlets wait. Whoever says nothing, or was lost without a word, is given up here: the connection is
closed, and who waited gets the driver's OperationalError.
"""

from __future__ import annotations

import psycopg2
from psycopg2 import extensions
from psycopg2.extensions import POLL_OK, POLL_READ

from shared import green

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 30
"""After so long the server ends a statement by itself."""
ANSWER_SECONDS = STATEMENT_SECONDS + 2.0
CONNECTING = 20
"""psycopg2 tells this status and has no name for it."""
READ_SECONDS = 10.0
"""For the answer to what is only read, for somebody who waits no longer (``Store.reading``)."""


class SaysNothing(psycopg2.OperationalError):
    def __init__(self) -> None:
        super().__init__("PostgreSQL was waited for long enough")


class PatientConnection(extensions.connection):
    seconds: float = CONNECT_SECONDS
    """For so long each answer is waited for; the first one is the connection itself."""


def wait_with_patience() -> None:
    """Takes the place of what eventlet made psycopg2 wait with; where it did nothing, threads wait as ever."""
    if extensions.get_wait_callback() is not None:
        extensions.set_wait_callback(_wait)


def _wait(connection: PatientConnection) -> None:
    """The wait callback of psycopg2: suspends the green thread until the answer is there, or raises SaysNothing."""
    state = connection.poll()
    if state == POLL_OK:
        return
    try:
        with green.Timeout(getattr(connection, "seconds", ANSWER_SECONDS), SaysNothing):
            while state != POLL_OK:
                wait = green.wait_readable if state == POLL_READ else green.wait_writable
                wait(connection.fileno())
                state = connection.poll()
    except BaseException:
        if connection.status == CONNECTING:  # the driver closes what fails later; this only the collector would
            connection.close()
        raise
