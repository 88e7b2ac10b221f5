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


def test_a_second_fold_is_equal_to_the_live_rows(tmp_path: Path) -> None:
    assert compare(filled(tmp_path), Totals()) == []


def test_a_row_altered_removed_or_made_by_hand_is_found(tmp_path: Path) -> None:
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


def test_a_rebuild_puts_the_rows_right(tmp_path: Path) -> None:
    store = filled(tmp_path)
    alter(store, 3, 14)
    assert rebuild(store, Totals()) == 5
    assert total(store, 3) == 13
    assert compare(store, Totals()) == []


# --- what others told -------------------------------------------------------------------------------------------------


def told(tx: Transaction, message: Message) -> None:
    """Adds up what was filled; trips over one of them, as it did before it became a dead letter."""
    owner, amount = message.data["owner"], message.data["amount"]
    if amount == 13:
        raise ValueError("a fault of ours")
    known = tx.connection.execute(sa.select(totals.c.total).where(totals.c.owner == owner)).scalar()
    upsert(tx.connection, totals, [{"owner": owner, "total": (known or 0) + amount}])


TOLD = Followed("told", 1, [totals], Reactions({("source", "JarFilled", 1): told}))


class Follows:
    """A store that has followed another one up to a position."""

    def __init__(self, folder: Path) -> None:
        self.source, self.store = file_store(folder, "source"), file_store(folder)
        for owner in range(5):
            fill(self.source, owner, 10 + owner)

    def read_log(self, source: str, after: int, limit: int) -> list[Message]:
        return self.source.messages(after, limit)

    def follow(self, position: int) -> None:
        """By hand, so that the fold is compared with somebody else's."""
        with self.store.transaction() as tx:
            upsert(tx.connection, tracking, [{"source": "source", "position": position, "epoch": "e"}])
            for message in self.source.messages(0, 100):
                if message.position <= position and message.data["amount"] != 13:
                    upsert(tx.connection, totals, [{"owner": message.data["owner"], "total": message.data["amount"]}])

    def differing(self) -> dict[int, tuple[Any, Any]]:
        return {
            found.key["owner"]: (found.live and found.live["total"], found.folded and found.folded["total"])
            for found in compare(self.store, TOLD, self.read_log)
        }


@pytest.mark.parametrize("most", [1, 2, 1000])
def test_what_was_told_is_folded_as_far_as_it_was_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(rebuilding, "PAGE", most)
    pair = Follows(tmp_path)
    positions = [message.position for message in pair.source.messages(0, 100)]
    for position in (0, positions[1], positions[-1], positions[-1] + 7):
        pair.follow(position)
        assert pair.differing() == {}
    alter(pair.store, 2, 99)
    with pair.store.transaction() as tx:
        tx.connection.execute(totals.delete().where(totals.c.owner == 0))
        tx.connection.execute(totals.insert().values(owner=9, total=1))
    assert pair.differing() == {2: (99, 12), 0: (None, 10), 9: (1, None)}
    assert rebuild(pair.store, TOLD, read_log=pair.read_log) == 4
    assert pair.differing() == {}
    assert total(pair.store, 2) == 12


def test_what_was_discarded_is_not_folded_until_it_is_replayed(tmp_path: Path) -> None:
    pair = Follows(tmp_path)
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
