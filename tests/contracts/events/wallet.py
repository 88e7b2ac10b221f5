"""An example of every event of wallet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.wallet.domain.wallet import Wallet
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents

AT = datetime(2021, 11, 2, 9, tzinfo=UTC)
EXPIRY = datetime(2023, 11, 2, 9, tzinfo=UTC)
STREAM = stream_id("wallet", 7)
MOVE = {"credit_id": 3, "booking_id": 17, "attempt": 1, "amount": Cents(25_50), "digital": True, "physical": False}
RECREDIT = {"credit_id": 3, "kind": "underage", "age": 16, "amount": Cents(30_00), "expires_at": EXPIRY}


def event(kind: type, /, **fields: Any) -> Any:
    return kind(originator_id=STREAM, originator_version=2, timestamp=AT, person_id=7, **fields)


GRANTED = event(
    Wallet.Granted,
    credit_id=3,
    kind="age-18",
    amount=Cents(300_00),
    expires_at=EXPIRY,
    digital_cap=Cents(100_00),
    physical_cap=None,
)
AGGREGATES = (Wallet,)
EVENTS = [
    event(Wallet.Opened, originator_topic="services.wallet.domain.wallet:Wallet"),
    GRANTED,
    event(Wallet.Recredited, **RECREDIT),
    event(Wallet.Reserved, **MOVE),
    event(Wallet.Spent, **MOVE),
    event(Wallet.Unspent, **MOVE, used_at=AT.replace(day=1)),
    event(Wallet.Released, **MOVE),
    event(Wallet.Refused, booking_id=17, attempt=1, amount=Cents(25_50), code="insufficient-credit"),
    event(Wallet.Barred, booking_id=17, attempt=1),
    event(Wallet.Lapsed, credit_id=3, amount=Cents(12_34)),
]
