"""The commands, and how errors end them: one clear line and a non-zero exit."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from typing import Annotated

import typer

from shared.runtime import logging as logs
from shared.runtime import platform
from shared.runtime.settings import SERVICES, BadSettings, Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def migrate() -> None:
    """Makes or upgrades schemas, roles and topology at DATABASE_URL and AMQP_URI."""
    settings = Settings.from_environment()
    logs.configure(settings.log_level, "migrate")
    platform.migrate(settings)
    print("schemas and topology are up to date")


@app.command()
def run(
    service: Annotated[str, typer.Option(help="one service only; without it, all six in this process")] = "",
) -> None:
    """Runs all services in this process, or one of them, until Ctrl-C."""
    if service and service not in SERVICES:
        raise BadSettings(f"--service: {service!r} is not one of {', '.join(SERVICES)}")
    settings = Settings.from_environment()
    names = (service,) if service else SERVICES
    logs.configure(settings.log_level, service or "platform")
    platform.check(settings, names)
    address = f"http://{settings.bind}:{settings.port}"
    (settings.state_dir).mkdir(parents=True, exist_ok=True)
    address_file = settings.state_dir / "address"

    def ready() -> None:
        if "gateway" in names:
            address_file.write_text(address)
            print(f"pass Culture is ready at {address} (documentation: {address}/docs)", flush=True)

    try:
        platform.run(settings, names, ready=ready)
    finally:
        if "gateway" in names:
            address_file.unlink(missing_ok=True)


def main() -> None:
    for entry_point in entry_points(group="passculture.commands"):
        app.command(entry_point.name)(entry_point.load())
    try:
        app()
    except (BadSettings, platform.CannotStart) as error:
        sys.exit(f"passculture: {error}")
