"""The commands that need neither a store nor the bus: without green threads they start faster."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Annotated

import orjson
import typer

from shared.runtime.settings import BadSettings, Settings, effective_settings
from shared.runtime.tokens import COMMAND_LINE, access_token

OPERATING_ROLES = ("staff", "finance", "operator")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Runs and operates the culture pass platform. An error is one line on standard error, with a non-zero exit.",
    pretty_exceptions_enable=False,
)


@app.command("settings")
def list_settings(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Validates and lists the effective settings; secrets are hidden."""
    rows = effective_settings()
    if as_json:
        print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    for row in rows:
        print(f"{row['name']:24} {row['value'] or '-':40} {row['meaning']}")


@app.command()
def token(role: Annotated[str, typer.Argument(help=", ".join(OPERATING_ROLES))]) -> None:
    """Prints an access token for a role, signed with SIGNING_KEY and valid for 15 minutes."""
    if role not in OPERATING_ROLES:
        raise BadSettings(f"token: {role!r} is not one of {', '.join(OPERATING_ROLES)}")
    print(access_token(COMMAND_LINE, frozenset({role}), Settings.from_environment().signing_key))


for entry_point in entry_points(group="passculture.commands"):
    app.command(entry_point.name)(entry_point.load())
