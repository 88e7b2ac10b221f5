"""Operators' work from the command line: reconcile, verify, replay, look into streams and dead letters.

Exit codes: 0 when all is well, 1 when something does not balance or differs, and one line on standard error with 1 when
the command could not be carried out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Annotated, Any

import orjson
import typer

from shared.cli.reaching import OnStores, Reach, reach
from shared.kernel.errors import DomainError
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents, euros
from shared.runtime import logging as logs
from shared.runtime.settings import SERVICES, Settings

Json = Annotated[bool, typer.Option("--json", help="for programs")]
Projection = Annotated[str, typer.Argument(help="a read model: wallet.balances")]
MAX_SHOWN = 20


def refusals_in_one_line(command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except DomainError as refusal:
            fields = [f"{field}: {', '.join(texts)}" for field, texts in refusal.errors.items()]
            sys.exit(f"passculture: {'; '.join(fields) or refusal.detail or refusal.code}")

    return run


@refusals_in_one_line
def reconcile(as_json: Json = False) -> None:
    """Proves that the money adds up, per day and to the cent, over everything that happened; 1 when it does not."""
    found = reached().reconciliation()
    if as_json:
        _print_json(found)
    else:
        _print_reconciliation(found)
    if not found["balanced"]:
        raise typer.Exit(1)


@refusals_in_one_line
def projections(as_json: Json = False) -> None:
    """The read models, and how far each service has followed the others."""
    found = reached().projections()
    if as_json:
        return _print_json(found)
    for model in found["items"]:
        print(f"{model['name']:32} version {model['version']}{progress_of(model)}")
    for source in found["sources"]:
        lag = f", {source['behind']} behind, for {source['lagSeconds']:.0f} s" if source["behind"] else ""
        print(f"{source['service']:10} follows {source['source']:10} {source['position']} of {source['head']}{lag}")
    return None


def progress_of(model: dict[str, Any]) -> str:
    """How far the rebuild of a read model has come; empty when there is none."""
    progress = model["rebuild"]
    if progress is None:
        return ""
    left = progress["secondsLeft"]
    time_left = "" if left is None else f", {left:.0f} s left"
    return f", being rebuilt: {progress['position']} of {progress['head']}{time_left}"


@refusals_in_one_line
def diff(
    projection: Annotated[str, typer.Argument(help="a read model: wallet.balances")], as_json: Json = False
) -> None:
    """Folds a read model anew from the log and says where the live one differs; 1 when it does."""
    differences = reached().differences(projection)
    _show_differences({projection: differences}, as_json)


@refusals_in_one_line
def verify(as_json: Json = False) -> None:
    """Folds every read model of every service anew and compares; 1 when one differs."""
    platform = reached()
    names = [model["name"] for model in platform.projections()["items"]]
    _show_differences({name: platform.differences(name) for name in names}, as_json)


@refusals_in_one_line
def replay(
    projection: Annotated[str, typer.Argument(help="a read model: wallet.balances")], as_json: Json = False
) -> None:
    """Folds a read model anew from the log and puts it in the place of the live one."""
    rows = reached().rebuild(projection)
    _print_json({"projection": projection, "rows": rows}) if as_json else print(f"{projection}: {rows} rows")


@refusals_in_one_line
def streams(
    stream: Annotated[str, typer.Argument(help="an identifier, or what it is of: account, stock, booking, wallet…")],
    number: Annotated[str, typer.Argument(help="whose: 17")] = "",
    as_json: Json = False,
) -> None:
    """The events of one stream, personal data masked: `streams booking 17`, or the stream's identifier alone."""
    found = reached().stream(str(stream_id(stream, number)) if number else stream)
    if as_json:
        return _print_json(found)
    print(f"{found['service']} {found['streamId']}")
    for event in found["items"]:
        state = orjson.dumps(event["state"]).decode()
        print(f"{event['position']:>8} v{event['version']:<4} {event['recordedAt']:28} {event['name']:28} {state}")
    return None


@refusals_in_one_line
def dead_letters(
    verb: Annotated[str, typer.Argument(help="list, replay or discard")] = "list",
    letter: Annotated[str, typer.Argument(help="wallet-3")] = "",
    as_json: Json = False,
) -> None:
    """Messages that could not be handled: lists them, or replays or discards one."""
    if verb == "list" and not letter:
        return _show_letters(reached().dead_letters(), as_json)
    if verb not in ("replay", "discard") or not letter:
        sys.exit("passculture: dead-letters [list], or dead-letters replay|discard <letter>")
    settled = reached().settle_letter(letter, verb)
    _print_json({"letters": settled}) if as_json else print(f"{verb}: {settled}")
    return None


@refusals_in_one_line
def restored(
    services: Annotated[list[str], typer.Argument(help="whose stores were restored from a backup: booking wallet")],
) -> None:
    """Begins a new history in stores that were restored; who followed the old one stops until `follow` is said."""
    _known(services)
    platform = stores()
    for service in services:
        begun = platform.begin_history(service)
        print(f"{service}: history {begun['epoch']} from position {begun['head']} on")


@refusals_in_one_line
def follow(
    service: Annotated[str, typer.Argument(help="who follows: wallet; without it, every service every source")] = "",
    source: Annotated[str, typer.Argument(help="whom: booking; without it, each of its sources")] = "",
    position: Annotated[int | None, typer.Option("--from", min=0, help="go on after this position")] = None,
) -> None:
    """Follows the new histories of restored stores, each from where it parts from the one that was followed."""
    _known([name for name in (service, source) if name])
    if position is not None and not source:
        sys.exit("passculture: --from is a position of one source: follow <service> <source> --from <position>")
    platform = stores()
    for name in [service] if service else SERVICES:
        for of in [source] if source else platform.processes[name].consumers:
            followed = platform.follow(name, of, position)
            lost = f", {followed['lost']} positions are lost" if followed["lost"] else ""
            print(f"{name} follows {of} from {followed['position']} on{lost}")


def _known(services: Iterable[str]) -> None:
    for service in services:
        if service not in SERVICES:
            sys.exit(f"passculture: {service!r} is not one of {', '.join(SERVICES)}")


COMMANDS: dict[str, Callable[..., None]] = {
    "reconcile": reconcile,
    "verify": verify,
    "projections": projections,
    "diff": diff,
    "replay": replay,
    "streams": streams,
    "dead-letters": dead_letters,
    "restored": restored,
    "follow": follow,
}


def reached() -> Reach:
    """The platform that the environment's settings lead to."""
    settings = Settings.from_environment()
    logs.configure("warning", "command")
    return reach(settings)


def stores() -> OnStores:
    """The platform's stores, whether it runs or not."""
    settings = Settings.from_environment()
    logs.configure("warning", "command")
    return OnStores(settings)


def _print_json(value: Any) -> None:
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _print_reconciliation(found: dict[str, Any]) -> None:
    for difference in found["differences"][:MAX_SHOWN]:
        what = (difference["identity"], difference.get("where"), difference.get("detail"), _bookings(difference))
        print(f"differs: {': '.join(str(part) for part in what if part)}")
    _print_rest(found["differences"])
    for day in found["days"]:
        for identity in day["identities"]:
            if identity["difference"]:
                left, right = euros(Cents(identity["left"])), euros(Cents(identity["right"]))
                print(f"{day['day']}: {identity['name']}: {left} ≠ {right}")
    for flying in found.get("inFlight", ()):
        print(f"in flight: {orjson.dumps(flying).decode()}")
    verdict = "balanced to the cent" if found["balanced"] else "NOT BALANCED"
    print(f"{verdict}: {len(found['days'])} days; {_positions(found['positions'])}")


def _positions(found: dict[str, Any]) -> str:
    """Up to which position of each log, and of booking's log as far as the others had heard of it."""
    heard = found["booking"]
    logs = [f"{name} at {position}" for name, position in found.items() if name != "booking"]
    return f"{', '.join(logs)}; booking as heard by {', '.join(f'{name} at {at}' for name, at in heard.items())}"


def _bookings(difference: dict[str, Any]) -> str:
    numbers = [str(booking) for booking in difference.get("bookings") or ()]
    return f"bookings {' '.join(numbers)}" if numbers else ""


def _show_differences(found: dict[str, list[dict[str, Any]]], as_json: bool) -> None:
    if as_json:
        _print_json({"equal": not any(found.values()), "projections": found})
    else:
        for name, differences in found.items():
            print(f"{name:32} {'equal' if not differences else f'{len(differences)} rows differ'}")
            for difference in differences[:MAX_SHOWN]:
                print(f"  {orjson.dumps(difference).decode()}")
            _print_rest(differences)
    if any(found.values()):
        raise typer.Exit(1)


def _show_letters(letters: Iterable[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        return _print_json({"items": list(letters)})
    shown = list(letters)
    if not shown:
        print("no dead letters")
    for letter in shown:
        what = f"{letter['message']} of {letter['source']} at {letter['position']}"
        print(f"{letter['id']:14} {letter['state']:8} {what:44} {letter['error']}")
    return None


def _print_rest(shown: list[Any]) -> None:
    if len(shown) > MAX_SHOWN:
        print(f"… and {len(shown) - MAX_SHOWN} more")
