"""An offer in the catalogue, built from the messages of three services in any order."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from services.gateway.projections.catalogue import writing
from services.gateway.projections.catalogue.rendering import RENDERING
from services.gateway.projections.catalogue.tables import metadata, offers, words
from services.gateway.web.schemas.catalogue import PublicOffer
from tests.unit.gateway_catalogue.catalogue import Catalogue


def test_an_offer_with_all_its_fields(catalogue: Catalogue) -> None:
    catalogue.concert()
    seen = catalogue.offer_shown()
    assert seen == {
        "offerId": 1,
        "name": "Concert",
        "description": "",
        "subcategory": "CONCERT",
        "category": "MUSIQUE_LIVE",
        "searchGroup": "MUSIQUE",
        "kind": "event",
        "isDuo": False,
        "isDigital": False,
        "durationMinutes": None,
        "withdrawalDetails": None,
        "tags": [],
        "publishedAt": "2021-11-01T09:01:00Z",
        "venue": {
            "venueId": 1,
            "name": "Cinéma Star",
            "address": "3 rue des Arts",
            "city": "Strasbourg",
            "postalCode": "67000",
            "departmentCode": "67",
            "timezone": "Europe/Paris",
            "venueType": "MOVIE",
            "accessibility": {"audio": False, "mental": False, "motor": True, "visual": False},
            "lat": 48.5839,
            "lon": 7.7455,
        },
        "stocks": [
            {
                "stockId": 1,
                "priceCents": 1000,
                "beginningAt": "2021-11-10T19:00:00Z",
                "bookingLimitAt": "2021-11-10T19:00:00Z",
                "remaining": 10,
                "cancellationLimitAt": "2021-11-04T09:00:00Z",
                "bookable": True,
            }
        ],
        "minPriceCents": 1000,
        "status": "active",
    }
    assert PublicOffer().dump(seen) == seen, "every field is in the API's schema"
    assert catalogue.offer_json() is not None
    assert json.loads(catalogue.offer_json() or b"") == seen


def test_an_unknown_or_withdrawn_offer_or_one_of_an_unvalidated_structure_is_hidden(catalogue: Catalogue) -> None:
    assert catalogue.offer_shown() is None
    catalogue.venue()
    catalogue.offer()
    catalogue.stock()
    assert catalogue.offer_shown() is None and catalogue.offer_json() is None, "its structure is not validated yet"
    catalogue.offerer()
    assert catalogue.offer_shown() is not None
    catalogue.receive("OfferWithdrawn", "catalog", offerId=1, reason="deactivated")
    assert catalogue.offer_shown() is None
    catalogue.offer()
    assert catalogue.offer_shown() is not None
    catalogue.receive("OffererClosed", "identity", offererId=1, at="2021-11-02T09:00:00Z", reason="")
    assert catalogue.offer_shown() is None and catalogue.find_ids() == []


def test_changes_are_shown(catalogue: Catalogue) -> None:
    catalogue.concert()
    catalogue.offer(event="OfferChanged", name="Grand concert", tags=["noël"])
    catalogue.venue(event="VenueChanged", city="Kehl", lat=48.57, lon=7.81)
    catalogue.receive(
        "StockChanged", "catalog", stockId=1, offerId=1, priceCents=500, bookingLimitAt="2021-11-09T19:00:00Z"
    )
    seen = catalogue.offer_shown()
    assert seen is not None
    assert (seen["name"], seen["venue"]["city"], seen["minPriceCents"]) == ("Grand concert", "Kehl", 500)
    assert seen["stocks"][0]["bookingLimitAt"] == "2021-11-09T19:00:00Z"
    assert catalogue.find_ids(q="kehl") == catalogue.find_ids(tag="NOEL") == [1]
    assert catalogue.find_ids(q="strasbourg") == []
    catalogue.receive(
        "EventRescheduled",
        "catalog",
        stockId=1,
        offerId=1,
        beginningAt="2021-11-03T10:00:00Z",
        previousBeginningAt="2021-11-10T19:00:00Z",
        bookingLimitAt="2021-11-03T10:00:00Z",
    )
    seen = catalogue.offer_shown()
    assert seen is not None
    assert seen["stocks"][0]["cancellationLimitAt"] == "2021-11-02T09:00:00Z", "the limit has passed: it is now"


def test_a_change_of_the_venue_does_not_show_a_withdrawn_offer(catalogue: Catalogue) -> None:
    catalogue.concert()
    catalogue.receive("OfferWithdrawn", "catalog", offerId=1, reason="deactivated")
    catalogue.venue(event="VenueChanged", name="Autre nom")
    assert catalogue.offer_shown() is None


def test_places_left_are_those_that_booking_published(catalogue: Catalogue) -> None:
    catalogue.concert()

    def state() -> tuple[int | None, bool, str]:
        seen = catalogue.offer_shown()
        assert seen is not None
        stock = seen["stocks"][0]
        return stock["remaining"], stock["bookable"], seen["status"]

    catalogue.places_left(1, 9)
    assert state() == (9, True, "active")
    catalogue.places_left(1, 0, "StockSoldOut")
    assert state() == (0, False, "sold-out")
    assert catalogue.find_ids() == []
    catalogue.places_left(1, 2, "BookingCancelled")
    assert state() == (2, True, "active")
    catalogue.places_left(1, 1, "BookingRestored")
    catalogue.places_left(1, None, "StockAvailable")
    assert state() == (None, True, "active")


def test_messages_of_booking_may_arrive_before_those_of_catalog(catalogue: Catalogue) -> None:
    catalogue.places_left(1, 3)
    assert catalogue.find_ids() == []
    catalogue.concert()
    seen = catalogue.offer_shown()
    assert seen is not None and seen["stocks"][0]["remaining"] == 3


def test_a_replayed_dead_letter_does_not_overwrite_newer_places_left(catalogue: Catalogue) -> None:
    catalogue.concert()
    dead_letter = catalogue.places_left(1, 3)
    catalogue.places_left(1, 2)
    catalogue.receive_again(dead_letter)
    seen = catalogue.offer_shown()
    assert seen is not None and seen["stocks"][0]["remaining"] == 2


@pytest.mark.parametrize("remaining", [0, None])
def test_a_free_thing_without_a_date(catalogue: Catalogue, remaining: int | None) -> None:
    catalogue.offerer()
    catalogue.venue()
    catalogue.offer(subcategory="LIVRE_PAPIER")
    catalogue.stock(priceCents=0, quantity=remaining, beginningAt=None)
    seen = catalogue.offer_shown()
    assert seen is not None
    assert (seen["kind"], seen["stocks"][0]["cancellationLimitAt"]) == ("thing", None)
    assert seen["stocks"][0]["bookable"] == (remaining is None)


def test_stocks_expire_as_time_passes(catalogue: Catalogue) -> None:
    catalogue.concert()
    catalogue.stock(2, beginningAt="2021-11-12T19:00:00Z", bookingLimitAt="2021-11-11T19:00:00Z", priceCents=500)
    catalogue.move_clock("2021-11-10T19:00:00Z")
    seen = catalogue.offer_shown()
    assert seen is not None
    assert [stock["stockId"] for stock in seen["stocks"]] == [2], "an event that has begun is not shown"
    catalogue.move_clock("2021-11-11T19:00:00Z")
    seen = catalogue.offer_shown()
    assert seen is not None
    assert (seen["status"], seen["stocks"][0]["bookable"], seen["minPriceCents"]) == ("expired", False, 500)
    assert catalogue.find_ids() == []
    catalogue.move_clock("2021-11-20T19:00:00Z")
    seen = catalogue.offer_shown()
    assert seen is not None
    assert (seen["status"], seen["stocks"], seen["minPriceCents"]) == ("expired", [], None)
    for stock_id in (1, 2):
        catalogue.receive("StockWithdrawn", "catalog", stockId=stock_id, offerId=1, withdrawnAt="2021-11-20T19:00:00Z")
    seen = catalogue.offer_shown()
    assert seen is not None and seen["status"] == "sold-out", "an offer without any stock is sold out"


def test_at_most_two_hundred_stocks_are_shown(catalogue: Catalogue) -> None:
    catalogue.concert()
    for day in range(250):
        catalogue.stock(2 + day, beginningAt=f"2022-{1 + day // 25:02d}-{1 + day % 25:02d}T19:00:00Z")
    seen = catalogue.offer_shown()
    assert seen is not None
    assert len(seen["stocks"]) == 200
    assert seen["stocks"][0]["stockId"] == 1


def test_private_fields_are_not_shown(catalogue: Catalogue) -> None:
    catalogue.offerer()
    catalogue.venue(postalCode=None, city=None, lat=None, lon=None, address=None)
    catalogue.offer(subcategory="JEU_EN_LIGNE", isDigital=True, url="https://example.org/play?code={token}")
    catalogue.stock(beginningAt=None, activationCodes=["SECRET-1"], quantity=1)
    text = (catalogue.offer_json() or b"").decode()
    assert '"kind":"digital"' in text
    for secret in ("SECRET", "secret@example.org", "example.org/play", "21340172200011"):
        assert secret not in text


def test_the_migrations_create_the_tables_of_the_code(catalogue: Catalogue) -> None:
    with catalogue.store.reading() as connection:
        inspector = sa.inspect(connection)
        for table in metadata.sorted_tables:
            found = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
            assert found == {column.name: bool(column.nullable) for column in table.columns}
            indexes = {index["name"]: index["column_names"] for index in inspector.get_indexes(table.name)}
            assert indexes == {str(index.name): [column.name for column in index.columns] for index in table.indexes}


def render_as_an_older_release(catalogue: Catalogue, rendering_number: int) -> None:
    with catalogue.store.transaction() as tx:
        tx.connection.execute(sa.update(offers).values(body='{"old":1}', rendering=rendering_number))


def test_a_read_renders_the_body_of_an_older_release_again(catalogue: Catalogue) -> None:
    catalogue.concert()
    catalogue.offer(2)
    catalogue.stock(2, 2)
    seen, found = catalogue.offer_shown(), catalogue.search()
    render_as_an_older_release(catalogue, RENDERING - 1)
    assert catalogue.offer_shown() == seen
    assert json.loads(catalogue.offer_json() or b"") == seen
    assert catalogue.search() == found
    assert len(found["items"]) == 2


def test_control_a_read_does_not_render_the_body_of_this_release_again(catalogue: Catalogue) -> None:
    catalogue.concert()
    render_as_an_older_release(catalogue, RENDERING)
    seen = catalogue.offer_shown()
    assert seen is not None and seen["old"] == 1


def renderings(catalogue: Catalogue) -> set[int]:
    with catalogue.store.reading() as connection:
        return set(connection.execute(sa.select(offers.c.rendering)).scalars())


def test_bodies_of_an_older_release_are_rewritten(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page, hidden offers included, which stay hidden."""
    monkeypatch.setattr(writing, "PAGE", 2)
    catalogue.concert()
    for number in range(2, 6):
        catalogue.offer(number)
    catalogue.receive("OfferWithdrawn", "catalog", offerId=5, reason="deactivated")
    before = rows(catalogue)
    render_as_an_older_release(catalogue, RENDERING - 1)
    with catalogue.store.transaction() as tx:
        tx.connection.execute(sa.delete(words))
    with catalogue.store.reading() as connection:
        assert writing.count_outdated(connection) == 2, "counts one page only"
    writing.render_again(catalogue.store)
    assert rows(catalogue) == before
    assert renderings(catalogue) == {RENDERING}
    with catalogue.store.reading() as connection:
        assert writing.count_outdated(connection) == 0


def test_control_bodies_of_this_release_are_not_rewritten(catalogue: Catalogue) -> None:
    catalogue.concert()
    render_as_an_older_release(catalogue, RENDERING)
    before = rows(catalogue)
    writing.render_again(catalogue.store)
    assert rows(catalogue) == before


def rows(catalogue: Catalogue) -> list[tuple[Any, ...]]:
    with catalogue.store.reading() as connection:
        offer_rows = connection.execute(
            sa.select(offers.c.body, offers.c.is_published).order_by(offers.c.offer_id)
        ).all()
        word_rows = connection.execute(sa.select(words).order_by(words.c.word, words.c.offer_id)).all()
    return [tuple(row) for row in (*offer_rows, *word_rows)]
