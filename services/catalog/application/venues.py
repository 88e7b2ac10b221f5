"""Opening and changing venues."""

from __future__ import annotations

from typing import Any

from services.catalog.answers import venue_answer
from services.catalog.application import access
from services.catalog.domain.venues import Accessibility, Venue
from services.catalog.publishing import venue_data
from services.catalog.refusals import SiretTaken, no_offerer
from services.catalog.storage import offerers, venues
from shared.contracts.calls import catalog as calls
from shared.contracts.venue_types import VenueType
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call


def open_venue(tx: Transaction, call: Call[calls.OpenVenue]) -> dict[str, Any]:
    """Answers with the whole venue. A structure need not be validated yet.

    Raises NotFound, OffererClosed, SiretInvalid, SiretTaken, Invalid.
    """
    body = call.body
    access.check_visible(tx.connection, call.caller, body.offerer_id, no_offerer())
    offerer = access.open_offerer(tx.connection, body.offerer_id)
    fields = _in_domain_types(body.values(calls.VenueFields))
    venue = Venue.open(tx.now, tx.next_number("venue"), body.offerer_id, offerer.siren, fields)
    facts = venue.facts
    if facts.siret is not None and not venues.take_siret(tx.connection, facts.siret, facts.venue_id):
        raise SiretTaken.of_field("siret", "Un lieu porte déjà ce SIRET : vérifiez-le.")
    return _saved(tx, venue, offerer)


def open_digital_venue(tx: Transaction, offerer_id: int, postal_code: str | None) -> None:
    """Every structure has one, from its registration on."""
    if not venues.has_digital(tx.connection, offerer_id):
        venue = Venue.open_digital(tx.now, tx.next_number("venue"), offerer_id, postal_code)
        tx.save(venue)
        tx.flush()


def change_venue(tx: Transaction, call: Call[calls.ChangeVenue]) -> dict[str, Any]:
    """Answers with the whole venue. Raises NotFound, OffererClosed, PreconditionFailed, Invalid."""
    venue = access.own_venue(tx, call.caller, call.body.venue_id)
    offerer = access.open_offerer(tx.connection, venue.facts.offerer_id)
    access.check_version(venue, call.body.if_match)
    venue.change(tx.now, _in_domain_types(call.body.changes()))
    return _saved(tx, venue, offerer)


def _in_domain_types(fields: dict[str, Any]) -> dict[str, Any]:
    """The contract's fields in the types of the domain."""
    typed = dict(fields)
    if "venue_type" in fields:
        typed["venue_type"] = VenueType(fields["venue_type"])
    if "accessibility" in fields:
        typed["accessibility"] = Accessibility(**fields["accessibility"].values(calls.Accessibility))
    return typed


def _saved(tx: Transaction, venue: Venue, offerer: offerers.Offerer) -> dict[str, Any]:
    tx.save(venue)
    return venue_answer(venue_data(venue.facts), venue.version, offerer.status)
