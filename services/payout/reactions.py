"""Which message, in which version, leads to which change of payout."""

from __future__ import annotations

from typing import Any

from services.payout.application import pricing
from services.payout.storage import tables
from shared.kernel.time import parse_instant
from shared.messaging.reactions import Reactions
from shared.projections.followed import Followed, drops, keeps


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
            ("catalog", "VenueOpened", 1): keeps(tables.venues, _venue),
            ("catalog", "VenueChanged", 1): keeps(tables.venues, _venue),
            ("catalog", "EventRescheduled", 1): keeps(tables.moved_events, _moved_event),
            ("identity", "OffererRegistered", 1): keeps(tables.offerers, _offerer),
            ("identity", "OffererRejected", 1): keeps(tables.closed_offerers, _offerer_id),
            ("identity", "OffererClosed", 1): keeps(tables.closed_offerers, _offerer_id),
            ("identity", "ProAttached", 1): keeps(tables.attachments, _attachment),
            ("identity", "ProDetached", 1): drops(tables.attachments, _attachment),
            ("identity", "BeneficiarySuspended", 1): keeps(tables.suspended_accounts, _account_id),
            ("identity", "BeneficiaryUnsuspended", 1): drops(tables.suspended_accounts, _account_id),
        }
    )


def _venue(data: dict[str, Any]) -> dict[str, Any]:
    """VenueOpened and VenueChanged carry the whole venue."""
    return {
        "venue_id": data["venueId"],
        "offerer_id": data["offererId"],
        "establishment": data["establishment"],
        "name": data["name"],
        "siret": data["siret"],
        "address": _address(data),
    }


def _moved_event(data: dict[str, Any]) -> dict[str, Any]:
    """Lines that stay validated are due after the new start; booking itself takes back the others."""
    return {"stock_id": data["stockId"], "begins_at": parse_instant(data["beginningAt"])}


def _offerer(data: dict[str, Any]) -> dict[str, Any]:
    return {"offerer_id": data["offererId"], "siren": data["siren"], "name": data["name"], "address": _address(data)}


def _offerer_id(data: dict[str, Any]) -> dict[str, Any]:
    return {"offerer_id": data["offererId"]}


def _attachment(data: dict[str, Any]) -> dict[str, Any]:
    return {"account_id": data["accountId"], "offerer_id": data["offererId"]}


def _account_id(data: dict[str, Any]) -> dict[str, Any]:
    return {"account_id": data["personId"]}


def _address(data: dict[str, Any]) -> str:
    """On one line."""
    town = " ".join(part for part in (data.get("postalCode"), data.get("city")) if part)
    return ", ".join(part for part in (data.get("address"), town) if part)
