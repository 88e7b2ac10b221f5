"""Consumers store the same rows, whether messages are lost, duplicated or reordered.

First in this process, batch by batch; then as processes behind RabbitMQ, with an interceptor before their queues.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared.eventstore import Message, Transaction
from shared.eventstore.outcomes import Call
from shared.eventstore.tables import dead_letters as letters
from shared.eventstore.tables import tracking
from shared.hosting.platform import service_class, sources_of
from shared.kernel.errors import DomainError
from shared.kernel.time import SettableClock, parse_instant
from shared.messaging import topology
from shared.messaging.connections import connect
from shared.messaging.consuming import Consumer, Page
from shared.messaging.reactions import Reactions
from shared.runtime.settings import Settings
from shared.testing import BusDouble, empty_database
from tests.chaos.figures import Figures
from tests.chaos.fleet import Fleet, own_port
from tests.chaos.interception import Batch, Interceptor
from tests.chaos.journal import backlog, opened_stores
from tests.chaos.load import Load
from tests.platform import START
from tests.servers import AMQP, Schema, own_database
from tests.system.scenario import Scenario
from tests.waiting import holds_for, wait_until

Logs = Mapping[str, Sequence[Message]]
FOLLOWERS = ("booking", "catalog", "gateway", "payout", "wallet")
ITS_OWN = {"store_facts"}
"""The name of a store's own history."""
WHEN = {"recorded_at"}
WINDOW = 9
FOLDERS = count()


class Follower:
    """A service on an empty store that consumes given logs. Booking sends wallet commands too: they are made up from
    the log.
    """

    def __init__(self, name: str, logs: Logs, folder: Path, engine: sa.Engine | None = None) -> None:
        """``engine``: an empty store; without it a SQLite file."""
        here = folder / f"{name}-{next(FOLDERS)}"
        here.mkdir()
        self.logs = {source: logs[source] for source in sources_of(service_class(name))}
        self.engine = empty_database(here, name) if engine is None else engine
        self.clock = SettableClock(parse_instant(START))
        settings = Settings.from_environment({"STATE_DIR": str(here), "CLOCK": START, "RANDOM_SEED": "1"})
        bus = BusDouble({(source, "log"): self._reader(source) for source in self.logs})
        self.service = service_class(name).build(settings, self.clock, bus, self.engine)  # type: ignore[attr-defined]
        self.process = bus.add(self.service, self.clock)
        if name == "wallet":
            self.process.catch_up("identity")
            self._reserve()

    def _reader(self, source: str) -> Any:
        def log(data: dict[str, Any], _caller: Any) -> dict[str, Any]:
            epoch, page = self.read_log(source, data["after"], data["limit"])
            return {"epoch": epoch, "messages": [message.to_wire() for message in page]}

        return log

    def read_log(self, source: str, after: int, limit: int) -> Page:
        messages = self.logs[source]
        later = [message for message in messages if message.position > after][:limit]
        return messages[0].epoch, later

    def _reserve(self) -> None:
        """What is live in the end: all that was ever booked at once is more than anybody's credit."""
        gone = {one.data["bookingId"] for one in self.logs["booking"] if one.name == "BookingCancelled"}
        for message in self.logs["booking"]:
            data = message.data
            if message.name == "BookingCreated" and data["bookingId"] not in gone:
                asked = {name: data[name] for name in ("bookingId", "attempt", "personId")}
                asked |= {"amountCents": data["totalCents"], "digital": False, "physical": False}
                ((outcome, _, _),) = self.process.decide([Call("reserve", asked)])
                assert not isinstance(outcome, DomainError), outcome

    def catch_up(self) -> Follower:
        for source in self.logs:
            self.process.catch_up(source)
        return self

    def hear(self, heard: Iterable[tuple[str, Sequence[Message]]]) -> Follower:
        for source, messages in heard:
            self.process.react(source, messages)
        return self

    def break_on(self, source: str, poisoned: Message, kind: type[Consumer] = Consumer) -> None:
        """The reaction to messages of that name fails on this one, until ``mend``."""
        key = source, poisoned.name, poisoned.version
        good = self.service.reactions[key]

        def bad(tx: Transaction, message: Message) -> None:
            if message.position == poisoned.position:
                raise ValueError("a fault of ours")
            good(tx, message)

        self.listen(source, kind, Reactions({**self.service.reactions, key: bad}))

    def listen(self, source: str, kind: type[Consumer], reactions: Reactions | None = None) -> None:
        """Replaces the consumer of a source, or its reactions."""

        def read_log(after: int, limit: int) -> Page:
            return self.read_log(source, after, limit)

        consumer = kind(self.service.store, source, reactions or self.service.reactions, read_log, self.service.prepare)
        consumer.start()
        self.process.consumers[source] = consumer

    def letters(self) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(letters).order_by(letters.c.position)).all())

    def rows(self, *without: str) -> dict[str, list[str]]:
        return rows(self.engine, *without)

    def close(self) -> None:
        self.engine.dispose()


def rows(engine: sa.Engine, *without: str) -> dict[str, list[str]]:
    """Every row of every table, but for tables and columns of these names."""
    metadata = sa.MetaData()
    with engine.connect() as connection:
        metadata.reflect(connection)
        found = {}
        for table in metadata.sorted_tables:
            kept = [column for column in table.columns if column.name not in {*WHEN, *without}]
            if table.name not in {*ITS_OWN, *without} and kept:
                found[table.name] = sorted(str(tuple(row)) for row in connection.execute(sa.select(*kept)))
    return found


@pytest.fixture(scope="module")
def interceptors(platform: Fleet) -> Iterator[dict[str, Interceptor]]:
    """By follower. From now on, what the sources publish waits in their queues."""
    made = {}
    for name in FOLLOWERS:
        there = f"{platform.namespace}_{name}_there"
        made[name] = Interceptor(platform.namespace, there, sources_of(service_class(name)))
        made[name].listen()
    yield made
    for one in made.values():
        one.close()


@pytest.fixture(scope="module")
def logs(platform: Fleet, load: Load, interceptors: dict[str, Interceptor]) -> Logs:
    """All messages that the platform has published, undone validations included."""
    load.acknowledged(150)
    scenario = Scenario(platform, first=4_000)
    actor, person = scenario.actor(), scenario.young_person()
    for price in (900, 1_100, 1_300):
        booking = scenario.make_used_booking(actor, person, price)
        assert scenario.desk("keep", booking["countermark"], actor.token).status == 204
    platform.wait_idle()
    with opened_stores(platform) as stores:
        return {name: store.messages(0, 1_000_000) for name, store in stores.by_service.items()}


class Databases:
    """Two databases on PostgreSQL, in which each service gets a schema when it is first asked for."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.urls = urls
        self._schemas: dict[tuple[str, str], Schema] = {}

    def emptied(self, which: int, service: str) -> sa.Engine:
        found = self.urls[which], service
        if found not in self._schemas:
            self._schemas[found] = Schema(*found)
        return self._schemas[found].emptied()

    def close(self) -> None:
        for schema in self._schemas.values():
            schema.engine.dispose()


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    with own_database() as one, own_database() as other:
        made = Databases([one, other])
        yield made
        made.close()


@pytest.fixture
def follower(logs: Logs, tmp_path: Path) -> Iterator[Any]:
    made: list[Follower] = []

    def make(name: str, engine: sa.Engine | None = None) -> Follower:
        made.append(Follower(name, logs, tmp_path, engine))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, follower: Any, databases: Databases) -> Any:
    """Two followers of one service, each on its own store."""

    def make(name: str) -> tuple[Follower, Follower]:
        if request.param == "sqlite":
            return follower(name), follower(name)
        return follower(name, databases.emptied(0, name)), follower(name, databases.emptied(1, name))

    return make


def redelivered(messages: Sequence[Message], chance: random.Random) -> Iterator[Sequence[Message]]:
    """Drops, duplicates and shuffles messages, and divides them into batches of random sizes."""
    kept = [message for message in messages for _ in range(chance.choice([0, 1, 1, 1, 2]))]
    for begin in range(0, len(kept), WINDOW):
        window = kept[begin : begin + WINDOW]
        chance.shuffle(window)
        kept[begin : begin + WINDOW] = window
    while kept:
        size = chance.randrange(1, 60)
        yield kept[:size]
        kept = kept[size:]


@pytest.mark.parametrize("name", FOLLOWERS)
def test_lost_duplicated_and_reordered_messages_give_the_same_rows(
    follower: Any, logs: Logs, figures: Figures, name: str
) -> None:
    straight = follower(name).catch_up()
    assert straight.letters() == []
    for seed in range(2):
        other = follower(name)
        other.hear(
            (source, batch) for source in other.logs for batch in redelivered(other.logs[source], random.Random(seed))
        )
        assert other.catch_up().rows() == straight.rows()
    told = sum(len(messages) for messages in straight.logs.values())
    figures.note("Messages", f"{name}: {told} messages dropped, doubled and shuffled twice, every row as without it")


@pytest.mark.parametrize("name", FOLLOWERS)
def test_without_filling_gaps_the_rows_differ(follower: Any, name: str) -> None:
    """The control: a consumer that skips what it has missed."""

    class Gapless(Consumer):
        def catch_up(self) -> int:
            return 0

    straight, other = follower(name).catch_up(), follower(name)
    other.process.catch_up("identity")
    other.listen("booking" if "booking" in other.logs else "catalog", Gapless)
    chance = random.Random(1)
    other.hear((source, batch) for source in other.logs for batch in redelivered(other.logs[source], chance))
    assert other.rows() != straight.rows()


class WithoutParking(Consumer):
    """Without the position that it has reached: what comes is handled, whether it was before or not."""

    def handle(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if self._reactions.concern(message):
                with self._store.transaction() as tx:
                    self._react(tx, [message])


class WithoutPositions(Consumer):
    """Without the test of what comes against the position that it has reached: everything is news."""

    def handle(self, messages: Sequence[Message]) -> None:
        self._handle_in_order(messages)


@pytest.mark.parametrize("kind", [WithoutParking, WithoutPositions])
def test_without_the_tracked_position_a_duplicate_is_handled_twice(
    follower: Any, logs: Logs, kind: type[Consumer]
) -> None:
    """The control: a validation that is delivered again after its invalidation is priced again."""
    validated = taken_back(logs["booking"])
    straight, other = follower("payout").catch_up(), follower("payout").catch_up()
    other.hear([("booking", [validated])])
    assert other.rows() == straight.rows()
    other.listen("booking", kind)
    other.hear([("booking", [validated])])
    apart = "tracking"  # that it goes back is not all that is wrong
    assert other.rows(apart) != straight.rows(apart)


@pytest.mark.parametrize("name", FOLLOWERS)
def test_consumer_that_starts_a_month_later_has_the_same_rows(follower: Any, name: str) -> None:
    """Except for the time of its own decisions."""
    punctual, late = follower(name).catch_up(), follower(name)
    late.clock.move_to(late.clock.now() + timedelta(days=31))
    assert late.catch_up().rows("stored_events") == punctual.rows("stored_events")


# --- a handler that raises --------------------------------------------------------------------------------------------

POISONED = {
    "wallet": "CountermarkValidated",
    "payout": "CountermarkValidated",
    "gateway": "BookingCreated",
}
IN_ITS_ORDER = {
    "wallet": ("entry_id", "balance", "version"),
    "payout": ("version", "line_id"),
    "gateway": (),
}
"""Columns that number what happened in the order of its happening."""
HISTORY = ("stored_events", "numbers", "dead_letters")


def taken_back(messages: Sequence[Message]) -> Message:
    """A validation whose booking was invalidated afterwards."""
    undone = {message.stream for message in messages if message.name == "CountermarkInvalidated"}
    return next(one for one in messages if one.name == "CountermarkValidated" and one.stream in undone)


def poisonable(messages: Sequence[Message], name: str, heard: Collection[str]) -> Message:
    """A message of that name that is followed on its stream by another message with a reaction."""
    last = {message.stream: message.position for message in messages if message.name in heard}
    followed = [one for one in messages if one.name == name and last[one.stream] > one.position]
    return followed[len(followed) // 2]


@pytest.mark.parametrize("name", POISONED)
def test_failed_handler_parks_the_stream_until_it_is_replayed(
    pair: Any, logs: Logs, figures: Figures, request: pytest.FixtureRequest, name: str
) -> None:
    straight, other = pair(name)
    straight.catch_up()
    heard = {message for source, message, _ in other.service.reactions if source == "booking"}
    poisoned = poisonable(logs["booking"], POISONED[name], heard)
    other.break_on("booking", poisoned)
    other.catch_up()
    first, *parked = other.letters()
    assert (first.position, first.state) == (poisoned.position, "failed")
    assert {letter.stream for letter in parked} == {poisoned.stream}
    assert all(letter.state == "parked" for letter in parked)
    with other.engine.connect() as connection:
        at = connection.execute(sa.select(tracking.c.position).where(tracking.c.source == "booking")).scalar_one()
    assert at == logs["booking"][-1].position
    apart = (*HISTORY, *IN_ITS_ORDER[name])
    (outcome, _, _) = other.process.decide([Call("replay-dead-letter", {"id": first.id})])[0]
    assert outcome == {"letters": 1 + len(parked)}
    assert other.rows(*apart) == straight.rows(*apart)
    figures.note(
        "Messages",
        f"{name} on {request.node.callspec.params['pair']}: a handler that raises parks 1 + {len(parked)}; after the "
        "replay every row is right",
    )


class WithoutLog(Consumer):
    """What follows a message that failed is handled all the same."""

    def _blocked_streams(self, connection: sa.Connection) -> set[str]:
        return set()


@pytest.mark.parametrize("name", ["wallet", "payout"])
def test_without_parking_a_replay_gives_wrong_rows(pair: Any, logs: Logs, name: str) -> None:
    """The control: a validation that is replayed after its invalidation is spent and priced."""
    poisoned = taken_back(logs["booking"])
    straight, other = pair(name)
    straight.catch_up()
    other.break_on("booking", poisoned, WithoutLog)
    other.catch_up()
    first = other.letters()[0]
    assert (first.position, first.state) == (poisoned.position, "failed")
    for letter in other.letters():
        other.process.decide([Call("replay-dead-letter", {"id": letter.id})])
    apart = (*HISTORY, *IN_ITS_ORDER[name])
    assert other.rows(*apart) != straight.rows(*apart)


# --- behind RabbitMQ --------------------------------------------------------------------------------------------------

ITS_PROCESS_S = ("relay", "notifications", "mail_progress")
"""What a process does beside following: it sends what it published itself, and writes mails."""


class Redelivering:
    """Drops, duplicates and shuffles messages across batches; it holds some back for later."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._kept: dict[str, Batch] = {}

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        kept = self._kept.setdefault(batch[0]["source"], [])
        kept += [message for message in batch for _ in range(self._chance.choice([0, 1, 1, 1, 2]))]
        self._chance.shuffle(kept)
        while len(kept) > WINDOW:
            size = self._chance.randrange(1, WINDOW)
            yield kept[:size]
            del kept[:size]


@contextmanager
def behind(
    platform: Fleet, databases: Databases, interceptors: Mapping[str, Interceptor], logs: Logs, folder: Path
) -> Iterator[dict[str, tuple[Follower, sa.Engine]]]:
    """Processes behind the interceptors, by name, each on its own schema, and a follower that gets every message."""
    with ExitStack() as stack:
        found: dict[str, tuple[Follower, sa.Engine]] = {}
        for name, interceptor in interceptors.items():
            straight = Follower(name, logs, folder, databases.emptied(0, name)).catch_up()
            engine = databases.emptied(1, name)
            if name == "wallet":
                Follower(name, logs, folder, engine)  # its half of what was booked came by command
            found[name] = straight, engine
            declared = {name: interceptor.sources, **{source: [] for source in interceptor.sources}}
            with connect(AMQP) as broker:
                topology.declare(broker, interceptor.there, declared, purge=False)
            stack.callback(_undeclare, interceptor.there, declared)
            chance = random.Random(name)
            stack.enter_context(interceptor.forwarding(logs, Redelivering(chance)))
            stack.enter_context(platform.beside(name, **_there(interceptor.there, name, databases.urls[1], folder)))
        yield found


def _undeclare(namespace: str, sources: dict[str, list[str]]) -> None:
    with connect(AMQP) as broker:
        topology.delete(broker, namespace, sources)


def _there(namespace: str, name: str, database: str, folder: Path) -> dict[str, str]:
    return {
        "NAMESPACE": namespace,
        f"DATABASE_URL_{name.upper()}": database,
        "STATE_DIR": str(folder / f"{name} there"),
        "SIGNING_KEY": "of nobody who would ask here for anything",
        "PORT": str(own_port()),
        "POOL_SIZE": "3",
    }


def wait_until_followed(name: str, engine: sa.Engine, heads: Mapping[str, int]) -> None:
    def followed() -> dict[str, int]:
        with engine.connect() as connection:
            return {row.source: row.position for row in connection.execute(sa.select(tracking))}

    def is_there() -> bool:
        at = followed()
        return all(at.get(source, 0) >= head for source, head in heads.items())

    wait_until(is_there, lambda: f"{name} has followed {followed()} of {heads}")


def test_processes_behind_a_lossy_bus_have_the_same_rows(
    platform: Fleet,
    databases: Databases,
    interceptors: dict[str, Interceptor],
    logs: Logs,
    tmp_path: Path,
    figures: Figures,
) -> None:
    """All services at once. Sources are independent, so effects of two sources have no common order."""
    with behind(platform, databases, interceptors, logs, tmp_path) as found:
        for name, (_, engine) in found.items():
            wait_until_followed(name, engine, interceptors[name].heads)
        for interceptor in interceptors.values():
            interceptor.begin()
        for name, (straight, engine) in found.items():
            wait_until_followed(name, engine, {source: log[-1].position for source, log in straight.logs.items()})
    for name, (straight, engine) in found.items():
        apart = (*HISTORY, *IN_ITS_ORDER.get(name, ()), *ITS_PROCESS_S)
        assert rows(engine, *apart) == straight.rows(*apart), name
        straight.close()
        interceptor = interceptors[name]
        assert interceptor.taken > 0
        figures.note(
            "Messages",
            f"{name} behind RabbitMQ, on PostgreSQL: of {interceptor.taken} messages {interceptor.sent} came, dropped, "
            "doubled and shuffled, every row as without it",
        )


# --- on the fleet -----------------------------------------------------------------------------------------------------


def test_process_without_store_and_queues_catches_up_from_the_beginning(
    platform: Fleet, load: Load, logs: Logs
) -> None:
    """The gateway stores nothing that it could not read again from others."""
    platform.wait_idle()
    before = catalogue(platform)
    platform.kill("gateway")
    with platform.database("gateway").begin() as connection:
        for table in (*before, "tracking"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    platform.delete_message_queues("gateway")
    assert catalogue(platform) != before
    with opened_stores(platform) as stores:
        assert any(text.startswith("gateway has followed booking up to") for text in backlog(stores))
    platform.start_process("gateway")
    platform.wait_until_ready()
    with opened_stores(platform) as stores:
        wait_until(lambda: not backlog(stores), lambda: backlog(stores))
    assert catalogue(platform) == before
    load.acknowledged(5)


def test_without_catching_up_messages_of_a_deleted_queue_are_lost(platform: Fleet, load: Load) -> None:
    """The control: payout cannot catch up, and its queues are deleted while bookings are validated."""
    platform.wait_idle()
    platform.kill("payout")
    platform.delete_message_queues("payout")
    used = load.seen.done["use"]
    while load.seen.done["use"] == used:
        load.acknowledged(4)
    with platform.without_guard("payout", "request_no_log"), opened_stores(platform) as stores:
        used = load.seen.done["use"]
        while load.seen.done["use"] == used:  # nor does what comes after the gap help
            load.acknowledged(4)
        assert holds_for(lambda: backlog(stores), 5.0)
        found = backlog(stores)
    assert any(text.startswith("payout has followed booking up to") for text in found), found
    with opened_stores(platform) as stores:
        wait_until(lambda: not backlog(stores), lambda: backlog(stores))


def catalogue(platform: Fleet) -> dict[str, list[str]]:
    metadata = sa.MetaData()
    with platform.database("gateway").connect() as connection:
        metadata.reflect(connection)
        return {
            table.name: sorted(str(tuple(row)) for row in connection.execute(sa.select(table)))
            for table in metadata.sorted_tables
            if table.name.startswith("catalogue_")
        }
