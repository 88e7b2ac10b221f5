"""Venues of a structure, and taken SIRETs."""

from __future__ import annotations

import sqlalchemy as sa

from services.catalog.domain.venues import Venue
from services.catalog.publishing import venue_data
from services.catalog.storage import venues
from services.catalog.storage.tables import sirets
from services.catalog.storage.tables import venues as table
from shared.projections import Projection, on


class VenueList(Projection):
    """Which venues does a structure have?"""

    name = "venues"
    version = 1
    tables = (table,)

    @on(Venue.Opened)
    def opened(self, connection: sa.Connection, event: Venue.Opened) -> None:
        facts = event.facts
        connection.execute(
            table.insert().values(
                venue_id=facts.venue_id,
                offerer_id=facts.offerer_id,
                kind=str(facts.kind),
                facts=venue_data(facts),
                version=event.originator_version,
            )
        )

    @on(Venue.Changed)
    def changed(self, connection: sa.Connection, event: Venue.Changed) -> None:
        connection.execute(
            sa.update(table)
            .where(table.c.venue_id == event.facts.venue_id)
            .values(facts=venue_data(event.facts), version=event.originator_version)
        )


class TakenSirets(Projection):
    """Is this SIRET taken? The use case that opens a venue inserts the row: the unique constraint decides."""

    name = "sirets"
    version = 1
    tables = (sirets,)

    @on(Venue.Opened, live=False)
    def opened(self, connection: sa.Connection, event: Venue.Opened) -> None:
        if event.facts.siret is not None:
            venues.take_siret(connection, event.facts.siret, event.facts.venue_id)
