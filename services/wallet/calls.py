"""Which use case handles which call of wallet."""

from __future__ import annotations

from services.wallet.application import reserving
from services.wallet.application.balances import Balances
from services.wallet.application.credits import Credits
from services.wallet.application.entries import Entries
from services.wallet.application.ledger import Ledger
from shared.contracts.calls import wallet as calls
from shared.eventstore import Store
from shared.messaging.calls import CommandHandler, QueryHandler, bulk, read, read_many


def commands() -> list[CommandHandler]:
    return [bulk(calls.Reserve, reserving.reserve), bulk(calls.Release, reserving.release)]


def queries(store: Store) -> list[QueryHandler]:
    return [
        read_many(calls.Credit, Credits(store).credit),
        read(calls.Entries, Entries(store).entries),
        read(calls.Balances, Balances(store).balances),
        read(calls.Ledger, Ledger(store).ledger),
    ]
