"""Commands for operators: reconcile, verify and rebuild read models, list streams and dead letters, restore.

Exit code 1 means that sums do not balance, that read models differ, or, with one line on standard error, that the
command failed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Annotated, Any

import orjson
import typer

from shared.cli.access import PlatformAccess, StoreAccess, open_platform
from shared.kernel.errors import DomainError
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents, euros
from shared.runtime import logging as logs
from shared.runtime.settings import SERVICES, Settings

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Projection = Annotated[str, typer.Argument(help="a read model: wallet.balances")]
MAX_SHOWN = 20


def exit_on_refusal(command: Callable[..., None]) -> Callable[..., None]:
    """Makes a command report a refusal as one line on standard error."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except DomainError as refusal:
            fields = [f"{field}: {', '.join(texts)}" for field, texts in refusal.errors.items()]
            sys.exit(f"passculture: {'; '.join(fields) or refusal.detail or refusal.code}")

    return run


@exit_on_refusal
def reconcile(as_json: Json = False) -> None:
    """Checks that amounts balance across services, per day and to the cent, over the whole history."""
    found = connected_platform().reconciliation()
    if as_json:
        _print_json(found)
    else:
        _print_reconciliation(found)
    if not found["balanced"]:
        raise typer.Exit(1)


@exit_on_refusal
def projections(as_json: Json = False) -> None:
    """Lists the read models, and each service's position in the logs of the services that it follows."""
    found = connected_platform().projections()
    if as_json:
        return _print_json(found)
    for model in found["items"]:
        print(f"{model['name']:32} version {model['version']}{progress_of(model)}")
    for source in found["sources"]:
        lag = f", {source['behind']} behind, for {source['lagSeconds']:.0f} s" if source["behind"] else ""
        print(f"{source['service']:10} follows {source['source']:10} {source['position']} of {source['head']}{lag}")
    return None


def progress_of(model: dict[str, Any]) -> str:
    """The progress of a read model's rebuild; empty if none is running."""
    progress = model["rebuild"]
    if progress is None:
        return ""
    left = progress["secondsLeft"]
    time_left = "" if left is None else f", {left:.0f} s left"
    return f", being rebuilt: {progress['position']} of {progress['head']}{time_left}"


@exit_on_refusal
def diff(
    projection: Annotated[str, typer.Argument(help="a read model: wallet.balances")], as_json: Json = False
) -> None:
    """Folds a read model from the log and lists where the stored one differs."""
    differences = connected_platform().differences(projection)
    _show_differences({projection: differences}, as_json)


@exit_on_refusal
def verify(as_json: Json = False) -> None:
    """Compares every read model of every service with one folded from the log."""
    platform = connected_platform()
    names = [model["name"] for model in platform.projections()["items"]]
    _show_differences({name: platform.differences(name) for name in names}, as_json)


@exit_on_refusal
def replay(
    projection: Annotated[str, typer.Argument(help="a read model: wallet.balances")], as_json: Json = False
) -> None:
    """Rebuilds a read model from the log."""
    rows = connected_platform().rebuild(projection)
    _print_json({"projection": projection, "rows": rows}) if as_json else print(f"{projection}: {rows} rows")


@exit_on_refusal
def streams(
    stream: Annotated[str, typer.Argument(help="a stream's UUID, or a kind: account, stock, booking, wallet…")],
    number: Annotated[str, typer.Argument(help="with a kind: the number, such as 17")] = "",
    as_json: Json = False,
) -> None:
    """Lists the events of one stream, personal data masked: `streams booking 17`, or `streams UUID`."""
    found = connected_platform().stream(str(stream_id(stream, number)) if number else stream)
    if as_json:
        return _print_json(found)
    print(f"{found['service']} {found['streamId']}")
    for event in found["items"]:
        state = orjson.dumps(event["state"]).decode()
        print(f"{event['position']:>8} v{event['version']:<4} {event['recordedAt']:28} {event['name']:28} {state}")
    return None


@exit_on_refusal
def dead_letters(
    verb: Annotated[str, typer.Argument(help="list, replay or discard")] = "list",
    letter: Annotated[str, typer.Argument(help="wallet-3")] = "",
    as_json: Json = False,
) -> None:
    """Lists the dead letters (messages that could not be handled), or replays or discards one."""
    if verb == "list" and not letter:
        return _show_letters(connected_platform().dead_letters(), as_json)
    if verb not in ("replay", "discard") or not letter:
        sys.exit("passculture: dead-letters [list], or dead-letters replay|discard <letter>")
    resolved = connected_platform().resolve_dead_letter(letter, verb)
    _print_json({"letters": resolved}) if as_json else print(f"{verb}: {resolved}")
    return None


@exit_on_refusal
def restored(
    services: Annotated[list[str], typer.Argument(help="the services whose stores were restored: booking wallet")],
) -> None:
    """Begins a new epoch in stores that were restored from a backup. Their consumers stop until `follow` is run."""
    _check_service_names(services)
    platform = direct_stores()
    for service in services:
        begun = platform.begin_history(service)
        print(f"{service}: history {begun['epoch']} from position {begun['head']} on")


@exit_on_refusal
def follow(
    service: Annotated[str, typer.Argument(help="the consumer: wallet; default: every service")] = "",
    source: Annotated[str, typer.Argument(help="the source it follows: booking; default: all its sources")] = "",
    position: Annotated[int | None, typer.Option("--from", min=0, help="continue after this position")] = None,
) -> None:
    """Lets services follow the new epoch of a restored store, from the position at which the two histories diverge."""
    _check_service_names([name for name in (service, source) if name])
    if position is not None and not source:
        sys.exit("passculture: --from needs a source: follow <service> <source> --from <position>")
    platform = direct_stores()
    for name in [service] if service else SERVICES:
        for of in [source] if source else platform.processes[name].consumers:
            followed = platform.follow(name, of, position)
            lost = f", {followed['lost']} positions are lost" if followed["lost"] else ""
            print(f"{name} follows {of} from {followed['position']} on{lost}")


def _check_service_names(services: Iterable[str]) -> None:
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


def connected_platform() -> PlatformAccess:
    """The platform of the environment's settings: over HTTP if it runs, otherwise its stores."""
    settings = Settings.from_environment()
    logs.configure("warning", "command")
    return open_platform(settings)


def direct_stores() -> StoreAccess:
    """The platform's stores, even if it runs."""
    settings = Settings.from_environment()
    logs.configure("warning", "command")
    return StoreAccess(settings)


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
    for pending in found.get("inFlight", ()):
        print(f"in flight: {orjson.dumps(pending).decode()}")
    verdict = "balanced to the cent" if found["balanced"] else "NOT BALANCED"
    print(f"{verdict}: {len(found['days'])} days; {_positions(found['positions'])}")


def _positions(found: dict[str, Any]) -> str:
    """The positions up to which each log was compared, and the positions in booking's log that its consumers had."""
    consumed = found["booking"]
    logs = [f"{name} at {position}" for name, position in found.items() if name != "booking"]
    return f"{', '.join(logs)}; booking as consumed by {', '.join(f'{name} at {at}' for name, at in consumed.items())}"


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
