"""How the operators' commands reach the platform: over HTTP where one runs, else by opening the stores.

``STATE_DIR/address`` says where it listens; a stale one, left by a crash, is told by nobody answering there. The HTTP
routes are the gateway's ``/v1/ops`` and ``/v1/finance``; stores are opened with each service's own connection, so what
is changed there is published by the next relay that runs.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import orjson
import sqlalchemy as sa

from shared.contracts.calls import identity, payout
from shared.contracts.calls import platform as calls
from shared.contracts.calls.contract import Command, Query
from shared.eventstore.engines import make_engine
from shared.hosting.platform import CannotStart, service_class
from shared.kernel.errors import DomainError, Unavailable
from shared.messaging.bus import refusal
from shared.runtime.clocks import check_clock, check_writer, restored_clock
from shared.runtime.direct_bus import DirectBus
from shared.runtime.migrations import is_current
from shared.runtime.operations import dead_letters_of, projections_of, split_letter, split_projection, stream_of
from shared.runtime.process import Process
from shared.runtime.settings import BESIDE, SERVICES, Settings
from shared.runtime.tokens import COMMAND_LINE, access_token

PROBE_SECONDS = 5.0
ANSWER_SECONDS = 600.0
"""A reconciliation or a rebuild goes through everything that ever happened."""

PAGE = 200
"""Dead letters asked for at once."""


class Reach(Protocol):
    """What operators ask, whichever way it goes. Refusals are DomainErrors.

    A read model is named ``<service>.<name>``, a dead letter ``<service>-<number>``.
    """

    def reconciliation(self) -> dict[str, Any]: ...
    def projections(self) -> dict[str, Any]: ...
    def differences(self, projection: str) -> list[dict[str, Any]]: ...
    def rebuild(self, projection: str) -> int: ...
    def stream(self, stream_id: str) -> dict[str, Any]: ...
    def dead_letters(self) -> list[dict[str, Any]]: ...
    def settle_letter(self, letter: str, verb: str) -> int:
        """``verb`` is ``replay`` or ``discard``; gives how many letters it settled."""

    def create_staff(self, account: dict[str, Any]) -> int:
        """``{email, password, roles, firstName?, lastName?}`` → the account's number."""

    def erase(self, account_id: int) -> None: ...


def reach(settings: Settings) -> Reach:
    """Raises CannotStart when there is nothing to reach."""
    file = settings.state_dir / "address"
    if file.exists():
        http = OverHttp(file.read_text().strip(), settings.signing_key)
        if http.answers():
            return http
    return OnStores(settings)


class OverHttp:
    """The platform that listens at an address."""

    def __init__(self, address: str, signing_key: bytes) -> None:
        self._address = address
        self._key = signing_key

    def answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self._address}/health/live", timeout=PROBE_SECONDS).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def reconciliation(self) -> dict[str, Any]:
        return self._ask("GET", "/v1/finance/reconciliation", "finance")

    def projections(self) -> dict[str, Any]:
        return self._ask("GET", "/v1/ops/projections")

    def differences(self, projection: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", f"/v1/ops/projections/{quote(projection)}/differences")["items"]
        return found

    def rebuild(self, projection: str) -> int:
        return int(self._ask("POST", f"/v1/ops/projections/{quote(projection)}/rebuild")["rows"])

    def stream(self, stream_id: str) -> dict[str, Any]:
        return self._ask("GET", f"/v1/ops/streams/{quote(stream_id)}")

    def dead_letters(self) -> list[dict[str, Any]]:
        def page(cursor: str | None) -> dict[str, Any]:
            return self._ask("GET", "/v1/ops/dead-letters" + (f"?cursor={quote(cursor)}" if cursor else ""))

        return _each_page(page)

    def settle_letter(self, letter: str, verb: str) -> int:
        return int(self._ask("POST", f"/v1/ops/dead-letters/{quote(letter)}/{verb}")["letters"])

    def create_staff(self, account: dict[str, Any]) -> int:
        return int(self._ask("POST", "/v1/ops/staff-accounts", body=account)["accountId"])

    def erase(self, account_id: int) -> None:
        self._ask("POST", f"/v1/ops/accounts/{account_id}/erase")

    def _ask(
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
            raise _problem(error) from None
        except OSError as error:
            raise Unavailable(f"{self._address} does not answer: {error}") from None


def _each_page(page: Callable[[str | None], dict[str, Any]]) -> list[dict[str, Any]]:
    """All items of a list that goes on with a cursor."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        found = page(cursor)
        items += found["items"]
        cursor = found["nextCursor"]
        if cursor is None:
            return items


def _problem(error: urllib.error.HTTPError) -> DomainError:
    try:
        problem = orjson.loads(error.read())
        return refusal({"refused": {**problem, "errors": problem.get("errors")}})
    except (ValueError, KeyError, TypeError):
        return Unavailable(f"the platform answered {error.code}")


class OnStores:
    """No platform runs: the services are built on their stores, and nothing of them runs but what is asked."""

    def __init__(self, settings: Settings) -> None:
        self.processes: dict[str, Process] = {}
        bus = DirectBus(self.processes)
        for name in SERVICES:
            engine = _open(settings, name)
            for store in (store for store, service in BESIDE.items() if service == name):
                _open(settings, store).dispose()  # the service opens it itself
            clock = restored_clock(settings.clock, engine)
            service = service_class(name).build(settings, clock, bus, engine)  # type: ignore[attr-defined]  # by convention
            self.processes[name] = Process(service, clock, bus)
        self._bus, self._clock = bus, settings.clock

    def reconciliation(self) -> dict[str, Any]:
        found: dict[str, Any] = self._bus.query(payout.Reconciliation())
        return found

    def projections(self) -> dict[str, Any]:
        return projections_of(self._ask, SERVICES)

    def differences(self, projection: str) -> list[dict[str, Any]]:
        service, name = split_projection(projection, SERVICES)
        found: list[dict[str, Any]] = self._ask(service, calls.CompareProjection(name=name))["differences"]
        return found

    def rebuild(self, projection: str) -> int:
        service, name = split_projection(projection, SERVICES)
        return int(self._bus.command(calls.RebuildProjection(name=name), to=service).result["rows"])

    def begin_history(self, service: str) -> dict[str, Any]:
        """Of a store that was restored: ``{epoch, head}``. Its services may run meanwhile."""
        begun: dict[str, Any] = self._bus.command(calls.BeginHistory(), to=service).result
        return begun

    def follow(self, service: str, source: str, position: int | None) -> dict[str, Any]:
        """The source's new history: ``{position, lost}``."""
        histories = calls.KnownHistories.read(self._ask(source, calls.Histories()))
        command = calls.FollowHistory(source=source, histories=histories, position=position)
        followed: dict[str, Any] = self._bus.command(command, to=service).result
        return followed

    def stream(self, stream_id: str) -> dict[str, Any]:
        return stream_of(self._ask, SERVICES, stream_id)

    def dead_letters(self) -> list[dict[str, Any]]:
        return _each_page(lambda cursor: dead_letters_of(self._ask, SERVICES, cursor, PAGE))

    def settle_letter(self, letter: str, verb: str) -> int:
        service, number = split_letter(letter, SERVICES)
        command = calls.ReplayDeadLetter(id=number) if verb == "replay" else calls.DiscardDeadLetter(id=number)
        return int(self._bus.command(command, to=service).result["letters"])

    def create_staff(self, account: dict[str, Any]) -> int:
        return int(self._write(identity.CreateStaff.read(account))["accountId"])

    def erase(self, account_id: int) -> None:
        self._write(identity.Erase(account_id=account_id))

    def _write(self, command: Command) -> dict[str, Any]:
        """A command of identity. Raises BadSettings when ``CLOCK`` is not that of the state."""
        with self.processes["identity"].store.reading() as connection:
            check_clock(connection, "identity", self._clock)
            check_writer(connection, self._clock)
        done: dict[str, Any] = self._bus.command(command).result
        return done

    def _ask(self, service: str, query: Query) -> dict[str, Any]:
        answer: dict[str, Any] = self._bus.query(query, to=service)
        return answer


def _open(settings: Settings, name: str) -> sa.Engine:
    """The service's store, as it is: nothing is made here. Raises CannotStart."""
    url = settings.database_url(name)
    database = sa.make_url(url)
    if database.get_backend_name() == "sqlite" and not Path(database.database or "").exists():
        raise CannotStart(
            f"there is no store of {name} in STATE_DIR ({settings.state_dir}), and no platform runs there"
        )
    engine = make_engine(url, schema=settings.schema(name))
    try:
        with engine.connect() as connection:
            current = is_current(connection, name)
    except sa.exc.DBAPIError as error:
        raise CannotStart(f"the database of {name}: {str(error.orig).strip().splitlines()[0]}") from None
    if not current:
        raise CannotStart(f"the schema of {name} is not up to date: run `passculture migrate` first")
    return engine
