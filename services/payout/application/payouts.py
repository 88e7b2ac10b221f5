"""Batches and their files, as the finance team reads them."""

from __future__ import annotations

import hashlib
from typing import Any

from services.payout import answers
from services.payout.domain.periods import Period
from services.payout.domain.records import BatchLine, batch_number
from services.payout.files.finance_tables import details_csv, venues_csv, wallets_csv
from services.payout.files.transfers_xml import transfers_xml
from services.payout.neighbours import Wallet
from services.payout.refusals import EarlierThanLastBatch, NoBalances, NoSuchBatch, NoTransfers
from services.payout.storage import batch_lines, batches, transfers
from shared.contracts.calls import payout as calls
from shared.contracts.calls.contract import number_after
from shared.eventstore import Connection, Store
from shared.eventstore.outcomes import Call
from shared.kernel.money import Cents


def newest_first(connection: Connection, call: Call[calls.Payouts]) -> dict[str, Any]:
    """A page of the closed batches."""
    limit = call.body.limit
    rows = batches.newest_first(connection, number_after(call.body.cursor), limit)
    statuses = transfers.statuses(connection, [row.batch_id for row in rows])
    items = [answers.batch(row, statuses.get(row.batch_id, set())) for row in rows]
    return {"items": items, "nextCursor": str(rows[-1].batch_id) if len(rows) == limit else None}


def one_with_transfers(connection: Connection, call: Call[calls.Payout]) -> dict[str, Any]:
    """One batch with its ``transferList``. Raises NoSuchBatch."""
    rows = transfers.of_batch(connection, call.body.batch_id)
    return one(connection, call.body.batch_id) | {"transferList": [answers.transfer(row) for row in rows]}


def transfers_file(connection: Connection, call: Call[calls.TransfersXml]) -> dict[str, Any]:
    """The bank's file, with the checksum that the close recorded. Raises NoSuchBatch, NoTransfers."""
    row = _closed(connection, call.body.batch_id)
    records = transfers.records(connection, row.batch_id)
    if not records:
        raise NoTransfers(f"Le lot {batch_number(row.batch_id)} ne verse rien : il n’a pas de fichier de virements.")
    content = transfers_xml(batches.record(row), records)
    assert hashlib.sha256(content).hexdigest() == row.checksum, f"the file of batch {row.batch_id} has changed"
    return {"text": content.decode("utf-8")}


def details_file(connection: Connection, call: Call[calls.DetailsCsv]) -> dict[str, Any]:
    """Every line of a batch. Raises NoSuchBatch."""
    row = _closed(connection, call.body.batch_id)
    return {"text": details_csv(batches.record(row), _batch_lines(connection, row.batch_id))}


def venues_file(connection: Connection, call: Call[calls.VenuesCsv]) -> dict[str, Any]:
    """Every venue of a batch. Raises NoSuchBatch."""
    row = _closed(connection, call.body.batch_id)
    return {"text": venues_csv(batches.record(row), batches.venues_paid(connection, row.batch_id))}


class BalancesFile:
    """The balances of young people at a close, from wallet's log."""

    def __init__(self, store: Store, wallet: Wallet) -> None:
        self._store = store
        self._wallet = wallet

    def part(self, call: Call[calls.WalletsCsv]) -> dict[str, Any]:
        """A part of the file; only the first has the header. Raises NoSuchBatch, NoBalances."""
        cursor = call.body.cursor
        with self._store.reading() as connection:
            row = _closed(connection, call.body.batch_id)
        if row.wallet_position is None:
            number = batch_number(row.batch_id)
            raise NoBalances(f"Le lot {number} a été clôturé avant que les soldes soient relevés à la clôture.")
        page = self._wallet.balances(row.wallet_position, cursor)
        return {"text": wallets_csv(page.items, has_header=cursor is None), "nextCursor": page.next_cursor}


def one(connection: Connection, batch_id: int) -> dict[str, Any]:
    """A closed batch. Raises NoSuchBatch."""
    row = _closed(connection, batch_id)
    return answers.batch(row, transfers.statuses(connection, [batch_id]).get(batch_id, set()))


def refuse_earlier(connection: Connection, period: Period) -> None:
    """Batches open in the order of their cut-offs. Raises EarlierThanLastBatch."""
    last = batches.last_cutoff(connection)
    if last is not None and period.last < last:
        raise EarlierThanLastBatch(
            f"La période qui se termine le {last:%d/%m/%Y} est déjà clôturée : "
            "vous ne pouvez plus clôturer une période antérieure."
        )


def _closed(connection: Connection, batch_id: int) -> Any:
    """The row of a batch. Raises NoSuchBatch, also for one that is still being closed."""
    row = batches.by_id(connection, batch_id)
    if row is None or row.status != "closed":
        raise NoSuchBatch.of(batch_id)
    assert row.total_cents == row.transferred_cents + row.carried_cents, f"batch {batch_id} does not add up"
    return row


def _batch_lines(connection: Connection, batch_id: int) -> list[BatchLine]:
    venues = {(venue.venue_id, venue.iban, venue.bic): venue for venue in batches.venues_paid(connection, batch_id)}
    return [
        BatchLine(
            line_id=row.line_id,
            venue=venues[row.venue_id, row.paid_iban, row.paid_bic],
            offer_id=row.offer_id,
            offer_name=row.offer_name,
            subcategory=row.subcategory,
            booked_at=row.booked_at,
            used_at=row.used_at,
            amount=Cents(row.amount_cents),
            rate=row.rate,
            reimbursed=Cents(row.reimbursed_cents),
            contribution=Cents(row.contribution_cents),
            counted_from=row.counted_from,
        )
        for row in batch_lines.rows(connection, batch_id)
    ]
