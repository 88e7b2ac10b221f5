"""What identity's news do to wallets: the first credit of each kind, and recredits on birthdays."""

from __future__ import annotations

from datetime import date

from services.wallet.application.book import Book
from services.wallet.domain import rules
from services.wallet.domain.errors import MoneyAstray
from shared.eventstore import Message, Transaction
from shared.kernel.time import parse_instant


def grant_at_activation(tx: Transaction, message: Message) -> None:
    """BeneficiaryActivated. Raises MoneyAstray when the register has no rule for it: nobody should be activated."""
    data = message.data
    at, kind = parse_instant(data["activatedAt"]), rules.Kind(data["kind"])
    rule = rules.grant_rule(kind, data["age"], at)
    if rule is None:
        raise MoneyAstray(f"no credit of kind {kind} for age {data['age']} at {at}")
    book = Book.of(tx)
    book.need([data["personId"]])
    wallet = book.open(data["personId"], at)
    if wallet.is_due(kind):
        birth = date.fromisoformat(data["birthDate"]) if data["birthDate"] else None
        wallet.grant(at, tx.next_number("credit"), rule, birth)
    book.save(wallet)


def recredit_on_birthday(tx: Transaction, message: Message) -> None:
    """BirthdayReached: 16 and 17 add to a credit; every other birthday is of no account."""
    book = Book.of(tx)
    book.need([message.data["personId"]])
    wallet = book.find(message.data["personId"])
    if wallet is not None:
        wallet.recredit(parse_instant(message.data["at"]), message.data["age"])
        book.save(wallet)
