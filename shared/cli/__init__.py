"""``passculture``: runs and operates the platform. Services add commands of their own through entry points."""

import warnings

# nameko runs on eventlet, which announces its own retirement at every import: said once here, not at every command
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")

import eventlet  # noqa: E402

eventlet.monkey_patch()  # before anything else is imported: sockets, locks and psycopg2 become green

from shared.cli.application import main  # noqa: E402  # see above

__all__ = ["main"]
