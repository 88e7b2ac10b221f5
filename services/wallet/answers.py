"""The JSON of wallet's answers. Money in cents."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from services.wallet.domain.credit import Credit
from services.wallet.domain.entries import Entry
from shared.kernel.money import Cents
from shared.kernel.time import instant_text


def credits(owned: Iterable[Credit], at: datetime) -> dict[str, Any]:
    """A person's credits at an instant; ``current`` is null for a person without one. Raises InconsistentMoney."""
    checked = list(owned)
    for credit in checked:
        credit.check()
    current = max(checked, key=lambda credit: credit.expires_at, default=None)
    return {
        "current": None if current is None else _credit(current, at),
        "credits": [_credit(credit, at) for credit in checked],
    }


def _credit(credit: Credit, at: datetime) -> dict[str, Any]:
    return {
        "creditId": credit.credit_id,
        "kind": credit.kind,
        "grantedCents": credit.granted,
        "remainingCents": credit.remaining(at),
        "reservedCents": credit.reserved,
        "spentCents": credit.spent,
        "lapsedCents": credit.lapsed + (credit.available - credit.remaining(at)),
        "digital": _cap(credit.digital_cap, credit.digital_remaining(at)),
        "physical": _cap(credit.physical_cap, credit.physical_remaining(at)),
        "grantedAt": instant_text(credit.granted_at),
        "expiresAt": instant_text(credit.expires_at),
    }


def _cap(cap: Cents | None, remaining: Cents | None) -> dict[str, int] | None:
    return None if cap is None or remaining is None else {"capCents": cap, "remainingCents": remaining}


def balance(person_id: int, owned: Iterable[Credit]) -> dict[str, int]:
    """``theoreticalCents``: granted less booked; ``actualCents``: granted less used. Expiry changes neither
    (domain.md §1.2). Raises InconsistentMoney."""
    theoretical = reserved = 0
    for credit in owned:
        credit.check()
        theoretical += credit.available + credit.lapsed
        reserved += credit.reserved
    return {"personId": person_id, "theoreticalCents": theoretical, "actualCents": theoretical + reserved}


def entry(line: Entry) -> dict[str, Any]:
    """A line of the ledger."""
    return {
        "entryId": line.entry_id,
        "at": instant_text(line.at),
        "kind": line.kind,
        "amountCents": line.amount,
        "balanceCents": line.balance,
        "creditId": line.credit_id,
        "bookingId": line.booking_id,
    }
