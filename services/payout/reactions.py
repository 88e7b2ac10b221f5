"""Which message, in which version, leads to which change of payout."""

from __future__ import annotations

from typing import Any

from services.payout.application import pricing
from services.payout.storage import references, tables
from shared.eventstore import Message, Transaction
from shared.kernel.time import parse_instant
from shared.messaging.reactions import Reactions
from shared.projections.followed import Followed


def reactions() -> Reactions:
    return Reactions(
        {
            ("booking", "CountermarkValidated", 1): pricing.validated,
            ("booking", "CountermarkInvalidated", 1): pricing.invalidated,
            ("booking", "BookingCancelled", 1): pricing.cancelled,
            **_reference_reactions(),
        }
    )


def followed() -> Followed:
    """Venues, structures and their people, as catalog and identity publish them."""
    followed_tables = [
        tables.venues,
        tables.offerers,
        tables.moved_events,
        tables.closed_offerers,
        tables.attachments,
        tables.suspended_accounts,
    ]
    return Followed("told", 2, followed_tables, _reference_reactions())


def _reference_reactions() -> Reactions:
    return Reactions(
        {
            ("catalog", "VenueOpened", 1): venue_described,
            ("catalog", "VenueChanged", 1): venue_described,
            ("catalog", "EventRescheduled", 1): event_rescheduled,
            ("identity", "OffererRegistered", 1): offerer_registered,
            ("identity", "OffererRejected", 1): offerer_closed,
            ("identity", "OffererClosed", 1): offerer_closed,
            ("identity", "ProAttached", 1): pro_attached,
            ("identity", "ProDetached", 1): pro_detached,
            ("identity", "BeneficiarySuspended", 1): account_suspended,
            ("identity", "BeneficiaryUnsuspended", 1): account_unsuspended,
        }
    )


def venue_described(tx: Transaction, message: Message) -> None:
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
            "address": _address(data),
        },
    )


def event_rescheduled(tx: Transaction, message: Message) -> None:
    """Lines that stay validated are due after the new start; booking itself takes back the others."""
    references.move_event(tx.connection, message.data["stockId"], parse_instant(message.data["beginningAt"]))


def offerer_registered(tx: Transaction, message: Message) -> None:
    data = message.data
    references.keep_offerer(
        tx.connection,
        {
            "offerer_id": data["offererId"],
            "siren": data["siren"],
            "name": data["name"],
            "address": _address(data),
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


def _address(data: dict[str, Any]) -> str:
    """On one line."""
    town = " ".join(part for part in (data.get("postalCode"), data.get("city")) if part)
    return ", ".join(part for part in (data.get("address"), town) if part)
