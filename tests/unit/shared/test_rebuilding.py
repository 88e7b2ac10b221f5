"""Rebuilding of read models, from a service's own events and from the messages of other services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared.eventstore import Message, Store, Transaction
from shared.eventstore.sql import insert_ignore, upsert
from shared.eventstore.tables import dead_letters, tracking
from shared.messaging.reactions import Reactions
from shared.projections import rebuilding
from shared.projections.followed import Followed
from shared.projections.rebuilding import compare, rebuild
from tests.unit.shared.toy import Totals, file_store, fill, total, totals


def filled(folder: Path) -> Store:
    store = file_store(folder)
    for owner in range(5):
        fill(store, owner, 10 + owner)
    return store


def alter(store: Store, owner: int, amount: int) -> None:
    with store.transaction() as tx:
        tx.connection.execute(totals.update().where(totals.c.owner == owner).values(total=amount))


def test_the_comparison_finds_no_difference_in_untouched_rows(tmp_path: Path) -> None:
    assert compare(filled(tmp_path), Totals()) == []


def test_the_comparison_finds_altered_missing_and_extra_rows(tmp_path: Path) -> None:
    store = filled(tmp_path)
    alter(store, 3, 14)
    with store.transaction() as tx:
        tx.connection.execute(totals.delete().where(totals.c.owner == 1))
        tx.connection.execute(totals.insert().values(owner=9, total=1))
    found = {difference.key["owner"]: difference for difference in compare(store, Totals())}
    assert found[3].live == {"owner": 3, "total": 14}
    assert found[3].folded == {"owner": 3, "total": 13}
    assert (found[1].live, found[9].folded) == (None, None)
    assert set(found) == {1, 3, 9}


def test_a_rebuild_repairs_the_rows(tmp_path: Path) -> None:
    store = filled(tmp_path)
    alter(store, 3, 14)
    assert rebuild(store, Totals()) == 5
    assert total(store, 3) == 13
    assert compare(store, Totals()) == []


# --- messages of other services ---------------------------------------------------------------------------------------


def add_to_total(tx: Transaction, message: Message) -> None:
    """Adds an amount to its total. Fails on 13, as it did when that message became a dead letter."""
    owner, amount = message.data["owner"], message.data["amount"]
    if amount == 13:
        raise ValueError("a bug")
    known = tx.connection.execute(sa.select(totals.c.total).where(totals.c.owner == owner)).scalar()
    upsert(tx.connection, totals, [{"owner": owner, "total": (known or 0) + amount}])


FOLLOWED = Followed("followed", 1, [totals], Reactions({("source", "JarFilled", 1): add_to_total}))


class Pair:
    """A source, and a store that has followed it up to a position."""

    def __init__(self, folder: Path) -> None:
        self.source, self.store = file_store(folder, "source"), file_store(folder)
        for owner in range(5):
            fill(self.source, owner, 10 + owner)

    def read_log(self, source: str, after: int, limit: int) -> list[Message]:
        return self.source.messages(after, limit)

    def follow(self, position: int) -> None:
        """Writes the rows without the reaction, so that the rebuild is compared with another implementation."""
        with self.store.transaction() as tx:
            upsert(tx.connection, tracking, [{"source": "source", "position": position, "epoch": "e"}])
            for message in self.source.messages(0, 100):
                if message.position <= position and message.data["amount"] != 13:
                    upsert(tx.connection, totals, [{"owner": message.data["owner"], "total": message.data["amount"]}])

    def differing(self) -> dict[int, tuple[Any, Any]]:
        return {
            found.key["owner"]: (found.live and found.live["total"], found.folded and found.folded["total"])
            for found in compare(self.store, FOLLOWED, self.read_log)
        }


@pytest.mark.parametrize("page", [1, 2, 1000])
def test_messages_are_rebuilt_up_to_the_tracked_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(rebuilding, "PAGE", page)
    pair = Pair(tmp_path)
    positions = [message.position for message in pair.source.messages(0, 100)]
    for position in (0, positions[1], positions[-1], positions[-1] + 7):
        pair.follow(position)
        assert pair.differing() == {}
    alter(pair.store, 2, 99)
    with pair.store.transaction() as tx:
        tx.connection.execute(totals.delete().where(totals.c.owner == 0))
        tx.connection.execute(totals.insert().values(owner=9, total=1))
    assert pair.differing() == {2: (99, 12), 0: (None, 10), 9: (1, None)}
    assert rebuild(pair.store, FOLLOWED, read_log=pair.read_log) == 4
    assert pair.differing() == {}
    assert total(pair.store, 2) == 12


def test_a_discarded_dead_letter_is_left_out_until_it_is_replayed(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    messages = pair.source.messages(0, 100)
    pair.follow(messages[-1].position)
    with pair.store.transaction() as tx:
        tx.connection.execute(totals.delete().where(totals.c.owner == 4))
    assert pair.differing() == {4: (None, 14)}
    letter = {"source": "source", "stream": messages[4].stream, "position": messages[4].position, "message": {}}
    with pair.store.transaction() as tx:
        insert_ignore(
            tx.connection, dead_letters, [letter | {"error": "", "state": "discarded", "recorded_at": tx.now}]
        )
    assert pair.differing() == {}
    with pair.store.transaction() as tx:
        tx.connection.execute(dead_letters.update().values(state="replayed"))
    assert pair.differing() == {4: (None, 14)}
