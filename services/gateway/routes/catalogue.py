"""What anyone may browse: offers, reference data."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response

from services.gateway import reference
from services.gateway.schemas import catalogue as schemas
from services.gateway.web.audience import Audience, ready, unless_known
from services.gateway.web.gate import gate
from shared.contracts.subcategories import CATEGORIES, HOME_LABELS, SEARCH_GROUPS, SUBCATEGORIES
from shared.kernel.errors import NotFound
from shared.kernel.time import instant_text

audience = Audience("Catalogue", "What anyone may browse: offers and reference data.")

MAX_BODY_BYTES = 1024 * 1024


@audience.endpoint(
    "GET", "/v1/offers", query=schemas.Search, answers=(200, schemas.PublicOffers), refuses=["cursor-invalid"]
)
def search_offers(query: dict[str, Any]) -> Any:
    """Searches the offers that can be booked."""
    here = gate()
    here.owed.wait_for_offers()
    with here.reading() as connection:
        return here.catalogue.search(connection, query, here.clock.now())


@audience.endpoint("GET", "/v1/offers/<number:offer_id>", answers=(200, schemas.PublicOffer))
def public_offer(offer_id: int) -> Any:
    """One offer with its venue and its stocks."""
    here = gate()
    here.owed.wait_for_offer(offer_id)
    found = here.offers.get(offer_id)
    if found is None:
        raise NotFound("there is no such offer")
    return ready(found)


@audience.endpoint("GET", "/v1/subcategories", answers=(200, schemas.Subcategories))
def subcategories() -> Any:
    """What may be offered: subcategories, categories, and the apps' groups of them."""
    return _lasting(schemas.Subcategories().dump(SUBCATEGORY_DATA))


@audience.endpoint("GET", "/v1/settings", answers=(200, schemas.Settings))
def settings() -> Any:
    """What the apps announce and check before they ask."""
    now = gate().clock.now()
    return {
        "now": instant_text(now),
        "accountCreationMinimumAge": reference.MINIMUM_AGE,
        "depositAmountCents": reference.announced_credit(now),
        "venueTypes": list(reference.VENUE_TYPES),
        "maxFavourites": reference.MAX_FAVOURITES,
        "maxBodyBytes": MAX_BODY_BYTES,
    }


def _lasting(document: Any) -> Response:
    """What changes with a release only may be kept by clients for an hour, and asked for again by its tag."""
    response = Response(orjson.dumps(document), mimetype="application/json")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return unless_known(response)


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
