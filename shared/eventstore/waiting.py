"""Waiting for PostgreSQL without holding up the other greenlets, and not for ever.

The server's ``statement_timeout`` ends a statement as long as its word comes through, and libpq's ``connect_timeout``
does nothing where greenlets wait. Whoever says nothing, or was lost without a word, is given up here: the connection is
closed, and who waited gets the driver's OperationalError.
"""

from __future__ import annotations

import psycopg2
from eventlet import getcurrent
from eventlet.hubs import get_hub
from eventlet.hubs.hub import READ, WRITE
from psycopg2 import extensions
from psycopg2.extensions import POLL_OK, POLL_READ

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
    """What ``eventlet.hubs.trampoline`` does for each part of a round trip, and one timer for all of it."""
    state = connection.poll()
    if state == POLL_OK:
        return
    hub, waiting = get_hub(), getcurrent()
    patience = hub.schedule_call_global(getattr(connection, "seconds", ANSWER_SECONDS), waiting.throw, SaysNothing)
    try:
        while state != POLL_OK:
            event = READ if state == POLL_READ else WRITE
            listener = hub.add(event, connection.fileno(), waiting.switch, waiting.throw, None)
            try:
                hub.switch()
            finally:
                hub.remove(listener)
            state = connection.poll()
    except BaseException:
        if connection.status == CONNECTING:  # the driver closes what fails later; this only the collector would
            connection.close()
        raise
    finally:
        patience.cancel()
