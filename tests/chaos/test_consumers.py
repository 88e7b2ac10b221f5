"""The services' own consumers, fed with what was really published: however it comes, the rows are the same.

Once in this process, batch by batch, and once as processes of their own behind RabbitMQ, with the test's own consumer
between the sources' queues and theirs.
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
from tests.chaos.journal import backlog, opened
from tests.chaos.load import Load
from tests.chaos.wire import Batch, Between
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
    """A service on an empty store of its own, which follows logs that are given. Wallet's half of a booking came by
    command: what the log says was kept is asked of it beforehand."""

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
        """What reacts to the messages of that name fails on this one, until ``mend``."""
        key = source, poisoned.name, poisoned.version
        good = self.service.reactions[key]

        def bad(tx: Transaction, message: Message) -> None:
            if message.position == poisoned.position:
                raise ValueError("a fault of ours")
            good(tx, message)

        self.listen(source, kind, Reactions({**self.service.reactions, key: bad}))

    def listen(self, source: str, kind: type[Consumer], reactions: Reactions | None = None) -> None:
        """Another consumer of a source, or other reactions of it."""

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
def betweens(platform: Fleet) -> Iterator[dict[str, Between]]:
    """By follower. What happens from here on waits in their queues."""
    made = {}
    for name in FOLLOWERS:
        there = f"{platform.namespace}_{name}_there"
        made[name] = Between(platform.namespace, there, sources_of(service_class(name)))
        made[name].listen()
    yield made
    for one in made.values():
        one.close()


@pytest.fixture(scope="module")
def logs(platform: Fleet, load: Load, betweens: dict[str, Between]) -> Logs:
    """What the services of the fleet published; among it validations that were taken back."""
    load.acknowledged(150)
    scenario = Scenario(platform, first=4_000)
    actor, person = scenario.actor(), scenario.young_person()
    for price in (900, 1_100, 1_300):
        booking = scenario.make_used_booking(actor, person, price)
        assert scenario.desk("keep", booking["countermark"], actor.token).status == 204
    platform.wait_idle()
    with opened(platform) as books:
        return {name: store.messages(0, 1_000_000) for name, store in books.stores.items()}


class Databases:
    """Two of them on PostgreSQL, in which every service has a schema that is made when it is first asked for."""

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
    """Two followers of a name, each on a store of its own."""

    def make(name: str) -> tuple[Follower, Follower]:
        if request.param == "sqlite":
            return follower(name), follower(name)
        return follower(name, databases.emptied(0, name)), follower(name, databases.emptied(1, name))

    return make


def battered(messages: Sequence[Message], chance: random.Random) -> Iterator[Sequence[Message]]:
    """Dropped, doubled and shuffled; what is left comes in batches of any size."""
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
def test_messages_dropped_doubled_and_shuffled_give_the_same_rows(
    follower: Any, logs: Logs, figures: Figures, name: str
) -> None:
    straight = follower(name).catch_up()
    assert straight.letters() == []
    for seed in range(2):
        other = follower(name)
        other.hear(
            (source, batch) for source in other.logs for batch in battered(other.logs[source], random.Random(seed))
        )
        assert other.catch_up().rows() == straight.rows()
    told = sum(len(messages) for messages in straight.logs.values())
    figures.note("Messages", f"{name}: {told} messages dropped, doubled and shuffled twice, every row as without it")


@pytest.mark.parametrize("name", FOLLOWERS)
def test_without_filling_gaps_the_rows_differ(follower: Any, name: str) -> None:
    """The control: a consumer that passes over what it has missed."""

    class Gapless(Consumer):
        def catch_up(self) -> int:
            return 0

    straight, other = follower(name).catch_up(), follower(name)
    other.process.catch_up("identity")
    other.listen("booking" if "booking" in other.logs else "catalog", Gapless)
    chance = random.Random(1)
    other.hear((source, batch) for source in other.logs for batch in battered(other.logs[source], chance))
    assert other.rows() != straight.rows()


class Forgetful(Consumer):
    """Without the position that it has reached: what comes is handled, whether it was before or not."""

    def handle(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if self._reactions.concern(message):
                with self._store.transaction() as tx:
                    self._react(tx, [message])


class Credulous(Consumer):
    """Without the test of what comes against the position that it has reached: everything is news."""

    def handle(self, messages: Sequence[Message]) -> None:
        self._handle_in_order(messages)


@pytest.mark.parametrize("kind", [Forgetful, Credulous])
def test_without_the_tracked_position_a_double_is_handled_twice(
    follower: Any, logs: Logs, kind: type[Consumer]
) -> None:
    """The control: a validation told again after it was taken back is priced again."""
    validated = taken_back(logs["booking"])
    straight, other = follower("payout").catch_up(), follower("payout").catch_up()
    other.hear([("booking", [validated])])
    assert other.rows() == straight.rows()
    other.listen("booking", kind)
    other.hear([("booking", [validated])])
    apart = "tracking"  # that it goes back is not all that is wrong
    assert other.rows(apart) != straight.rows(apart)


@pytest.mark.parametrize("name", FOLLOWERS)
def test_one_that_begins_a_month_late_has_the_same_rows(follower: Any, name: str) -> None:
    """But for when it noted what it decided: that stands in its own log."""
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
    """A validation after which its booking was invalidated."""
    undone = {message.stream for message in messages if message.name == "CountermarkInvalidated"}
    return next(one for one in messages if one.name == "CountermarkValidated" and one.stream in undone)


def poisonable(messages: Sequence[Message], name: str, heard: Collection[str]) -> Message:
    """One of that name, in the middle of those that are followed on their stream by something that is reacted to."""
    last = {message.stream: message.position for message in messages if message.name in heard}
    followed = [one for one in messages if one.name == name and last[one.stream] > one.position]
    return followed[len(followed) // 2]


@pytest.mark.parametrize("name", POISONED)
def test_a_handler_that_raises_parks_its_stream_and_a_replay_puts_it_right(
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


class Heedless(Consumer):
    """What follows a message that failed is handled all the same."""

    def _blocked_streams(self, connection: sa.Connection) -> set[str]:
        return set()


@pytest.mark.parametrize("name", ["wallet", "payout"])
def test_without_parking_a_replay_puts_nothing_right(pair: Any, logs: Logs, name: str) -> None:
    """The control: a validation that is replayed after it was taken back is spent, and priced."""
    poisoned = taken_back(logs["booking"])
    straight, other = pair(name)
    straight.catch_up()
    other.break_on("booking", poisoned, Heedless)
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


class Battering:
    """Drops, doubles and shuffles what comes, also what did not come together; some it keeps to itself until later."""

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
    platform: Fleet, databases: Databases, betweens: Mapping[str, Between], logs: Logs, folder: Path
) -> Iterator[dict[str, tuple[Follower, sa.Engine]]]:
    """Processes that follow what went through the test's hands, each on a schema of its own; by name, beside a follower
    on another one to whom nothing happens."""
    with ExitStack() as stack:
        found: dict[str, tuple[Follower, sa.Engine]] = {}
        for name, between in betweens.items():
            straight = Follower(name, logs, folder, databases.emptied(0, name)).catch_up()
            engine = databases.emptied(1, name)
            if name == "wallet":
                Follower(name, logs, folder, engine)  # its half of what was booked came by command
            found[name] = straight, engine
            declared = {name: between.sources, **{source: [] for source in between.sources}}
            with connect(AMQP) as broker:
                topology.declare(broker, between.there, declared, purge=False)
            stack.callback(_undeclare, between.there, declared)
            chance = random.Random(name)
            stack.enter_context(between.carrying(logs, Battering(chance)))
            stack.enter_context(platform.beside(name, **_there(between.there, name, databases.urls[1], folder)))
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


def test_a_consumer_between_that_drops_doubles_and_shuffles_gives_the_same_rows(
    platform: Fleet,
    databases: Databases,
    betweens: dict[str, Between],
    logs: Logs,
    tmp_path: Path,
    figures: Figures,
) -> None:
    """All services at once; of two sources neither waits for the other, so what they led to has no order in common."""
    with behind(platform, databases, betweens, logs, tmp_path) as found:
        for name, (_, engine) in found.items():
            wait_until_followed(name, engine, betweens[name].heads)
        for between in betweens.values():
            between.begin()
        for name, (straight, engine) in found.items():
            wait_until_followed(name, engine, {source: log[-1].position for source, log in straight.logs.items()})
    for name, (straight, engine) in found.items():
        apart = (*HISTORY, *IN_ITS_ORDER.get(name, ()), *ITS_PROCESS_S)
        assert rows(engine, *apart) == straight.rows(*apart), name
        straight.close()
        between = betweens[name]
        assert between.taken > 0
        figures.note(
            "Messages",
            f"{name} behind RabbitMQ, on PostgreSQL: of {between.taken} messages {between.sent} came, dropped, doubled "
            "and shuffled, every row as without it",
        )


# --- on the fleet -----------------------------------------------------------------------------------------------------


def test_a_process_that_lost_its_store_and_its_queues_follows_from_the_beginning(
    platform: Fleet, load: Load, logs: Logs
) -> None:
    """The gateway keeps nothing that others did not tell it."""
    platform.wait_idle()
    before = catalogue(platform)
    platform.kill("gateway")
    with platform.database("gateway").begin() as connection:
        for table in (*before, "tracking"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    platform.lose_queues("gateway")
    assert catalogue(platform) != before
    with opened(platform) as books:
        assert any(text.startswith("gateway has followed booking up to") for text in backlog(books))
    platform.start_process("gateway")
    platform.wait_until_ready()
    with opened(platform) as books:
        wait_until(lambda: not backlog(books), lambda: backlog(books))
    assert catalogue(platform) == before
    load.acknowledged(5)


def test_one_that_asks_for_no_log_misses_what_its_lost_queue_held(platform: Fleet, load: Load) -> None:
    """The control: payout without its way to catch up, its queues deleted while something is validated."""
    platform.wait_idle()
    platform.kill("payout")
    platform.lose_queues("payout")
    used = load.seen.done["use"]
    while load.seen.done["use"] == used:
        load.acknowledged(4)
    with platform.sabotaged("payout", "asks_no_log"), opened(platform) as books:
        used = load.seen.done["use"]
        while load.seen.done["use"] == used:  # nor does what comes after the gap help
            load.acknowledged(4)
        assert holds_for(lambda: backlog(books), 5.0)
        found = backlog(books)
    assert any(text.startswith("payout has followed booking up to") for text in found), found
    with opened(platform) as books:
        wait_until(lambda: not backlog(books), lambda: backlog(books))


def catalogue(platform: Fleet) -> dict[str, list[str]]:
    metadata = sa.MetaData()
    with platform.database("gateway").connect() as connection:
        metadata.reflect(connection)
        return {
            table.name: sorted(str(tuple(row)) for row in connection.execute(sa.select(table)))
            for table in metadata.sorted_tables
            if table.name.startswith("catalogue_")
        }
