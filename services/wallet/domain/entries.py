"""The lines of a wallet's ledger: how each event changes the balance (kinds of the HTTP API)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.wallet.domain.wallet import Wallet
from shared.kernel.money import ZERO, Cents

# the kind of the line, and the sign of its amount in the balance
_LINES: dict[type, tuple[str, int]] = {
    Wallet.Granted: ("granted", 1),
    Wallet.Recredited: ("recredited", 1),
    Wallet.Reserved: ("reserved", -1),
    Wallet.Released: ("released", 1),
    Wallet.Spent: ("spent", 0),
    Wallet.Unspent: ("unspent", 0),
    Wallet.Lapsed: ("lapsed", -1),
}
KINDS = tuple(_LINES)
"""The events that make a line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """``entry_id``: the event's number in its wallet. The amounts of a wallet add up to its balance."""

    person_id: int
    entry_id: int
    at: datetime
    kind: str
    amount: Cents
    balance: Cents
    credit_id: int
    booking_id: int | None


def entries(events: Iterable[Any], balance: Cents = ZERO) -> Iterator[Entry]:
    """The lines of events, after a balance."""
    for event in events:
        if type(event) in _LINES:
            kind, sign = _LINES[type(event)]
            balance = Cents(balance + sign * event.amount)
            yield Entry(
                person_id=event.person_id,
                entry_id=event.originator_version,
                at=event.timestamp,
                kind=kind,
                amount=Cents(sign * event.amount),
                balance=balance,
                credit_id=event.credit_id,
                booking_id=getattr(event, "booking_id", None),
            )


def balance_before(events: Sequence[Any], balance: Cents) -> Cents:
    """The balance before events that led to ``balance``."""
    changes = (_LINES[type(event)][1] * event.amount for event in events if type(event) in _LINES)
    return Cents(balance - sum(changes))
