"""The commands, and how errors end them: one clear line and a non-zero exit."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from typing import Annotated

import orjson
import typer

from shared.cli import accounts, operating
from shared.runtime import logging as logs
from shared.runtime import platform
from shared.runtime.settings import SERVICES, BadSettings, Settings, listing
from shared.runtime.tokens import COMMAND_LINE, access_token

OPERATING_ROLES = ("staff", "finance", "operator")

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
    loading: list[subprocess.Popen[bytes]] = []

    def ready() -> None:
        if "gateway" in names:
            address_file.write_text(address)
            print(f"pass Culture is ready at {address} (documentation: {address}/docs)", flush=True)
            if settings.demo:
                # a client like any other, in a process of its own: the platform serves meanwhile
                loading.append(subprocess.Popen([sys.executable, "-m", "demo.seed"]))

    try:
        platform.run(settings, names, ready=ready)
    finally:
        for loader in loading:
            loader.terminate()
        if "gateway" in names:
            address_file.unlink(missing_ok=True)


@app.command("settings")
def list_settings(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> None:
    """The settings in force, checked; secrets are not shown."""
    Settings.from_environment()
    rows = listing()
    if as_json:
        print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    for row in rows:
        print(f"{row['name']:24} {row['value'] or '-':40} {row['meaning']}")


@app.command()
def token(role: Annotated[str, typer.Argument(help=", ".join(OPERATING_ROLES))]) -> None:
    """An access token for a role, signed with the configured key; it lives for 15 minutes."""
    if role not in OPERATING_ROLES:
        raise BadSettings(f"token: {role!r} is not one of {', '.join(OPERATING_ROLES)}")
    print(access_token(COMMAND_LINE, frozenset({role}), Settings.from_environment().signing_key))


def main() -> None:
    for name, command in operating.COMMANDS.items():
        app.command(name)(command)
    app.add_typer(accounts.staff, name="staff")
    app.command("erase")(accounts.erase)
    for entry_point in entry_points(group="passculture.commands"):
        app.command(entry_point.name)(entry_point.load())
    try:
        app()
    except (BadSettings, platform.CannotStart) as error:
        sys.exit(f"passculture: {error}")
