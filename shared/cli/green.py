"""The commands with greenlets: sockets, locks and psycopg2 become green before anything that uses them is imported.

Names are looked up by the system, on a thread. eventlet would do it by a resolver of its own, which knows less of the
system's settings and costs each process a quarter of a second at its start and eight megabytes for good.
"""

import os
import socket
from typing import Any

os.environ["EVENTLET_NO_GREENDNS"] = "yes"
_look_up = socket.getaddrinfo

import eventlet  # noqa: E402  # it reads that setting when it is imported
import eventlet.green.socket  # noqa: E402
import eventlet.tpool  # noqa: E402

eventlet.monkey_patch()


def _looked_up(*address: Any, **wanted: Any) -> Any:
    return eventlet.tpool.execute(_look_up, *address, **wanted)


socket.getaddrinfo = eventlet.green.socket.getaddrinfo = _looked_up

from shared.cli import application  # noqa: E402  # the patch comes first

app = application.app

__all__ = ["app"]
