"""Which message, in which version, leads to which change of the catalogue."""

from __future__ import annotations

import sqlalchemy as sa

from services.catalog import storage
from services.catalog.application.venues import open_digital_venue
from shared.eventstore import Message, Transaction, sql
from shared.messaging.reactions import Reactions
from shared.projections.followed import Followed


def reactions() -> Reactions:
    return Reactions(
        {
            ("identity", "OffererRegistered", 1): offerer_registered,
            ("identity", "OffererValidated", 1): lambda tx, message: _set_status(tx, message, "validated"),
            ("identity", "OffererRejected", 1): lambda tx, message: _set_status(tx, message, "rejected"),
            ("identity", "OffererClosed", 1): lambda tx, message: _set_status(tx, message, "closed"),
            ("identity", "ProAttached", 1): pro_attached,
            ("identity", "ProDetached", 1): pro_detached,
            ("identity", "BeneficiarySuspended", 1): account_suspended,
            ("identity", "BeneficiaryUnsuspended", 1): account_unsuspended,
            ("booking", "StockSoldOut", 1): stock_sold_out,
            ("booking", "StockAvailable", 1): stock_available,
        }
    )


def followed() -> Followed:
    """Structures, their people and sold-out stocks, as identity and booking publish them."""
    tables = [storage.offerers, storage.attachments, storage.suspended_accounts, storage.sold_out_stocks]
    return Followed("told", 2, tables, reactions())


def offerer_registered(tx: Transaction, message: Message) -> None:
    """A new structure: it may prepare its venues and offers at once, and has its digital venue."""
    data = message.data
    row = {
        "offerer_id": data["offererId"],
        "siren": data["siren"],
        "name": data["name"],
        "postal_code": data.get("postalCode"),
        "status": "pending",
    }
    sql.insert_ignore(tx.connection, storage.offerers, [row])
    open_digital_venue(tx, data["offererId"], data.get("postalCode"))


def pro_attached(tx: Transaction, message: Message) -> None:
    row = {"account_id": message.data["accountId"], "offerer_id": message.data["offererId"]}
    sql.insert_ignore(tx.connection, storage.attachments, [row])


def pro_detached(tx: Transaction, message: Message) -> None:
    table = storage.attachments.c
    tx.connection.execute(
        sa.delete(storage.attachments).where(
            table.account_id == message.data["accountId"], table.offerer_id == message.data["offererId"]
        )
    )


def account_suspended(tx: Transaction, message: Message) -> None:
    sql.insert_ignore(tx.connection, storage.suspended_accounts, [{"account_id": message.data["personId"]}])


def account_unsuspended(tx: Transaction, message: Message) -> None:
    table = storage.suspended_accounts
    tx.connection.execute(sa.delete(table).where(table.c.account_id == message.data["personId"]))


def stock_sold_out(tx: Transaction, message: Message) -> None:
    sql.insert_ignore(tx.connection, storage.sold_out_stocks, [{"stock_id": message.data["stockId"]}])


def stock_available(tx: Transaction, message: Message) -> None:
    table = storage.sold_out_stocks
    tx.connection.execute(sa.delete(table).where(table.c.stock_id == message.data["stockId"]))


def _set_status(tx: Transaction, message: Message, status: str) -> None:
    storage.set_offerer_status(tx.connection, message.data["offererId"], status)
