"""Which message, in which version, leads to which change of the catalogue."""

from __future__ import annotations

from services.catalog.application.venues import open_digital_venue
from services.catalog.storage import offerers, stocks, tables
from shared.eventstore import Message, Transaction
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
    followed_tables = [tables.offerers, tables.attachments, tables.suspended_accounts, tables.sold_out_stocks]
    return Followed("told", 2, followed_tables, reactions())


def offerer_registered(tx: Transaction, message: Message) -> None:
    """A new structure may prepare its venues and offers at once; its digital venue opens with it."""
    data = message.data
    offerers.add(tx.connection, data["offererId"], data["siren"], data["name"], data.get("postalCode"))
    open_digital_venue(tx, data["offererId"], data.get("postalCode"))


def pro_attached(tx: Transaction, message: Message) -> None:
    offerers.attach(tx.connection, message.data["accountId"], message.data["offererId"])


def pro_detached(tx: Transaction, message: Message) -> None:
    offerers.detach(tx.connection, message.data["accountId"], message.data["offererId"])


def account_suspended(tx: Transaction, message: Message) -> None:
    offerers.suspend_account(tx.connection, message.data["personId"])


def account_unsuspended(tx: Transaction, message: Message) -> None:
    offerers.unsuspend_account(tx.connection, message.data["personId"])


def stock_sold_out(tx: Transaction, message: Message) -> None:
    stocks.mark_sold_out(tx.connection, message.data["stockId"])


def stock_available(tx: Transaction, message: Message) -> None:
    stocks.mark_available(tx.connection, message.data["stockId"])


def _set_status(tx: Transaction, message: Message, status: str) -> None:
    offerers.set_status(tx.connection, message.data["offererId"], status)
