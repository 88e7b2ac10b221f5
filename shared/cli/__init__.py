"""``passculture``: runs and operates the platform. Services add commands of their own through entry points."""

import sys
from importlib.metadata import entry_points


def main() -> None:
    """Only what opens stores or the bus pays for greenlets; those must be there before anything else is imported."""
    plain = {"settings", "token", *entry_points(group="passculture.commands").names}
    try:
        if sys.argv[1:2] and sys.argv[1] in plain:
            from shared.cli.plain import app
        else:
            from shared.cli.green import app
        from shared.runtime.settings import OneLine

        try:
            app()
        except OneLine as error:
            sys.exit(f"passculture: {error}")
    except KeyboardInterrupt:  # before anything was there that could be stopped
        sys.exit(130)


__all__ = ["main"]
