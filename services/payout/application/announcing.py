"""Publishes the reimbursement of every line that has been paid."""

from __future__ import annotations

from services.payout.storage import lines
from services.payout.storage.years import Years, keys_of_lines
from shared.eventstore import Store, Transaction
from shared.kernel.money import Cents

PAGE = 1_000
MAX_PAGES = 100_000


def announce_reimbursed(store: Store) -> None:
    """Page by page, each in a transaction of its own, until every paid line has its event."""
    for _ in range(MAX_PAGES):
        if not store.run(_announce_page):
            return


def _announce_page(tx: Transaction) -> int:
    candidates = lines.next_to_announce(tx.connection, PAGE)
    if not candidates:
        return 0
    years = Years.of(tx).load(keys_of_lines(tx.connection, candidates), since=tx.now)  # no price changes
    for line in lines.still_to_announce(tx.connection, candidates):
        year = years[line.establishment, line.year]
        facts = (line.line_id, line.booking_id, line.batch_id, Cents(line.reimbursed_cents))
        year.reimburse(tx.now, *facts, is_correction=line.corrects is not None)
    tx.save(*years.values())
    return len(candidates)
