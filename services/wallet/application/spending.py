"""Booking's messages change wallets. Messages about free bookings are ignored: wallet has no attempt of them."""

from __future__ import annotations

from collections.abc import Callable

from services.wallet.application.unit_of_work import UnitOfWork
from services.wallet.domain.wallet import Key, Wallet
from services.wallet.refusals import InconsistentMoney
from shared.eventstore import Message, Transaction
from shared.kernel.time import parse_instant


def spend_when_validated(tx: Transaction, message: Message) -> None:
    used_at = parse_instant(message.data["usedAt"])
    _change(tx, message, lambda wallet, key: wallet.spend(used_at, key))


def unspend_when_invalidated(tx: Transaction, message: Message) -> None:
    at = parse_instant(message.data["invalidatedAt"])
    _change(tx, message, lambda wallet, key: wallet.unspend(at, key))


def release_when_cancelled(tx: Transaction, message: Message) -> None:
    """Releases the credit if booking's command did not arrive."""
    at = parse_instant(message.data["cancelledAt"])
    _change(tx, message, lambda wallet, key: wallet.release(at, key))


def check_when_restored(tx: Transaction, message: Message) -> None:
    """The new attempt was reserved before booking published the message."""
    _change(tx, message, lambda wallet, key: wallet.check_reserved(key))


def _change(tx: Transaction, message: Message, decide: Callable[[Wallet, Key], None]) -> None:
    """Raises InconsistentMoney when the message is about money that was never reserved."""
    data = message.data
    if data["totalCents"] == 0:
        return
    key = data["bookingId"], data["attempt"]
    work = UnitOfWork.of(tx)
    work.load([data["personId"]], [key])
    if work.is_of_another(key, data["personId"]):
        raise InconsistentMoney(f"booking {key[0]}, attempt {key[1]}: reserved for another person")
    wallet = work.find_or_open(data["personId"], tx.now)
    decide(wallet, key)
    work.save(wallet)
