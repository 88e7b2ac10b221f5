"""Which message, in which version, leads to which change of the catalogue."""

from __future__ import annotations

from typing import Any

from services.catalog.application.venues import open_digital_venue
from services.catalog.storage import offerers, tables
from shared.eventstore import Message, Transaction
from shared.messaging.reactions import Reactions
from shared.projections.followed import Followed, drops, keeps


def reactions() -> Reactions:
    return Reactions(
        {
            ("identity", "OffererRegistered", 1): offerer_registered,
            ("identity", "OffererValidated", 1): lambda tx, message: _set_status(tx, message, "validated"),
            ("identity", "OffererRejected", 1): lambda tx, message: _set_status(tx, message, "rejected"),
            ("identity", "OffererClosed", 1): lambda tx, message: _set_status(tx, message, "closed"),
            ("identity", "ProAttached", 1): keeps(tables.attachments, _attachment),
            ("identity", "ProDetached", 1): drops(tables.attachments, _attachment),
            ("identity", "BeneficiarySuspended", 1): keeps(tables.suspended_accounts, _account_id),
            ("identity", "BeneficiaryUnsuspended", 1): drops(tables.suspended_accounts, _account_id),
            ("booking", "StockSoldOut", 1): keeps(tables.sold_out_stocks, _stock_id),
            ("booking", "StockAvailable", 1): drops(tables.sold_out_stocks, _stock_id),
        }
    )


def followed() -> Followed:
    """Structures, their people and sold-out stocks, as identity and booking publish them."""
    followed_tables = [tables.offerers, tables.attachments, tables.suspended_accounts, tables.sold_out_stocks]
    return Followed("told", 2, followed_tables, reactions())


def offerer_registered(tx: Transaction, message: Message) -> None:
    """A new structure may prepare its venues and offers at once; its digital venue opens with it."""
    data = message.data
    offerers.add(tx.connection, data["offererId"], data["siren"], data["name"], data.get("postalCode"))
    open_digital_venue(tx, data["offererId"], data.get("postalCode"))


def _set_status(tx: Transaction, message: Message, status: str) -> None:
    offerers.set_status(tx.connection, message.data["offererId"], status)


def _attachment(data: dict[str, Any]) -> dict[str, Any]:
    return {"account_id": data["accountId"], "offerer_id": data["offererId"]}


def _account_id(data: dict[str, Any]) -> dict[str, Any]:
    return {"account_id": data["personId"]}


def _stock_id(data: dict[str, Any]) -> dict[str, Any]:
    return {"stock_id": data["stockId"]}
