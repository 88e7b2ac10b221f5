"""All commands: those of ``plain``, and those that run a platform, connect to a running one or open its stores."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from shared.cli import accounts, operator_commands
from shared.cli.plain import app
from shared.hosting import platform
from shared.runtime import logging as logs
from shared.runtime.settings import SERVICES, BadSettings, Settings


@app.command()
def migrate() -> None:
    """Creates or upgrades the database schemas and roles, and the exchanges and queues."""
    settings = Settings.from_environment()
    logs.configure(settings.log_level, "migrate")
    platform.migrate(settings)
    print("schemas and topology are up to date")


@app.command()
def run(
    service: Annotated[str, typer.Option(help="run only this service; default: all six in one process")] = "",
) -> None:
    """Runs all services in this process, or one of them, until Ctrl-C."""
    if service and service not in SERVICES:
        raise BadSettings(f"--service: {service!r} is not one of {', '.join(SERVICES)}")
    settings = Settings.from_environment()
    names = (service,) if service else SERVICES
    logs.configure(settings.log_level, service or "platform")
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    if settings.embedded_bus:
        platform.claim(settings.state_dir)
    platform.check(settings, names)
    address = f"http://{settings.bind}:{settings.port}"
    address_file = settings.state_dir / "address"
    loading: list[subprocess.Popen[bytes]] = []

    def ready() -> None:
        if "gateway" in names:
            address_file.write_text(address)
            print(f"pass Culture is ready at {address} (documentation: {address}/docs)", flush=True)
            if settings.demo:
                # loads through the HTTP API, in a separate process, while the platform already serves
                loading.append(subprocess.Popen([sys.executable, "-m", "demo.seed"]))

    try:
        platform.run(settings, names, ready=ready)
    finally:
        for loader in loading:
            loader.terminate()
        if "gateway" in names and address_file.exists() and address_file.read_text() == address:
            address_file.unlink(missing_ok=True)


for name, command in operator_commands.COMMANDS.items():
    app.command(name)(command)
app.add_typer(accounts.staff, name="staff")
app.command("erase")(accounts.erase)

__all__ = ["app"]
