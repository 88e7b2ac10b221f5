"""An example of every event of the catalogue."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from services.catalog.domain.offers import Offer, OfferFacts, Withdrawal
from services.catalog.domain.stocks import QuantityRequest, Stock, StockFacts
from services.catalog.domain.venues import Accessibility, Venue, VenueFacts, VenueKind, VenueType
from shared.kernel.money import Cents

AT = datetime(2021, 11, 2, 9, tzinfo=UTC)
START = datetime(2021, 11, 10, 19, tzinfo=UTC)
STREAM = UUID("3f0c5a0e-9d1f-4f6a-8c1b-7e110000aaaa")

VENUE = VenueFacts(
    venue_id=3,
    offerer_id=1,
    kind=VenueKind.SIRET,
    establishment="21340172200011",
    name="Cinéma Municipal Nestor Burma",
    siret="21340172200011",
    comment=None,
    address="2 rue Marcellin Albert",
    postal_code="34000",
    city="Montpellier",
    lat=43.6109,
    lon=3.8772,
    booking_email="nestor@example.org",
    venue_type=VenueType.MOVIE,
    accessibility=Accessibility(audio=False, mental=False, motor=True, visual=False),
    department_code="34",
    timezone="Europe/Paris",
)
OFFER = OfferFacts(
    offer_id=5,
    venue_id=3,
    offerer_id=1,
    name="Le Chant du loup",
    subcategory="SEANCE_CINE",
    description="Un film.",
    is_duo=True,
    url=None,
    duration_minutes=115,
    withdrawal_details="À l'entrée",
    booking_email="nestor@example.org",
    tags=("cinéma",),
    published_at=AT,
)
STOCK = StockFacts(
    stock_id=8,
    offer_id=5,
    venue_id=3,
    offerer_id=1,
    price=Cents(550),
    quantity=20,
    beginning_at=START,
    booking_limit_at=START,
    activation_codes=(),
    added_at=AT,
)
IDS = {"stock_id": 8, "offer_id": 5}


def event(kind: type, **fields: Any) -> Any:
    return kind(originator_id=STREAM, originator_version=2, timestamp=AT, **fields)


AGGREGATES = (Venue, Offer, Stock)
EVENTS = [
    event(Venue.Opened, facts=VENUE, originator_topic="services.catalog.domain.venues:Venue"),
    event(Venue.Changed, facts=VENUE),
    event(Offer.Drafted, facts=OFFER, originator_topic="services.catalog.domain.offers:Offer"),
    event(Offer.Redrafted, facts=OFFER),
    event(Offer.HeldForReview, offer_id=5, score=Fraction(1, 2), rules=("price-over-1000-euros",)),
    event(Offer.Approved, offer_id=5),
    event(Offer.Rejected, offer_id=5, reason="not culture"),
    event(Offer.Published, facts=OFFER),
    event(Offer.Changed, facts=OFFER),
    event(Offer.Withdrawn, offer_id=5, reason=Withdrawal.DEACTIVATED),
    event(Stock.Added, facts=STOCK, originator_topic="services.catalog.domain.stocks:Stock"),
    event(Stock.Changed, **IDS, price=Cents(600), booking_limit_at=START),
    event(
        Stock.Rescheduled, **IDS, beginning_at=START, previous_beginning_at=START.replace(day=9), booking_limit_at=START
    ),
    event(Stock.QuantityRequested, **IDS, request=QuantityRequest(1, 30)),
    event(Stock.QuantityChanged, **IDS, quantity=30),
    event(Stock.QuantityRefused, **IDS, code="quantity-below-booked"),
    event(Stock.Withdrawn, **IDS),
    event(Stock.DateElapsed, **IDS, venue_id=3, beginning_at=START),
]
