"""What anyone may browse: offers, reference data."""

from __future__ import annotations

from typing import Any

from services.gateway import reference
from services.gateway.schemas import catalogue as schemas
from services.gateway.web.answers import KEPT_WHILE_IT_HOLDS
from services.gateway.web.audience import Audience, ready
from services.gateway.web.gate import gate
from shared.contracts.subcategories import CATEGORIES, HOME_LABELS, SEARCH_GROUPS, SUBCATEGORIES
from shared.contracts.venue_types import VENUE_TYPES
from shared.kernel.errors import NotFound
from shared.kernel.time import instant_text

audience = Audience("Catalogue", "What anyone may browse: offers and reference data.")

MAX_BODY_BYTES = 1024 * 1024
KEPT_FOR_AN_HOUR = "public, max-age=3600"
"""What changes with a release only."""


@audience.endpoint(
    "GET", "/v1/offers", query=schemas.Search, answers=(200, schemas.PublicOffers), refuses=["cursor-invalid"]
)
def search_offers(query: dict[str, Any]) -> Any:
    """Searches the offers that can be booked."""
    here = gate()
    here.owed.wait_for_offers()
    with here.reading() as connection:
        return here.catalogue.search(connection, query, here.clock.now())


@audience.endpoint("GET", "/v1/offers/<number:offer_id>", answers=(200, schemas.PublicOffer), kept=KEPT_WHILE_IT_HOLDS)
def public_offer(offer_id: int) -> Any:
    """One offer with its venue and its stocks."""
    here = gate()
    here.owed.wait_for_offer(offer_id)
    found = here.offers.get(offer_id)
    if found is None:
        raise NotFound("there is no such offer")
    return ready(found)


@audience.endpoint("GET", "/v1/subcategories", answers=(200, schemas.Subcategories), kept=KEPT_FOR_AN_HOUR)
def subcategories() -> Any:
    """What may be offered: subcategories, categories, and the apps' groups of them."""
    return schemas.Subcategories().dump(SUBCATEGORY_DATA)


@audience.endpoint("GET", "/v1/settings", answers=(200, schemas.Settings))
def settings() -> Any:
    """What the apps announce and check before they ask."""
    now = gate().clock.now()
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
        {
            "id": one.id,
            "category": one.category,
            "label": one.label,
            "appLabel": one.app_label,
            "searchGroup": one.search_group,
            "homeGroup": one.home_group,
            "isEvent": one.is_event,
            "platform": one.platform,
            "isDigitalDeposit": one.is_digital_deposit,
            "isPhysicalDeposit": one.is_physical_deposit,
            "reimbursement": one.reimbursement,
            "canExpire": one.can_expire,
            "canBeDuo": one.can_be_duo,
            "isSelectable": one.is_selectable,
        }
        for one in SUBCATEGORIES.values()
    ],
    "categories": [
        {"id": one.id, "label": one.label, "isSelectable": one.is_selectable} for one in CATEGORIES.values()
    ],
    "searchGroups": [{"id": name, "label": label} for name, label in SEARCH_GROUPS.items()],
    "homeLabels": [{"id": name, "label": label} for name, label in HOME_LABELS.items()],
}
