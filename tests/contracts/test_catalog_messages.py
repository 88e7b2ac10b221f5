"""What the catalogue has published or stored once, it can read and says the same way for ever.

``golden/catalog/<Message>.v1.json`` is a message's data, ``golden/catalog/stored/<Aggregate>.<Event>.v1.json`` an
event as it lies in the log. A sample is never edited: a change of shape is a new version beside it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.catalog.domain.offers import Offer, OfferFacts, Withdrawal
from services.catalog.domain.stocks import QuantityRequest, Stock, StockFacts
from services.catalog.domain.venues import Accessibility, Venue, VenueFacts, VenueKind, VenueType
from services.catalog.publishing import publication
from shared.contracts.catalog import MESSAGES
from shared.eventstore.mapper import EventMapper
from shared.kernel.money import Cents

GOLDEN = Path(__file__).parent / "golden" / "catalog"
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
PUBLISHED = [event for event in EVENTS if publication.includes(type(event))]
MAPPER = EventMapper([Venue, Offer, Stock])


def named(event: Any) -> str:
    return str(type(event).__qualname__)


def sample(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_every_message_has_a_schema_and_a_sample() -> None:
    assert publication.names() == set(MESSAGES)
    samples = {path.name for path in GOLDEN.glob("*.json")}
    assert samples == {f"{name}.v{version}.json" for name, version in MESSAGES}


@pytest.mark.parametrize("published", PUBLISHED, ids=named)
def test_messages_are_said_as_ever(published: Any) -> None:
    name, [(version, data)] = publication.translate(published)
    assert data == sample(GOLDEN / f"{name}.v{version}.json")
    assert MESSAGES[name, version]().load(data) == data


def test_every_stored_event_has_a_sample() -> None:
    abstract = {"Created", "Later"}  # what concrete events derive from
    assert {type(event) for event in EVENTS} == {kind for kind in MAPPER.kinds() if kind.__name__ not in abstract}


@pytest.mark.parametrize("stored", EVENTS, ids=named)
def test_stored_events_are_read_as_ever(stored: Any) -> None:
    state = (GOLDEN / "stored" / f"{named(stored)}.v1.json").read_text("utf-8")
    read = MAPPER.decode(STREAM, 2, named(stored), state)
    assert vars(read) == vars(stored)
    assert json.loads(MAPPER.encode(stored)[1]) == json.loads(state)
