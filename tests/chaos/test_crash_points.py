"""A crash before or after any commit or sent message leads to the same final state.

Booking and wallet are real, each on its own store; a relay, a broker that keeps what it confirmed and wallet's consumer
are between them. The client retries with the same key, as every client does.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.wallet.bootstrap import build as build_wallet
from shared.eventstore import Message
from shared.eventstore.engines import make_engine
from shared.eventstore.outcomes import Call
from shared.eventstore.tables import relay as relay_position
from shared.eventstore.tables import stored_events, tracking
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.messaging.relay import Relay
from shared.testing import empty_database
from tests.chaos.crash_points import Crash, CrashPoints
from tests.chaos.figures import Figures
from tests.chaos.scale import Scale
from tests.servers import Schema, own_database
from tests.unit.booking.world import DESK, YOUNG, World

SERVICES = ("booking", "wallet")
STAFF = Caller(1, frozenset({"staff"}))
NEVER_THE_SAME = {"id", "recorded_at", "correlation_id", "causation_id", "epoch", "position"}
IN_NO_ORDER = {"ledger_entries", "wallets"}
"""A release comes at once or by message: the lines of a wallet change places, and add up to the same."""
HISTORY_OF_A_CRASH = 2
"""The third for which credit is asked, and the one that nothing else in the story is about."""
PLACES = {
    *(f"{when} {name} commits" for when in ("before", "after") for name in SERVICES),
    *(f"before {name} publishes" for name in SERVICES),
    *(f"after {name} published" for name in SERVICES),
    *(f"before wallet is asked to {what}" for what in ("reserve", "release")),
    *(f"after wallet was asked to {what}" for what in ("reserve", "release")),
}
"""Nothing of it may go unseen: what is told otherwise one day is to be found, and not to be left out."""
Engines = dict[str, sa.Engine]


class Machine:
    """Booking and wallet on a machine that may crash; ``wire`` is the broker, which does not."""

    def __init__(self, folder: Path, engines: Engines, crash_points: CrashPoints, relay: type[Relay] = Relay) -> None:
        self.crash_points, self._relay = crash_points, relay
        self.passed_again: list[str] = []
        """The places between the last cut and the end of what it had cut off."""
        self.engines = {name: crash_points.guard(engine, name) for name, engine in engines.items()}
        self.world = World(folder, engine=self.engines["booking"])
        self.wire: dict[str, list[Message]] = {name: [] for name in SERVICES}
        self._build()
        self.world.welcome(YOUNG, self.wallet)
        self.stocks = self._open_stocks()

    def _build(self) -> None:
        self.wallet = build_wallet(self.world.settings, self.world.clock, self.world.bus, self.engines["wallet"])
        self.process = self.world.bus.add(self.wallet, self.world.clock)
        for name in ("reserve", "release"):
            self.world.bus.handlers["wallet", name] = self._asked(name)
        stores = {"booking": self.world.store, "wallet": self.wallet.store}
        self.relays = {name: self._relay(stores[name], self._sender(name)) for name in SERVICES}
        for relay in self.relays.values():
            relay.start()

    def _asked(self, name: str) -> Callable[[Any, Any], Any]:
        def handler(data: Any, _caller: Any) -> Any:
            self.crash_points.place(f"before wallet is asked to {name}")
            outcome = self.process.decide([Call(name, data)])[0][0]
            self.crash_points.place(f"after wallet was asked to {name}")
            if isinstance(outcome, DomainError):
                raise outcome
            return outcome

        return handler

    def _sender(self, name: str) -> Callable[[Sequence[Message]], None]:
        def publish(messages: Sequence[Message]) -> None:
            self.crash_points.place(f"before {name} publishes")
            self.wire[name].extend(messages)
            self.crash_points.place(f"after {name} published")

        return publish

    def _open_stocks(self) -> dict[str, int]:
        world = self.world
        return {
            "book": world.stock(price=1_000, quantity=1),
            "dear": world.stock(price=30_001),
            "film": world.stock(world.offer("VOD", url="https://example.org"), price=500, codes=("A", "B")),
            "free": world.stock(price=0),
        }

    # what happens

    def steps(self) -> list[Callable[[], Any]]:
        """Each step can be repeated, and is after a crash."""
        return [
            lambda: self._book("book"),
            lambda: self._book("dear"),
            lambda: self._book("film"),
            lambda: self._book("free"),
            self._send,
            lambda: self._on("book", "cancel", Caller(YOUNG)),
            self._send,
            lambda: self._on("book", "staff-restore", STAFF, reason="collected"),
            lambda: self._use("free"),
            self._send,
        ]

    def _book(self, what: str) -> Any:
        return self._decide(Call("book", {"stockId": self.stocks[what], "quantity": 1}, what, Caller(YOUNG)))

    def _on(self, what: str, name: str, caller: Caller, **more: str) -> Any:
        booking = self._book(what)["bookingId"]  # the same key: the same answer
        return self._decide(Call(name, {"bookingId": booking, **more}, f"{name} {what}", caller))

    def _use(self, what: str) -> Any:
        return self._decide(Call("desk-use", {"countermark": self._book(what)["countermark"]}, None, DESK))

    def _decide(self, call: Call) -> Any:
        return self.world.process.decide([call])[0][0]

    def _send(self) -> None:
        """The relays publish; wallet consumes and acknowledges."""
        for relay in self.relays.values():
            while relay.send():
                pass
        if self.wire["booking"]:
            self.process.react("booking", self.wire["booking"])
        self.wire["booking"].clear()

    def play(self, *, insists: bool = True, repeated: int | None = None) -> list[str]:
        """All steps. After a crash the process restarts, recovers, and the step is repeated.

        ``repeated``: the crash point during that recovery. Returns the points at which it crashed.
        """
        cut = []
        for step in self.steps():
            try:
                step()
            except Crash as where:
                cut.append(str(where))
                self._restart()
                if insists:
                    self.crash_points.arm(repeated)
                    cut += self._insisted(step)
        return cut

    def _insisted(self, step: Callable[[], Any]) -> list[str]:
        """Recovers and repeats the step until both complete; returns the points at which they crashed."""
        cut = []
        while True:
            try:
                self.world.recover()
                step()
            except Crash as where:
                cut.append(str(where))
                self._restart()
            else:
                self.passed_again = self.crash_points.disarm()
                return cut

    def _restart(self) -> None:
        for engine in self.engines.values():
            engine.dispose()
        self.world.restart()
        self._build()

    # what became of it

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for service, engine in self.engines.items():
            with engine.connect() as connection:
                for table in _tables(connection, service):
                    found[f"{service}.{table.name}"] = _content(connection, table)
                found[f"{service} is sent"] = _is_sent(connection)
        with self.engines["wallet"].connect() as connection:
            followed = connection.execute(sa.select(tracking.c.position).where(tracking.c.source == "booking")).scalar()
        found["wallet has followed"] = followed == self.world.store.published_head()
        return found

    def close(self) -> None:
        for engine in self.engines.values():
            engine.dispose()


_TABLES: dict[tuple[str, str], list[sa.Table]] = {}
"""By store and service: to ask the database for them takes longer than to read them."""


def _tables(connection: sa.Connection, service: str) -> list[sa.Table]:
    of = (connection.dialect.name, service)
    if of not in _TABLES:
        metadata = sa.MetaData()
        metadata.reflect(connection)
        _TABLES[of] = metadata.sorted_tables
    return _TABLES[of]


def _content(connection: sa.Connection, table: sa.Table) -> Any:
    kept = [column for column in table.columns if column.name not in NEVER_THE_SAME]
    if table.name in IN_NO_ORDER:
        kept = [column for column in kept if column.name not in ("entry_id", "balance", "version")]
    if table.name == "stored_events":
        return _events(connection)
    return Counter(str(tuple(row)) for row in connection.execute(sa.select(*kept))) if kept else None


def _events(connection: sa.Connection) -> Counter[tuple[str, str]]:
    """Wallet's events in an order that does not depend on which of two independent ones came first."""
    query = sa.select(stored_events.c.topic, stored_events.c.state)
    return Counter((row.topic, row.state) for row in connection.execute(query))


def _is_sent(connection: sa.Connection) -> bool:
    position = connection.execute(sa.select(relay_position.c.position)).scalar_one()
    published = sa.select(sa.func.max(stored_events.c.id)).where(stored_events.c.published)
    return bool(position == (connection.execute(published).scalar() or 0))


# --- on both stores ---------------------------------------------------------------------------------------------------

MakeEngines = Callable[[Path], Any]


@contextmanager
def on_sqlite(folder: Path) -> Iterator[Engines]:
    folder.mkdir(parents=True)
    yield {name: empty_database(folder, name) for name in SERVICES}
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Without waiting for the disk, because the database itself never crashes here."""
    with own_database() as url:
        admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
        with admin.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {sa.make_url(url).database} SET synchronous_commit = off")
        yield url


@pytest.fixture(scope="module")
def schemas(database: str) -> Iterator[dict[str, Schema]]:
    made = {name: Schema(database, name) for name in SERVICES}
    yield made
    for schema in made.values():
        schema.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engines(request: pytest.FixtureRequest) -> MakeEngines:
    if request.param == "sqlite":
        return on_sqlite
    url: str = request.getfixturevalue("database")
    schemas: dict[str, Schema] = request.getfixturevalue("schemas")

    @contextmanager
    def on_postgresql(folder: Path) -> Iterator[Engines]:
        folder.mkdir(parents=True)
        for schema in schemas.values():
            schema.emptied()
        yield {name: make_engine(url, schema=name) for name in SERVICES}

    return on_postgresql


@contextmanager
def machine(
    engines: MakeEngines, folder: Path, crash_points: CrashPoints, relay: type[Relay] = Relay
) -> Iterator[Machine]:
    with engines(folder) as made:
        built = Machine(folder, made, crash_points, relay)
        try:
            yield built
        finally:
            built.close()


def played(engines: MakeEngines, folder: Path, crash_points: CrashPoints) -> tuple[list[str], dict[str, Any]]:
    """The crash points of a run without a crash, and its final state."""
    with machine(engines, folder / "whole", crash_points) as whole:
        crash_points.arm()
        assert whole.play() == []
        return crash_points.disarm(), whole.state()


def test_crash_anywhere_leads_to_the_same_state(
    engines: MakeEngines, tmp_path: Path, figures: Figures, request: pytest.FixtureRequest
) -> None:
    crash_points = CrashPoints()
    places, expected = played(engines, tmp_path, crash_points)
    assert set(places) == PLACES
    for number, place in enumerate(places):
        with machine(engines, tmp_path / str(number), crash_points) as cut:
            crash_points.arm(number)
            assert cut.play() == [place]
            assert cut.state() == expected, f"cut off {place}, place {number}"
    figures.note(
        "Crashes",
        f"{request.node.callspec.params['engines']}: {len(places)} places, each cut off once in a story of its own",
    )


def test_second_crash_during_recovery_leads_to_the_same_state(tmp_path: Path, scale: Scale, figures: Figures) -> None:
    """At every crash point of the recovery and of the repeated step; in the short version each pair of points once."""
    crash_points = CrashPoints()
    places, expected = played(on_sqlite, tmp_path, crash_points)
    cuts = 0
    seen: set[tuple[str, str]] = set()
    for first, place in enumerate(places):
        for second, repeated in enumerate(recovered(tmp_path / f"{first}", crash_points, first)):
            if (place, repeated) in seen and not scale.every_second_cut:
                continue
            seen.add((place, repeated))
            with machine(on_sqlite, tmp_path / f"{first} {second}", crash_points) as twice:
                crash_points.arm(first)
                assert twice.play(repeated=second) == [place, repeated]
                assert twice.state() == expected, f"cut off {place} and {repeated}, places {first} and {second}"
            cuts += 1
    assert {repeated for _, repeated in seen} == PLACES
    figures.note("Crashes", f"sqlite: cut off {cuts} times again while a first cut was recovered from")


def recovered(folder: Path, crash_points: CrashPoints, first: int) -> list[str]:
    """The crash points that recovery and the repeated step pass."""
    with machine(on_sqlite, folder, crash_points) as once:
        crash_points.arm(first)
        once.play()
        return once.passed_again


class RelayMovesFirst(Relay):
    """Stores its position before it publishes."""

    def send(self) -> int:
        messages = self._store.messages(self.position, 200)
        if messages:
            self._move(messages[-1].position)
            self._publish(messages)
        return len(messages)


def last_of(places: Sequence[str], place: str) -> int:
    return max(number for number, passed in enumerate(places) if passed == place)


def test_relay_that_advances_before_it_publishes_is_detected(engines: MakeEngines, tmp_path: Path) -> None:
    """The control: a crash between the two loses messages."""
    crash_points = CrashPoints()
    _, expected = played(engines, tmp_path, crash_points)
    with machine(engines, tmp_path / "whole and hasty", crash_points, RelayMovesFirst) as whole:
        crash_points.arm()
        whole.play()
        places = crash_points.disarm()
        assert whole.state() == expected  # without a cut it does no harm
    with machine(engines, tmp_path / "cut", crash_points, RelayMovesFirst) as cut:
        crash_points.arm(last_of(places, "before booking publishes"))
        assert cut.play() == ["before booking publishes"]
        state = cut.state()
    assert state["booking is sent"] is True
    assert {name for name in state if state[name] != expected[name]} >= {"wallet has followed", "wallet.credits"}


def test_request_without_recovery_is_detected(engines: MakeEngines, tmp_path: Path) -> None:
    """The control: without recovery and without a retry a place stays taken."""
    crash_points = CrashPoints()
    places, expected = played(engines, tmp_path, crash_points)
    asked = [number for number, place in enumerate(places) if place == "before wallet is asked to reserve"]
    with machine(engines, tmp_path / "cut", crash_points) as cut:
        crash_points.arm(asked[HISTORY_OF_A_CRASH])
        assert cut.play(insists=False) == ["before wallet is asked to reserve"]
        state = cut.state()
    assert state["booking.open_requests"] != expected["booking.open_requests"]
