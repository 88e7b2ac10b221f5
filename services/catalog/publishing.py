"""Domain events → messages: the only writer of the catalogue's messages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from services.catalog.domain.offers import Offer, OfferFacts
from services.catalog.domain.stocks import Stock
from services.catalog.domain.venues import Venue, VenueFacts
from shared.eventstore import Publication
from shared.kernel.time import instant_text

publication = Publication("catalog")


def venue_data(facts: VenueFacts) -> dict[str, Any]:
    """A whole venue, for messages and answers."""
    return {
        "venueId": facts.venue_id,
        "offererId": facts.offerer_id,
        "kind": str(facts.kind),
        "name": facts.name,
        "siret": facts.siret,
        "comment": facts.comment,
        "establishment": facts.establishment,
        "address": facts.address,
        "postalCode": facts.postal_code,
        "city": facts.city,
        "lat": facts.lat,
        "lon": facts.lon,
        "bookingEmail": facts.booking_email,
        "venueType": str(facts.venue_type),
        "accessibility": asdict(facts.accessibility) if facts.accessibility else None,
        "departmentCode": facts.department_code,
        "timezone": facts.timezone,
    }


def offer_data(facts: OfferFacts) -> dict[str, Any]:
    """A whole offer, without its stocks."""
    return {
        "offerId": facts.offer_id,
        "venueId": facts.venue_id,
        "offererId": facts.offerer_id,
        "name": facts.name,
        "subcategory": facts.subcategory,
        "description": facts.description,
        "isDuo": facts.is_duo,
        "isDigital": facts.is_digital,
        "url": facts.url,
        "durationMinutes": facts.duration_minutes,
        "withdrawalDetails": facts.withdrawal_details,
        "bookingEmail": facts.booking_email,
        "tags": list(facts.tags),
        "publishedAt": instant_text(facts.published_at),
    }


@publication.publishes(Venue.Opened, "VenueOpened")
def venue_opened(event: Venue.Opened) -> dict[str, Any]:
    return venue_data(event.facts)


@publication.publishes(Venue.Changed, "VenueChanged")
def venue_changed(event: Venue.Changed) -> dict[str, Any]:
    return venue_data(event.facts)


@publication.publishes(Offer.Published, "OfferPublished")
def offer_published(event: Offer.Published) -> dict[str, Any]:
    return offer_data(event.facts)


@publication.publishes(Offer.Changed, "OfferChanged")
def offer_changed(event: Offer.Changed) -> dict[str, Any]:
    return offer_data(event.facts)


@publication.publishes(Offer.Withdrawn, "OfferWithdrawn")
def offer_withdrawn(event: Offer.Withdrawn) -> dict[str, Any]:
    return {"offerId": event.offer_id, "reason": str(event.reason)}


@publication.publishes(Stock.Added, "StockAdded")
def stock_added(event: Stock.Added) -> dict[str, Any]:
    facts = event.facts
    return {
        "stockId": facts.stock_id,
        "offerId": facts.offer_id,
        "venueId": facts.venue_id,
        "offererId": facts.offerer_id,
        "priceCents": facts.price,
        "quantity": facts.quantity,
        "beginningAt": instant_text(facts.beginning_at),
        "bookingLimitAt": instant_text(facts.booking_limit_at),
        "activationCodes": list(facts.activation_codes),
        "addedAt": instant_text(facts.added_at),
    }


@publication.publishes(Stock.Changed, "StockChanged")
def stock_changed(event: Stock.Changed) -> dict[str, Any]:
    return {
        "stockId": event.stock_id,
        "offerId": event.offer_id,
        "priceCents": event.price,
        "bookingLimitAt": instant_text(event.booking_limit_at),
    }


@publication.publishes(Stock.Rescheduled, "EventRescheduled")
def event_rescheduled(event: Stock.Rescheduled) -> dict[str, Any]:
    return {
        "stockId": event.stock_id,
        "offerId": event.offer_id,
        "beginningAt": instant_text(event.beginning_at),
        "previousBeginningAt": instant_text(event.previous_beginning_at),
        "bookingLimitAt": instant_text(event.booking_limit_at),
    }


@publication.publishes(Stock.Withdrawn, "StockWithdrawn")
def stock_withdrawn(event: Stock.Withdrawn) -> dict[str, Any]:
    return {"stockId": event.stock_id, "offerId": event.offer_id, "withdrawnAt": instant_text(event.timestamp)}


@publication.publishes(Stock.DateElapsed, "EventDateElapsed")
def event_date_elapsed(event: Stock.DateElapsed) -> dict[str, Any]:
    return {
        "stockId": event.stock_id,
        "offerId": event.offer_id,
        "venueId": event.venue_id,
        "beginningAt": instant_text(event.beginning_at),
    }
