"""The public catalogue: offers and reference data."""

from __future__ import annotations

from typing import Any

from services.gateway.application import reference
from services.gateway.ports import current_ports
from services.gateway.web.endpoints.audience import Audience
from services.gateway.web.responses.answers import REVALIDATED
from services.gateway.web.responses.flask_responses import json_body
from services.gateway.web.schemas import catalogue as schemas
from shared.contracts.answers import json_of
from shared.contracts.subcategories import CATEGORIES, HOME_LABELS, SEARCH_GROUPS, SUBCATEGORIES
from shared.contracts.venue_types import VENUE_TYPES
from shared.kernel.errors import NotFound
from shared.kernel.time import instant_text

audience = Audience("Catalogue", "The public catalogue: offers and reference data.")

MAX_BODY_BYTES = 1024 * 1024
CACHED_FOR_AN_HOUR = "public, max-age=3600"
"""For data that change with a release only."""


@audience.endpoint("GET", "/v1/offers", query=schemas.Search, answers=(200, schemas.PublicOffers))
def search_offers(query: schemas.Search) -> Any:
    """Searches the offers that can be booked."""
    ports = current_ports()
    ports.pending_writes.wait_for_offers()
    with ports.reading() as connection:
        return ports.catalogue.search(connection, query.to_wire(), ports.clock.now())


@audience.endpoint("GET", "/v1/offers/<number:offer_id>", answers=(200, schemas.PublicOffer), cache_control=REVALIDATED)
def public_offer(offer_id: int) -> Any:
    """One offer with its venue and its stocks."""
    ports = current_ports()
    ports.pending_writes.wait_for_offer(offer_id)
    found = ports.offer_cache.get(offer_id)
    if found is None:
        raise NotFound("Cette offre n’existe pas, ou n’est plus publiée.")
    return json_body(found)


@audience.endpoint("GET", "/v1/subcategories", answers=(200, schemas.Subcategories), cache_control=CACHED_FOR_AN_HOUR)
def subcategories() -> Any:
    """The subcategories and categories of offers, and the groups that the apps show."""
    return schemas.Subcategories().dump(SUBCATEGORY_DATA)


@audience.endpoint("GET", "/v1/settings", answers=(200, schemas.Settings))
def settings() -> Any:
    """Values that the apps show and check."""
    now = current_ports().clock.now()
    return {
        "now": instant_text(now),
        "accountCreationMinimumAge": reference.MINIMUM_AGE,
        "depositAmountCents": reference.announced_credit(now),
        "venueTypes": list(VENUE_TYPES),
        "maxFavourites": reference.MAX_FAVOURITES,
        "maxBodyBytes": MAX_BODY_BYTES,
    }


SUBCATEGORY_DATA: dict[str, Any] = {
    "items": [
        json_of(one, "id", "category", "label", "app_label", "search_group", "home_group", "is_event", "platform")
        | json_of(one, "is_digital_deposit", "is_physical_deposit", "reimbursement")
        | json_of(one, "can_expire", "can_be_duo", "is_selectable")
        for one in SUBCATEGORIES.values()
    ],
    "categories": [json_of(one, "id", "label", "is_selectable") for one in CATEGORIES.values()],
    "searchGroups": [{"id": name, "label": label} for name, label in SEARCH_GROUPS.items()],
    "homeLabels": [{"id": name, "label": label} for name, label in HOME_LABELS.items()],
}
