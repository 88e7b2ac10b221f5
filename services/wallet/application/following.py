"""What booking's news do to wallets. Attempts of free bookings never came here: their news are passed over."""

from __future__ import annotations

from collections.abc import Callable

from services.wallet.application.book import Book
from services.wallet.domain.errors import MoneyAstray
from services.wallet.domain.wallet import Key, Wallet
from shared.eventstore import Message, Transaction
from shared.kernel.time import parse_instant


def spend_when_validated(tx: Transaction, message: Message) -> None:
    used_at = parse_instant(message.data["usedAt"])
    _follow(tx, message, lambda wallet, key: wallet.spend(used_at, key))


def unspend_when_invalidated(tx: Transaction, message: Message) -> None:
    at = parse_instant(message.data["invalidatedAt"])
    _follow(tx, message, lambda wallet, key: wallet.unspend(at, key))


def release_when_cancelled(tx: Transaction, message: Message) -> None:
    """Booking released it by command already, or was not answered: this makes it certain."""
    at = parse_instant(message.data["cancelledAt"])
    _follow(tx, message, lambda wallet, key: wallet.release(at, key))


def check_when_restored(tx: Transaction, message: Message) -> None:
    """The new attempt was reserved before booking said so."""
    _follow(tx, message, lambda wallet, key: wallet.expect_held(key))


def _follow(tx: Transaction, message: Message, decide: Callable[[Wallet, Key], None]) -> None:
    """Raises MoneyAstray when the message speaks of money that was never held here."""
    data = message.data
    if data["totalCents"] == 0:
        return
    key = data["bookingId"], data["attempt"]
    book = Book.of(tx)
    book.need([data["personId"]], [key])
    if book.is_of_another(key, data["personId"]):
        raise MoneyAstray(f"booking {key[0]}, attempt {key[1]}: held for another person")
    wallet = book.open(data["personId"], tx.now)
    decide(wallet, key)
    book.save(wallet)
