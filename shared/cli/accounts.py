"""Accounts from the command line: those of staff, and erasing a person."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from shared.cli.operating import reached, refusals_in_one_line

STAFF_ROLES = ("staff", "finance", "operator")

staff = typer.Typer(no_args_is_help=True, help="Accounts of those who run the platform.")


@staff.callback()
def _staff() -> None:
    """Accounts of those who run the platform."""


@staff.command("create")
@refusals_in_one_line
def create(
    email: str,
    role: Annotated[list[str], typer.Option(help=f"{', '.join(STAFF_ROLES)}; may be given several times")],
    first_name: str = "",
    last_name: str = "",
) -> None:
    """Makes an account that may sign in at once. The password is asked for, or read from the standard input."""
    account = {"email": email, "password": _password(), "roles": sorted(set(role))}
    names = {"firstName": first_name, "lastName": last_name}
    number = reached().create_staff({**account, **{name: value for name, value in names.items() if value}})
    print(f"account {number}: {email} ({', '.join(account['roles'])})")


@refusals_in_one_line
def erase(account: Annotated[int, typer.Argument(help="the account's number", min=1)]) -> None:
    """Erases a person: nobody can read their data any more, and every sum still adds up. There is no way back."""
    if sys.stdin.isatty():
        typer.confirm(f"erase the person of account {account}, for ever?", abort=True)
    reached().erase(account)
    print(f"account {account}: the person is erased")


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")
