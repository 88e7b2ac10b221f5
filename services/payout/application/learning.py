"""What other services say of venues, structures and who works for them."""

from __future__ import annotations

from typing import Any

from services.payout.storage import references
from shared.eventstore import Message, Transaction
from shared.kernel.time import parse_instant


def venue_told(tx: Transaction, message: Message) -> None:
    """VenueOpened and VenueChanged carry the whole venue."""
    data = message.data
    references.keep_venue(
        tx.connection,
        {
            "venue_id": data["venueId"],
            "offerer_id": data["offererId"],
            "establishment": data["establishment"],
            "name": data["name"],
            "siret": data["siret"],
            "address": _one_line(data),
        },
    )


def event_rescheduled(tx: Transaction, message: Message) -> None:
    """What was validated and stays so is paid after the new start; what was put back, booking takes back itself."""
    references.move_event(tx.connection, message.data["stockId"], parse_instant(message.data["beginningAt"]))


def offerer_registered(tx: Transaction, message: Message) -> None:
    data = message.data
    references.keep_offerer(
        tx.connection,
        {
            "offerer_id": data["offererId"],
            "siren": data["siren"],
            "name": data["name"],
            "address": _one_line(data),
        },
    )


def offerer_closed(tx: Transaction, message: Message) -> None:
    references.close_offerer(tx.connection, message.data["offererId"])


def pro_attached(tx: Transaction, message: Message) -> None:
    references.attach(tx.connection, message.data["accountId"], message.data["offererId"])


def pro_detached(tx: Transaction, message: Message) -> None:
    references.detach(tx.connection, message.data["accountId"], message.data["offererId"])


def account_suspended(tx: Transaction, message: Message) -> None:
    references.suspend(tx.connection, message.data["personId"])


def account_unsuspended(tx: Transaction, message: Message) -> None:
    references.unsuspend(tx.connection, message.data["personId"])


def _one_line(data: dict[str, Any]) -> str:
    town = " ".join(part for part in (data.get("postalCode"), data.get("city")) if part)
    return ", ".join(part for part in (data.get("address"), town) if part)
