"""Opening and changing venues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from services.catalog import storage
from services.catalog.application import access
from services.catalog.application.views import venue_view
from services.catalog.domain.refusals import SiretTaken
from services.catalog.domain.venues import Accessibility, Venue
from services.catalog.publishing import venue_data
from shared.contracts.calls import catalog as calls
from shared.contracts.venue_types import VenueType
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call
from shared.kernel.errors import NotFound


def open_venue(tx: Transaction, call: Call[calls.OpenVenue]) -> dict[str, Any]:
    """The whole venue. A structure need not be validated yet.

    Raises NotFound, OffererClosed, SiretInvalid, SiretTaken, Invalid.
    """
    body = call.body
    access.check_belongs(tx.connection, call.caller, body.offerer_id)
    offerer = access.open_offerer(tx.connection, body.offerer_id)
    fields = _in_domain_types(body.values(calls.VenueFields))
    venue = Venue.open(tx.now, tx.next_number("venue"), body.offerer_id, offerer.siren, fields)
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


def change_venue(tx: Transaction, call: Call[calls.ChangeVenue]) -> dict[str, Any]:
    """The whole venue. Raises NotFound, OffererClosed, PreconditionFailed, Invalid."""
    venue = access.own_venue(tx, call.caller, call.body.venue_id)
    offerer = access.open_offerer(tx.connection, venue.facts.offerer_id)
    access.check_version(venue, call.body.if_match)
    venue.change(tx.now, _in_domain_types(call.body.changes()))
    return _saved(tx, venue, offerer)


def venue(connection: sa.Connection, call: Call[calls.Venue]) -> dict[str, Any]:
    """The whole venue. Raises NotFound."""
    row = storage.venue_row(connection, call.body.venue_id)
    if row is None:
        raise NotFound("There is no such venue.")
    access.check_belongs(connection, call.caller, row.offerer_id)
    return _shown(row, storage.offerer_statuses(connection, [row.offerer_id]))


def venues(connection: sa.Connection, call: Call[calls.Venues]) -> dict[str, Any]:
    """``{items}``: the venues of those structures that the caller may act for."""
    wanted = set(call.body.offerer_ids)
    visible = access.visible_offerers(connection, call.caller)
    rows = storage.venue_rows(connection, sorted(wanted if visible is None else wanted & visible))
    statuses = storage.offerer_statuses(connection, {row.offerer_id for row in rows})
    return {"items": [_shown(row, statuses) for row in rows]}


def _in_domain_types(fields: dict[str, Any]) -> dict[str, Any]:
    """The contract's fields as the domain has them."""
    typed = dict(fields)
    if "venue_type" in fields:
        typed["venue_type"] = VenueType(fields["venue_type"])
    if "accessibility" in fields:
        typed["accessibility"] = Accessibility(**fields["accessibility"].values(calls.Accessibility))
    return typed


def _shown(row: sa.Row[Any], statuses: Mapping[int, str]) -> dict[str, Any]:
    return venue_view(row.facts, row.version, statuses[row.offerer_id])


def _saved(tx: Transaction, venue: Venue, offerer: storage.Offerer) -> dict[str, Any]:
    tx.save(venue)
    return venue_view(venue_data(venue.facts), venue.version, offerer.status)
