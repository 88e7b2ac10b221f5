"""``passculture``: runs and operates the platform. Services add commands of their own through entry points."""

import eventlet

eventlet.monkey_patch()  # before anything else is imported: sockets, locks and psycopg2 become green

from shared.cli.application import main  # noqa: E402  # see above

__all__ = ["main"]
