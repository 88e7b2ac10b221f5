"""Translates wallet's events to the messages that it publishes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.wallet.domain.wallet import Wallet
from shared.eventstore import Publication
from shared.kernel.time import instant_text

publication = Publication("wallet")


@publication.publishes(Wallet.Granted, "CreditGranted")
def credit_granted(event: Wallet.Granted) -> dict[str, Any]:
    return _grant(event, event.timestamp, recredit=False)


@publication.publishes(Wallet.Recredited, "CreditGranted")
def credit_recredited(event: Wallet.Recredited) -> dict[str, Any]:
    return _grant(event, event.timestamp, recredit=True)


@publication.publishes(Wallet.Reserved, "CreditReserved")
def credit_reserved(event: Wallet.Reserved) -> dict[str, Any]:
    return _movement(event)


@publication.publishes(Wallet.Released, "CreditReleased")
def credit_released(event: Wallet.Released) -> dict[str, Any]:
    return _movement(event)


@publication.publishes(Wallet.Lapsed, "CreditLapsed")
def credit_lapsed(event: Wallet.Lapsed) -> dict[str, Any]:
    return {
        "personId": event.person_id,
        "creditId": event.credit_id,
        "amountCents": event.amount,
        "at": instant_text(event.timestamp),
    }


def _grant(event: Wallet.Granted | Wallet.Recredited, at: datetime, *, recredit: bool) -> dict[str, Any]:
    return {
        "personId": event.person_id,
        "creditId": event.credit_id,
        "kind": event.kind,
        "amountCents": event.amount,
        "grantedAt": instant_text(at),
        "expiresAt": instant_text(event.expires_at),
        "recredit": recredit,
    }


def _movement(event: Wallet.Moved) -> dict[str, Any]:
    return {
        "personId": event.person_id,
        "creditId": event.credit_id,
        "bookingId": event.booking_id,
        "attempt": event.attempt,
        "amountCents": event.amount,
        "at": instant_text(event.timestamp),
    }
