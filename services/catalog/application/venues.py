"""Opening and changing venues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from services.catalog import storage
from services.catalog.application import access
from services.catalog.application.views import venue_view
from services.catalog.domain.refusals import SiretTaken
from services.catalog.domain.venues import Venue
from services.catalog.publishing import venue_data
from services.catalog.requests import VenueBody, changing, expected_version, number, numbers, opening
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call
from shared.kernel.errors import NotFound

_BODY = VenueBody()


def open_venue(tx: Transaction, call: Call) -> dict[str, Any]:
    """``offererId`` and the body → the whole venue. A structure need not be validated yet.

    Raises NotFound, OffererClosed, SiretInvalid, SiretTaken, Invalid.
    """
    offerer_id = number(call.data, "offererId")
    access.check_belongs(tx.connection, call.caller, offerer_id)
    offerer = access.open_offerer(tx.connection, offerer_id)
    body = opening(_BODY, call.data, "offererId")
    venue = Venue.open(tx.now, tx.next_number("venue"), offerer_id, offerer.siren, body)
    facts = venue.facts
    if facts.siret is not None and not storage.take_siret(tx.connection, facts.siret, facts.venue_id):
        raise SiretTaken("There is a venue with this SIRET.", errors={"siret": ["There is a venue with this SIRET."]})
    return _saved(tx, venue, offerer)


def open_digital_venue(tx: Transaction, offerer_id: int, postal_code: str | None) -> None:
    """Every structure has one, from its registration on."""
    if not storage.has_digital_venue(tx.connection, offerer_id):
        venue = Venue.open_digital(tx.now, tx.next_number("venue"), offerer_id, postal_code)
        tx.save(venue)
        tx.flush()


def change_venue(tx: Transaction, call: Call) -> dict[str, Any]:
    """``venueId``, ``ifMatch?`` and the changes → the whole venue. Raises NotFound, OffererClosed,
    PreconditionFailed, Invalid."""
    venue = access.own_venue(tx, call.caller, number(call.data, "venueId"))
    offerer = access.open_offerer(tx.connection, venue.facts.offerer_id)
    access.check_version(venue, expected_version(call.data))
    venue.change(tx.now, changing(_BODY, call.data, "venueId"))
    return _saved(tx, venue, offerer)


def venue(connection: sa.Connection, call: Call) -> dict[str, Any]:
    """``venueId`` → the whole venue. Raises NotFound."""
    row = storage.venue_row(connection, number(call.data, "venueId"))
    if row is None:
        raise NotFound("There is no such venue.")
    access.check_belongs(connection, call.caller, row.offerer_id)
    return _shown(row, storage.offerer_statuses(connection, [row.offerer_id]))


def venues(connection: sa.Connection, call: Call) -> dict[str, Any]:
    """``offererIds`` → their venues, of those structures that the caller may act for."""
    wanted = set(numbers(call.data, "offererIds"))
    visible = access.visible_offerers(connection, call.caller)
    rows = storage.venue_rows(connection, sorted(wanted if visible is None else wanted & visible))
    statuses = storage.offerer_statuses(connection, {row.offerer_id for row in rows})
    return {"items": [_shown(row, statuses) for row in rows]}


def _shown(row: sa.Row[Any], statuses: Mapping[int, str]) -> dict[str, Any]:
    return venue_view(row.facts, row.version, statuses[row.offerer_id])


def _saved(tx: Transaction, venue: Venue, offerer: storage.Offerer) -> dict[str, Any]:
    tx.save(venue)
    return venue_view(venue_data(venue.facts), venue.version, offerer.status)
