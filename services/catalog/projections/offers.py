"""Offers of a venue, and those in review."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.catalog.domain.offers import Moderation, Offer
from services.catalog.publishing import offer_data
from services.catalog.storage.tables import offers
from shared.kernel.time import instant_text
from shared.projections import Projection, on


class OfferList(Projection):
    """Which offers does a venue have, who sees them, and which wait for staff?"""

    name = "offers"
    version = 1
    tables = (offers,)

    @on(Offer.Drafted)
    def drafted(self, connection: sa.Connection, event: Offer.Drafted) -> None:
        facts = event.facts
        connection.execute(
            offers.insert().values(
                offer_id=facts.offer_id,
                venue_id=facts.venue_id,
                offerer_id=facts.offerer_id,
                moderation=str(Moderation.DRAFT),
                is_public=False,
                facts=offer_data(facts),
                review={},
                version=event.originator_version,
            )
        )

    @on(Offer.Redrafted, Offer.Changed)
    def changed(self, connection: sa.Connection, event: Offer.Redrafted | Offer.Changed) -> None:
        self._update(connection, event.facts.offer_id, event, facts=offer_data(event.facts))

    @on(Offer.Published)
    def published(self, connection: sa.Connection, event: Offer.Published) -> None:
        self._update(connection, event.facts.offer_id, event, facts=offer_data(event.facts), is_public=True)

    @on(Offer.Withdrawn)
    def withdrawn(self, connection: sa.Connection, event: Offer.Withdrawn) -> None:
        self._update(connection, event.offer_id, event, is_public=False)

    @on(Offer.HeldForReview)
    def held(self, connection: sa.Connection, event: Offer.HeldForReview) -> None:
        review = {"heldAt": instant_text(event.timestamp), "score": str(event.score), "rules": list(event.rules)}
        self._update(connection, event.offer_id, event, moderation=str(Moderation.PENDING), review=review)

    @on(Offer.Approved)
    def approved(self, connection: sa.Connection, event: Offer.Approved) -> None:
        self._update(connection, event.offer_id, event, moderation=str(Moderation.APPROVED), review={})

    @on(Offer.Rejected)
    def rejected(self, connection: sa.Connection, event: Offer.Rejected) -> None:
        review = {"rejectedAt": instant_text(event.timestamp), "reason": event.reason}
        self._update(connection, event.offer_id, event, moderation=str(Moderation.REJECTED), review=review)

    @staticmethod
    def _update(connection: sa.Connection, offer_id: int, event: Offer.Event, **values: Any) -> None:
        connection.execute(
            sa.update(offers).where(offers.c.offer_id == offer_id).values(version=event.originator_version, **values)
        )
