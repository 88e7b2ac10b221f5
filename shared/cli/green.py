"""All commands, monkey-patched before anything else is imported."""

from shared import green

green.monkey_patch()

from shared.cli import application  # noqa: E402  # the patch comes first

app = application.app

__all__ = ["app"]
