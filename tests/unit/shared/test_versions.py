"""Versions of a message: a consumer reads the newest one that it knows, and never misreads another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest
import sqlalchemy as sa
from marshmallow import Schema, ValidationError, fields

from shared.contracts.fields import Number
from shared.contracts.messages import completed, known_fields
from shared.eventstore import Message, Store, Transaction
from shared.eventstore.publication import Version
from shared.eventstore.sql import upsert
from shared.eventstore.tables import dead_letters
from shared.messaging import dead_letters as letters
from shared.messaging.consuming import Consumer
from shared.messaging.reactions import NotUnderstood, Reactions
from shared.messaging.reading import Unreadable, read_messages
from shared.projections import rebuilding
from shared.projections.followed import Followed
from tests.unit.shared.toy import (
    SCHEMAS,
    Jar,
    file_store,
    fill,
    filled_v2,
    filled_v3,
    publishing,
    totals,
    upgraded,
)

Data = dict[str, Any]


class Pair:
    """A source that publishes certain versions, and a consumer that records what its reactions receive."""

    def __init__(self, folder: Path) -> None:
        self._source = file_store(folder, "source")
        self.store = file_store(folder, "sink")
        self.received: list[tuple[int, Data]] = []
        self.prepared: list[tuple[int, Data]] = []
        self.release(1)
        self.upgrade(1)

    def release(self, *versions: int) -> None:
        """Sets the versions that the source publishes from now on."""
        self.source: Store = upgraded(self._source, publishing(*versions))

    def upgrade(self, *versions: int) -> None:
        """Sets the versions that the consumer reacts to from now on."""
        table = {("source", "JarFilled", version): partial(self._react, version) for version in versions}
        self.reactions = Reactions(table, SCHEMAS)
        self.consumer = Consumer(self.store, "source", self.reactions, self.read_log, self._prepare)
        self.consumer.start()

    def read_log(self, after: int, limit: int) -> tuple[str, list[Message]]:
        return self.source.epoch(), self.source.messages(after, limit)

    def _prepare(self, _tx: Transaction, messages: Sequence[Message]) -> None:
        self.prepared += [(message.version, message.data) for message in messages]

    def _react(self, version: int, tx: Transaction, message: Message) -> None:
        assert (message.version, message.older) == (version, ())
        self.received.append((version, message.data))
        owner, amount = message.data["owner"], message.data["amount"]
        known = tx.connection.execute(sa.select(totals.c.total).where(totals.c.owner == owner)).scalar()
        upsert(tx.connection, totals, [{"owner": owner, "total": (known or 0) + amount}])

    def dead_letters(self) -> list[tuple[str, str]]:
        query = sa.select(dead_letters.c.state, dead_letters.c.error).order_by(dead_letters.c.position)
        with self.store.reading() as connection:
            return [tuple(row) for row in connection.execute(query)]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


V1, V2 = {"owner": 1, "amount": 5}, {"owner": 1, "amount": 5, "lid": "red"}


@pytest.mark.parametrize(
    ("published", "known", "received"),
    [
        ([1], [1], (1, V1)),
        ([2, 1], [1], (1, V1)),
        ([2, 1], [1, 2], (2, V2)),
        ([2, 1], [2], (2, V2)),
        ([1], [1, 2], (1, V1)),
        ([3, 2, 1], [1, 2], (2, V2)),
        ([3, 1], [1, 2], (1, V1)),
        ([2], [1], (1, V1)),  # the known version is not published: its fields are in the newer one
        ([3, 2], [1], (1, V1)),
        ([1], [2], (2, {**V1, "lid": None})),  # older than the known version: added fields have a default
    ],
    ids=str,
)
def test_a_consumer_reads_the_newest_version_that_it_knows(
    pair: Pair, published: list[int], known: list[int], received: tuple[int, Data]
) -> None:
    pair.release(*published)
    pair.upgrade(*known)
    fill(pair.source, 1, 5)
    pair.consumer.handle(pair.source.messages(0, 10))
    assert pair.received == pair.prepared == [received]
    assert pair.dead_letters() == []


def test_an_unreadable_version_becomes_a_dead_letter_that_the_upgraded_consumer_replays(
    pair: Pair,
) -> None:
    pair.release(3)
    fill(pair.source, 1, 5)
    fill(pair.source, 1, 6)
    fill(pair.source, 2, 7)
    pair.consumer.handle(pair.source.messages(0, 10))
    assert pair.received == []
    (failed, reason), (parked, _), (other, _) = pair.dead_letters()
    assert (failed, parked, other) == ("failed", "parked", "failed")
    assert reason.startswith("JarFilled version 3 is not understood: version 1, which is known, does not admit it: ")
    assert "'amount': ['Indiquez un nombre entier" in reason
    assert pair.consumer.position == pair.source.published_head()

    with pair.store.transaction() as tx, pytest.raises(NotUnderstood, match="version 3 is not understood"):
        letters.replay(tx, 1, pair.reactions)
    understood = Reactions({("source", "JarFilled", 3): lambda _tx, message: pair.received.append((3, message.data))})
    with pair.store.transaction() as tx:
        assert letters.replay(tx, 1, understood) == 2
    amounts = [{"cents": cents, "currency": "EUR"} for cents in (5, 6)]
    assert pair.received == [(3, {"owner": 1, "amount": amount, "lid": "red"}) for amount in amounts]


def test_control_without_the_choice_of_a_version_a_message_is_misread(pair: Pair) -> None:
    """A reaction that receives the newest version, known or not."""
    pair.release(3)
    fill(pair.source, 1, 5)
    (message,) = pair.source.messages(0, 10)
    newest = Reactions({("source", "JarFilled", 3): lambda _tx, message: pair.received.append((3, message.data))})
    with pair.store.transaction() as tx:
        newest.handle(tx, message)
    assert pair.received[0][1]["amount"] != 5
    with pytest.raises(NotUnderstood):
        pair.reactions.in_known_version(message)


def test_a_dead_letter_contains_all_versions(pair: Pair) -> None:
    """After a rollback of the consumer the older release can still replay it."""
    pair.release(3, 1)
    fill(pair.source, 1, 5)
    broken = Reactions({("source", "JarFilled", 3): _fails})
    consumer = Consumer(pair.store, "source", broken, pair.read_log)
    consumer.start()
    consumer.handle(pair.source.messages(0, 10))
    assert [state for state, _ in pair.dead_letters()] == ["failed"]
    with pair.store.transaction() as tx:
        letters.replay(tx, 1, pair.reactions)
    assert pair.received == [(1, V1)]


def test_a_field_removed_by_a_newer_version_is_not_defaulted(pair: Pair) -> None:
    pair.release(4)
    pair.upgrade(2)
    fill(pair.source, 1, 5)
    pair.consumer.handle(pair.source.messages(0, 10))
    [(state, reason)] = pair.dead_letters()
    assert state == "failed"
    assert "version 2, which is known, does not admit it: {'lid': ['Missing data" in reason


def _fails(_tx: Transaction, _message: Message) -> None:
    raise ValueError("a bug")


def test_a_rebuild_chooses_the_same_versions_as_the_consumer(pair: Pair) -> None:
    """The messages that the consumer read as version 1, as version 2, and not at all."""
    model = Followed("followed", 1, [totals], pair.reactions)
    pair.release(2, 1)
    fill(pair.source, 1, 5)
    pair.consumer.catch_up()
    pair.release(2)
    fill(pair.source, 1, 6)
    pair.consumer.catch_up()
    assert [version for version, _ in pair.received] == [1, 1]
    read_log = lambda _source, after, limit: pair.source.messages(after, limit)  # noqa: E731
    assert rebuilding.compare(pair.store, model, read_log) == []
    pair.release(3)
    fill(pair.source, 2, 7)
    pair.consumer.catch_up()
    assert [state for state, _ in pair.dead_letters()] == ["failed"]
    with pair.store.reading() as connection:
        assert dict(connection.execute(sa.select(totals)).all()) == {1: 11}
    pair.release(2, 1)  # the dead letter could be read now, but is left out until it is replayed
    assert rebuilding.compare(pair.store, model, read_log) == []


def test_a_version_without_a_schema_to_compare_with_is_not_understood(pair: Pair) -> None:
    pair.release(2)
    fill(pair.source, 1, 5)
    (message,) = pair.source.messages(0, 10)
    for schemas in ({}, {"source": {}}):
        reactions = Reactions({("source", "JarFilled", 1): _fails}, schemas)
        with pytest.raises(NotUnderstood, match="version 1, which is known, has no schema to read it with"):
            reactions.in_known_version(message)
    with pytest.raises(NotUnderstood, match="there is no reaction to it"):
        Reactions({}).in_known_version(message)


class Inner(Schema):
    a = Number(required=True)


class Outer(Schema):
    one = fields.Nested(Inner, required=True, allow_none=True)
    many = fields.List(fields.Nested(Inner), required=True)
    named = fields.Dict(keys=fields.String(), values=fields.Nested(Inner), required=True)


def test_unknown_fields_are_dropped_at_every_level() -> None:
    newer = {"a": 1, "b": 2}
    data = {"one": newer, "many": [newer], "named": {"x": newer}, "more": 3}
    assert known_fields(Outer, data) == {"one": {"a": 1}, "many": [{"a": 1}], "named": {"x": {"a": 1}}}
    assert Outer().load({"one": None, "many": [], "named": {}}), "the schema itself stays strict"
    with pytest.raises(ValidationError, match="Unknown field"):
        Outer().load({"one": newer, "many": [], "named": {}})


class InnerV2(Inner):
    b = Number(required=True)
    c = Number(required=True)

    added: ClassVar[Mapping[str, Any]] = {"b": 7, "c": lambda older: older["a"] + 1}


class OuterV2(Outer):
    one = fields.Nested(InnerV2, required=True, allow_none=True)
    more = fields.String(required=True)

    added: ClassVar[Mapping[str, Any]] = {"more": ""}


class OuterV3(OuterV2):
    yet = fields.String(required=True)

    added: ClassVar[Mapping[str, Any]] = {"yet": lambda older: older.get("more", "none")}


def test_defaults_of_added_fields_are_filled_in_at_every_level() -> None:
    oldest = {"one": {"a": 1}, "many": [], "named": {}}
    inner = {"a": 1, "b": 7, "c": 2}
    assert completed(OuterV3, oldest) == {**oldest, "one": inner, "more": "", "yet": "none"}
    assert completed(OuterV3, {**oldest, "one": None, "more": "x"}) == {**oldest, "one": None, "more": "x", "yet": "x"}
    assert completed(Outer, oldest) == oldest
    assert OuterV3().load({**completed(OuterV3, oldest)}), "no field is missing"
    whole = {"one": {"a": 1, "b": 0, "c": 0}, "many": [], "named": {}, "more": "", "yet": ""}
    assert completed(OuterV3, whole) == whole, "a given value stays, even 0 or an empty text"


# --- publishing -------------------------------------------------------------------------------------------------------


def test_an_event_has_one_name_and_one_rule_per_version() -> None:
    published = publishing(1, 2)
    assert published.names() == {("JarFilled", 1), ("JarFilled", 2)}
    with pytest.raises(ValueError, match="published twice in version 2"):
        published.publishes(Jar.Filled, "JarFilled", version=2)(filled_v2)
    with pytest.raises(ValueError, match="is published as JarFilled already"):
        published.publishes(Jar.Filled, "JarPoured", version=3)(filled_v3)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 3, 1)], ids=str)
def test_versions_are_sorted_newest_first(pair: Pair, order: tuple[int, ...]) -> None:
    pair.release(*order)
    fill(pair.source, 1, 5)
    (message,) = pair.source.messages(0, 10)
    assert [version.number for version in message.versions] == [3, 2, 1]
    assert message.older == (Version(2, V2), Version(1, V1))


def test_a_message_of_one_version_has_no_list_of_older_ones(pair: Pair) -> None:
    fill(pair.source, 1, 5)
    (message,) = pair.source.messages(0, 10)
    wire = message.to_wire()
    assert "older" not in wire
    assert (wire["version"], wire["data"]) == (1, V1)


def test_all_versions_are_sent_in_one_message(pair: Pair) -> None:
    pair.release(3, 2, 1)
    fill(pair.source, 1, 5)
    (message,) = pair.source.messages(0, 10)
    wire = message.to_wire()
    assert wire["version"] == 3
    assert wire["older"] == [{"version": 2, "data": V2}, {"version": 1, "data": V1}]
    assert read_messages(orjson.dumps([wire])) == [message]


@pytest.mark.parametrize(
    "older",
    [
        5,
        {"version": 2},
        [[]],
        [{"version": 2}],
        [{"version": "2", "data": {}}],
        [{"version": True, "data": {}}],
        [{"version": 2, "data": []}],
        [{"version": 3, "data": {}}],
        [{"version": 1, "data": {}}, {"version": 2, "data": {}}],
        [{"version": 1, "data": {}}, {"version": 1, "data": {}}],
    ],
    ids=str,
)
def test_malformed_older_versions_are_unreadable(pair: Pair, older: Any) -> None:
    pair.release(3)
    fill(pair.source, 1, 5)
    (message,) = pair.source.messages(0, 10)
    with pytest.raises(Unreadable):
        read_messages(orjson.dumps([{**message.to_wire(), "older": older}]))


Handlers = Mapping[tuple[str, str, int], Callable[[Transaction, Message], None]]


def test_the_table_of_reactions_can_be_read_and_extended() -> None:
    table: Handlers = {("b", "X", 2): _fails, ("a", "Y", 1): _fails, ("b", "X", 1): _fails}
    reactions = Reactions(table)
    assert dict(reactions) == table
    assert reactions.sources == ["a", "b"]
    assert Reactions({**reactions, ("c", "Z", 1): _fails}).sources == ["a", "b", "c"]
