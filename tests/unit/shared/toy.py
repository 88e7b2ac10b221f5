"""A service with one aggregate, for tests of the event store, messaging and read models."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar

import sqlalchemy as sa
from eventsourcing.domain import Aggregate
from marshmallow import Schema, fields

from shared.contracts.calls.contract import SIGNED_IN, Command, Data
from shared.contracts.calls.types import Id
from shared.contracts.fields import Money, Number, Whole
from shared.eventstore import Publication, Store, migrations
from shared.eventstore.engines import make_engine
from shared.eventstore.sql import upsert
from shared.kernel.identifiers import stream_id
from shared.kernel.time import Clock, SettableClock
from shared.projections import Projection, on

START = datetime(2021, 11, 2, 9, tzinfo=UTC)
metadata = sa.MetaData()
totals = sa.Table("totals", metadata, sa.Column("owner", sa.Integer, primary_key=True), sa.Column("total", sa.Integer))


class Pour(Data):
    """Fills a jar with an amount. Each way of handling commands has a contract of its own."""

    owner: Id
    amount: Annotated[int, Whole(0, 1_000)]


class PourOne(Pour, Command, by=SIGNED_IN, name="one"):
    pass


class PourInBulk(Pour, Command, by=SIGNED_IN, name="bulk"):
    pass


class PourInASaga(Pour, Command, by=SIGNED_IN, name="saga"):
    pass


class PourEach(Pour, Command, by=SIGNED_IN, name="each"):
    pass


class Jar(Aggregate):
    class Event(Aggregate.Event):
        pass

    class Opened(Event, Aggregate.Created):
        owner: int

    class Filled(Event):
        amount: int
        share: Fraction | None
        until: date | None
        owner: int

        def apply(self, jar: Jar) -> None:
            jar.total += self.amount

    def __init__(self, *, owner: int) -> None:
        self.owner = owner
        self.total = 0

    @classmethod
    def open(cls, at: datetime, owner: int) -> Jar:
        return cls._create(cls.Opened, id=stream_id("jar", owner), timestamp=at, owner=owner)

    def fill(self, at: datetime, amount: int, share: Fraction | None = None, until: date | None = None) -> None:
        self.trigger_event(self.Filled, timestamp=at, amount=amount, share=share, until=until, owner=self.owner)


class Totals(Projection):
    """The total of each jar."""

    name = "totals"
    version = 1
    tables = (totals,)

    @on(Jar.Opened)
    def opened(self, connection: sa.Connection, event: Jar.Opened) -> None:
        upsert(connection, totals, [{"owner": event.owner, "total": 0}])

    @on(Jar.Filled)
    def filled(self, connection: sa.Connection, event: Jar.Filled) -> None:
        total = totals.c.total + event.amount
        connection.execute(totals.update().where(totals.c.owner == event.owner).values(total=total))


def publication(service: str = "toy") -> Publication:
    published = Publication(service)

    @published.publishes(Jar.Filled, "JarFilled")
    def jar_filled(event: Jar.Filled) -> dict[str, Any]:
        return {"owner": event.owner, "amount": event.amount}

    return published


# A message in four versions, of which a consumer knows the schemas of two.


class JarFilledV1(Schema):
    owner = Number(required=True)
    amount = Money(required=True)


class JarFilledV2(JarFilledV1):
    """Adds the colour of the lid, which may be unknown."""

    lid = fields.String(required=True, allow_none=True)

    added: ClassVar[Mapping[str, Any]] = {"lid": None}


SCHEMAS = {"source": {("JarFilled", 1): JarFilledV1, ("JarFilled", 2): JarFilledV2}}


def filled_v1(event: Jar.Filled) -> dict[str, Any]:
    return {"owner": event.owner, "amount": event.amount}


def filled_v2(event: Jar.Filled) -> dict[str, Any]:
    return {**filled_v1(event), "lid": "red"}


def filled_v3(event: Jar.Filled) -> dict[str, Any]:
    """``amount`` has another type: an older reaction must not read it as cents."""
    return {"owner": event.owner, "amount": {"cents": event.amount, "currency": "EUR"}, "lid": "red"}


def filled_v4(event: Jar.Filled) -> dict[str, Any]:
    """Without the lid."""
    return filled_v1(event)


TRANSLATIONS = {1: filled_v1, 2: filled_v2, 3: filled_v3, 4: filled_v4}


def publishing(*versions: int) -> Publication:
    published = Publication("source")
    for version in versions:
        published.publishes(Jar.Filled, "JarFilled", version=version)(TRANSLATIONS[version])
    return published


class _Operations:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get_bind(self) -> sa.Connection:
        return self._connection


def make_store(url: str, *, service: str = "toy", clock: Clock | None = None, schema: str | None = None) -> Store:
    store = open_store(url, service=service, clock=clock, schema=schema)
    with store.engine.connect() as connection:
        connection = connection.execution_options(writes=True)
        with connection.begin():
            migrations.create_v1(_Operations(connection))
            metadata.create_all(connection)
    return store


def open_store(url: str, *, service: str = "toy", clock: Clock | None = None, schema: str | None = None) -> Store:
    """Opens an existing store, which another process may have created."""
    return opened(make_engine(url, schema=schema), service, clock or SettableClock(START))


def opened(engine: sa.Engine, service: str, clock: Clock, published: Publication | None = None) -> Store:
    return Store(
        engine,
        clock=clock,
        aggregates=[Jar],
        publication=published or publication(service),
        projections=[Totals()],
    )


def upgraded(store: Store, published: Publication) -> Store:
    """The same store in a release with another publication: messages are translated when the log is read."""
    return opened(store.engine, store.publication.service, store.clock, published)


def file_store(folder: Path, service: str = "toy") -> Store:
    return make_store(f"sqlite:///{folder / service}.sqlite", service=service)


def fill(store: Store, owner: int, amount: int) -> int | None:
    """Fills a jar, which is created if it does not exist. Returns the published position."""
    with store.transaction() as tx:
        jar = tx.get(Jar, stream_id("jar", owner)) or Jar.open(tx.now, owner)
        jar.fill(tx.now, amount)
        tx.save(jar)
    return tx.position


def total(store: Store, owner: int) -> int | None:
    with store.reading() as connection:
        return connection.execute(sa.select(totals.c.total).where(totals.c.owner == owner)).scalar()
