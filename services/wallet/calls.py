"""Which use case handles which call of wallet."""

from __future__ import annotations

from services.wallet.application import reserving
from services.wallet.application.ledger import Ledger
from services.wallet.application.reading import Reading
from shared.contracts.calls import wallet as calls
from shared.messaging.calls import CommandHandler, QueryHandler, bulk, read, read_many


def commands() -> list[CommandHandler]:
    return [bulk(calls.Reserve, reserving.reserve), bulk(calls.Release, reserving.release)]


def queries(reading: Reading, ledger: Ledger) -> list[QueryHandler]:
    return [
        read_many(calls.Credit, reading.credit),
        read(calls.Entries, reading.entries),
        read(calls.Balances, reading.balances),
        read(calls.Ledger, ledger.ledger),
    ]
