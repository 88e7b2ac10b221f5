"""How the commands access the platform: over HTTP if it runs, otherwise by opening its stores.

``STATE_DIR/address`` has the address of a running platform. After a crash the file is stale: nobody answers there. The
HTTP routes are ``/v1/ops`` and ``/v1/finance``. Each store is opened with the service's own role, and the next relay
that runs publishes what is written.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote

import orjson

from shared.contracts.calls import identity, payout
from shared.contracts.calls import platform as calls
from shared.contracts.calls.contract import Command, Query
from shared.hosting.platform import open_store, service_class, stores_of
from shared.kernel.errors import DomainError, Unavailable
from shared.messaging.bus import refusal
from shared.runtime.clocks import check_clock, check_writer, restored_clock
from shared.runtime.direct_bus import DirectBus
from shared.runtime.operations import (
    find_stream,
    list_dead_letters,
    list_projections,
    parse_dead_letter_id,
    parse_projection_name,
)
from shared.runtime.process import Process
from shared.runtime.settings import SERVICES, Settings
from shared.runtime.tokens import COMMAND_LINE, access_token

PROBE_SECONDS = 5.0
ANSWER_SECONDS = 600.0
"""A reconciliation or a rebuild reads whole logs."""

PAGE = 200
"""Dead letters per query."""


class PlatformAccess(Protocol):
    """The operations of the commands. Raises DomainErrors.

    A read model is named ``<service>.<name>``, and a dead letter ``<service>-<number>``.
    """

    def reconciliation(self) -> dict[str, Any]: ...
    def projections(self) -> dict[str, Any]: ...
    def differences(self, projection: str) -> list[dict[str, Any]]: ...
    def rebuild(self, projection: str) -> int: ...
    def stream(self, stream_id: str) -> dict[str, Any]: ...
    def dead_letters(self) -> list[dict[str, Any]]: ...
    def resolve_dead_letter(self, letter: str, verb: str) -> int:
        """``verb`` is ``replay`` or ``discard``. Returns the number of dead letters that were replayed or discarded."""

    def create_staff(self, account: dict[str, Any]) -> int:
        """``{email, password, roles, firstName?, lastName?}`` → the account's number."""

    def erase(self, account_id: int) -> None: ...


def open_platform(settings: Settings) -> PlatformAccess:
    """The running platform, or its stores. Raises CannotStart if there is neither."""
    file = settings.state_dir / "address"
    if file.exists():
        http = HttpAccess(file.read_text().strip(), settings.signing_key)
        if http.is_up():
            return http
    return StoreAccess(settings)


class HttpAccess:
    """A platform that runs, over HTTP."""

    def __init__(self, address: str, signing_key: bytes) -> None:
        self._address = address
        self._key = signing_key

    def is_up(self) -> bool:
        try:
            urllib.request.urlopen(f"{self._address}/health/live", timeout=PROBE_SECONDS).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def reconciliation(self) -> dict[str, Any]:
        return self._send("GET", "/v1/finance/reconciliation", "finance")

    def projections(self) -> dict[str, Any]:
        return self._send("GET", "/v1/ops/projections")

    def differences(self, projection: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._send("GET", f"/v1/ops/projections/{quote(projection)}/differences")["items"]
        return found

    def rebuild(self, projection: str) -> int:
        return int(self._send("POST", f"/v1/ops/projections/{quote(projection)}/rebuild")["rows"])

    def stream(self, stream_id: str) -> dict[str, Any]:
        return self._send("GET", f"/v1/ops/streams/{quote(stream_id)}")

    def dead_letters(self) -> list[dict[str, Any]]:
        def page(cursor: str | None) -> dict[str, Any]:
            return self._send("GET", "/v1/ops/dead-letters" + (f"?cursor={quote(cursor)}" if cursor else ""))

        return _all_pages(page)

    def resolve_dead_letter(self, letter: str, verb: str) -> int:
        return int(self._send("POST", f"/v1/ops/dead-letters/{quote(letter)}/{verb}")["letters"])

    def create_staff(self, account: dict[str, Any]) -> int:
        return int(self._send("POST", "/v1/ops/staff-accounts", body=account)["accountId"])

    def erase(self, account_id: int) -> None:
        self._send("POST", f"/v1/ops/accounts/{account_id}/erase")

    def _send(
        self, method: str, path: str, role: str = "operator", body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        token = access_token(COMMAND_LINE, frozenset({role}), self._key)
        request = urllib.request.Request(
            self._address + path,
            method=method,
            data=orjson.dumps(body or {}) if method == "POST" else None,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
                answer: dict[str, Any] = orjson.loads(response.read())
                return answer
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except OSError as error:
            raise Unavailable(f"{self._address} does not answer: {error}") from None


def _all_pages(page: Callable[[str | None], dict[str, Any]]) -> list[dict[str, Any]]:
    """The items of all pages; ``page(cursor)`` is one of them."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        found = page(cursor)
        items += found["items"]
        cursor = found["nextCursor"]
        if cursor is None:
            return items


def _refusal(error: urllib.error.HTTPError) -> DomainError:
    """The refusal that a problem document describes."""
    try:
        problem = orjson.loads(error.read())
        return refusal({"refused": {**problem, "errors": problem.get("errors")}})
    except (ValueError, KeyError, TypeError):
        return Unavailable(f"the platform answered {error.code}")


class StoreAccess:
    """The services, built on their stores without running them: no relay, no consumer, no timer."""

    def __init__(self, settings: Settings) -> None:
        self.processes: dict[str, Process] = {}
        bus = DirectBus(self.processes)
        for name in SERVICES:
            engine, *additional = [open_store(settings, store) for store in stores_of([name])]
            for other in additional:
                other.dispose()  # the service opens it itself
            clock = restored_clock(settings.clock, engine)
            service = service_class(name).build(settings, clock, bus, engine)  # type: ignore[attr-defined]  # by convention
            self.processes[name] = Process(service, clock, bus)
        self._bus, self._clock = bus, settings.clock

    def reconciliation(self) -> dict[str, Any]:
        found: dict[str, Any] = self._bus.query(payout.Reconciliation())
        return found

    def projections(self) -> dict[str, Any]:
        return list_projections(self._ask, SERVICES)

    def differences(self, projection: str) -> list[dict[str, Any]]:
        service, name = parse_projection_name(projection, SERVICES)
        found: list[dict[str, Any]] = self._ask(service, calls.CompareProjection(name=name))["differences"]
        return found

    def rebuild(self, projection: str) -> int:
        service, name = parse_projection_name(projection, SERVICES)
        return int(self._bus.command(calls.RebuildProjection(name=name), to=service).result["rows"])

    def begin_history(self, service: str) -> dict[str, Any]:
        """Begins a new epoch in a restored store: ``{epoch, head}``. The service may be running."""
        begun: dict[str, Any] = self._bus.command(calls.BeginHistory(), to=service).result
        return begun

    def follow(self, service: str, source: str, position: int | None) -> dict[str, Any]:
        """Makes a service follow its source's new epoch: ``{position, lost}``."""
        histories = calls.KnownHistories.read(self._ask(source, calls.Histories()))
        command = calls.FollowHistory(source=source, histories=histories, position=position)
        followed: dict[str, Any] = self._bus.command(command, to=service).result
        return followed

    def stream(self, stream_id: str) -> dict[str, Any]:
        return find_stream(self._ask, SERVICES, stream_id)

    def dead_letters(self) -> list[dict[str, Any]]:
        return _all_pages(lambda cursor: list_dead_letters(self._ask, SERVICES, cursor, PAGE))

    def resolve_dead_letter(self, letter: str, verb: str) -> int:
        service, number = parse_dead_letter_id(letter, SERVICES)
        command = calls.ReplayDeadLetter(id=number) if verb == "replay" else calls.DiscardDeadLetter(id=number)
        return int(self._bus.command(command, to=service).result["letters"])

    def create_staff(self, account: dict[str, Any]) -> int:
        return int(self._write(identity.CreateStaff.read(account))["accountId"])

    def erase(self, account_id: int) -> None:
        self._write(identity.Erase(account_id=account_id))

    def _write(self, command: Command) -> dict[str, Any]:
        """Sends a command to identity. Raises BadSettings if ``CLOCK`` differs from the clock of the stores."""
        with self.processes["identity"].store.reading() as connection:
            check_clock(connection, "identity", self._clock)
            check_writer(connection, self._clock)
        result: dict[str, Any] = self._bus.command(command).result
        return result

    def _ask(self, service: str, query: Query) -> dict[str, Any]:
        answer: dict[str, Any] = self._bus.query(query, to=service)
        return answer
