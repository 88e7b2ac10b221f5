"""The commands with greenlets: sockets, locks and psycopg2 become green before anything that uses them is imported."""

import eventlet

eventlet.monkey_patch()

from shared.cli import application  # noqa: E402  # the patch comes first

app = application.app

__all__ = ["app"]
