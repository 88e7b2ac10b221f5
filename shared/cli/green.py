"""The commands with greenlets: sockets, locks and psycopg2 become green before anything that uses them is imported."""

import warnings

# nameko runs on eventlet, which announces its own retirement at every import: not at every command of ours
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")

import eventlet  # noqa: E402  # the filter comes first

eventlet.monkey_patch()

from shared.cli import application  # noqa: E402  # the patch comes first

app = application.app

__all__ = ["app"]
