"""Account commands: creating staff accounts, and erasing a person's data."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from shared.cli.operator_commands import connected_platform, exit_on_refusal

STAFF_ROLES = ("staff", "finance", "operator")

staff = typer.Typer(no_args_is_help=True, help="Manages staff accounts.")


@staff.callback()
def _staff() -> None:
    """Manages staff accounts."""


@staff.command("create")
@exit_on_refusal
def create(
    email: str,
    role: Annotated[list[str], typer.Option(help=f"{', '.join(STAFF_ROLES)}; may be repeated")],
    first_name: str = "",
    last_name: str = "",
) -> None:
    """Creates an account that can sign in at once. Prompts for the password, or reads it from standard input."""
    account = {"email": email, "password": _password(), "roles": sorted(set(role))}
    names = {"firstName": first_name, "lastName": last_name}
    number = connected_platform().create_staff({**account, **{name: value for name, value in names.items() if value}})
    print(f"account {number}: {email} ({', '.join(account['roles'])})")


@exit_on_refusal
def erase(account: Annotated[int, typer.Argument(help="the account's number", min=1)]) -> None:
    """Erases a person's data irreversibly, by destroying its encryption key. All amounts still add up."""
    if sys.stdin.isatty():
        typer.confirm(f"Erase the personal data of account {account}? This cannot be undone.", abort=True)
    connected_platform().erase(account)
    print(f"account {account}: personal data erased")


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")
