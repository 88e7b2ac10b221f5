"""``passculture``: runs and operates the platform. Services add commands of their own through entry points."""

import sys
from importlib.metadata import entry_points


def main() -> None:
    """Monkey-patches only for commands that open stores or the bus, and then before anything else is imported."""
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
    except KeyboardInterrupt:  # before the command had begun
        sys.exit(130)


__all__ = ["main"]
