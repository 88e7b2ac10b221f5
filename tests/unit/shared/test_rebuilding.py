from __future__ import annotations

from pathlib import Path

from shared.eventstore import Store
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
