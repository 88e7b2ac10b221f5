"""``passculture``: runs and operates the platform. Services add commands through entry points."""

import sys
from importlib.metadata import entry_points


def main() -> None:
    """Monkey-patches, before any other import, only for commands that open stores or the bus."""
    plain = {"settings", "token", *entry_points(group="passculture.commands").names}
    try:
        if sys.argv[1:2] and sys.argv[1] in plain:
            from shared.cli.plain import app
        else:
            from shared.cli.green import app
        from shared.runtime.settings import OperatorError

        try:
            app()
        except OperatorError as error:
            sys.exit(f"passculture: {error}")
    except KeyboardInterrupt:  # raised while importing
        sys.exit(130)


__all__ = ["main"]
