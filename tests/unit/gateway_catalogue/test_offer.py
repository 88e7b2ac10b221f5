"""An offer as anyone sees it, while three services tell of it in any order."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from services.gateway.projections.catalogue import writing
from services.gateway.projections.catalogue.rendering import RENDERING
from services.gateway.projections.catalogue.tables import metadata, offers, words
from services.gateway.web.schemas.catalogue import PublicOffer
from tests.unit.gateway_catalogue.shelf import Shelf


def test_an_offer_whole(shelf: Shelf) -> None:
    shelf.concert()
    seen = shelf.see()
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
    assert PublicOffer().dump(seen) == seen, "nothing is sent that the API's schema does not name"
    assert shelf.see_json() is not None
    assert json.loads(shelf.see_json() or b"") == seen


def test_unknown_withdrawn_or_of_a_structure_that_is_not_validated(shelf: Shelf) -> None:
    assert shelf.see() is None
    shelf.venue()
    shelf.offer()
    shelf.stock()
    assert shelf.see() is None and shelf.see_json() is None, "its structure is not validated yet"
    shelf.offerer()
    assert shelf.see() is not None
    shelf.hear("OfferWithdrawn", "catalog", offerId=1, reason="deactivated")
    assert shelf.see() is None
    shelf.offer()
    assert shelf.see() is not None
    shelf.hear("OffererClosed", "identity", offererId=1, at="2021-11-02T09:00:00Z", reason="")
    assert shelf.see() is None and shelf.find() == []


def test_changes_show(shelf: Shelf) -> None:
    shelf.concert()
    shelf.offer(event="OfferChanged", name="Grand concert", tags=["noël"])
    shelf.venue(event="VenueChanged", city="Kehl", lat=48.57, lon=7.81)
    shelf.hear("StockChanged", "catalog", stockId=1, offerId=1, priceCents=500, bookingLimitAt="2021-11-09T19:00:00Z")
    seen = shelf.see()
    assert seen is not None
    assert (seen["name"], seen["venue"]["city"], seen["minPriceCents"]) == ("Grand concert", "Kehl", 500)
    assert seen["stocks"][0]["bookingLimitAt"] == "2021-11-09T19:00:00Z"
    assert shelf.find(q="kehl") == shelf.find(tag="NOEL") == [1]
    assert shelf.find(q="strasbourg") == []
    shelf.hear(
        "EventRescheduled",
        "catalog",
        stockId=1,
        offerId=1,
        beginningAt="2021-11-03T10:00:00Z",
        previousBeginningAt="2021-11-10T19:00:00Z",
        bookingLimitAt="2021-11-03T10:00:00Z",
    )
    seen = shelf.see()
    assert seen is not None
    assert seen["stocks"][0]["cancellationLimitAt"] == "2021-11-02T09:00:00Z", "too late to cancel: as of now"


def test_a_venue_s_change_does_not_show_what_was_withdrawn(shelf: Shelf) -> None:
    shelf.concert()
    shelf.hear("OfferWithdrawn", "catalog", offerId=1, reason="deactivated")
    shelf.venue(event="VenueChanged", name="Autre nom")
    assert shelf.see() is None


def test_places_left_are_booking_s_to_say(shelf: Shelf) -> None:
    shelf.concert()

    def state() -> tuple[int | None, bool, str]:
        seen = shelf.see()
        assert seen is not None
        stock = seen["stocks"][0]
        return stock["remaining"], stock["bookable"], seen["status"]

    shelf.places(1, 9)
    assert state() == (9, True, "active")
    shelf.places(1, 0, "StockSoldOut")
    assert state() == (0, False, "sold-out")
    assert shelf.find() == []
    shelf.places(1, 2, "BookingCancelled")
    assert state() == (2, True, "active")
    shelf.places(1, 1, "BookingRestored")
    shelf.places(1, None, "StockAvailable")
    assert state() == (None, True, "active")


def test_booking_may_speak_before_catalog_is_heard(shelf: Shelf) -> None:
    shelf.places(1, 3)
    assert shelf.find() == []
    shelf.concert()
    seen = shelf.see()
    assert seen is not None and seen["stocks"][0]["remaining"] == 3


def test_a_message_that_was_parked_does_not_take_back_what_booking_said_since(shelf: Shelf) -> None:
    shelf.concert()
    parked = shelf.places(1, 3)
    shelf.places(1, 2)
    shelf.hear_again(parked)
    seen = shelf.see()
    assert seen is not None and seen["stocks"][0]["remaining"] == 2


@pytest.mark.parametrize("remaining", [0, None])
def test_free_and_without_limit(shelf: Shelf, remaining: int | None) -> None:
    shelf.offerer()
    shelf.venue()
    shelf.offer(subcategory="LIVRE_PAPIER")
    shelf.stock(priceCents=0, quantity=remaining, beginningAt=None)
    seen = shelf.see()
    assert seen is not None
    assert (seen["kind"], seen["stocks"][0]["cancellationLimitAt"]) == ("thing", None)
    assert seen["stocks"][0]["bookable"] == (remaining is None)


def test_time_passes(shelf: Shelf) -> None:
    shelf.concert()
    shelf.stock(2, beginningAt="2021-11-12T19:00:00Z", bookingLimitAt="2021-11-11T19:00:00Z", priceCents=500)
    shelf.move("2021-11-10T19:00:00Z")
    seen = shelf.see()
    assert seen is not None
    assert [stock["stockId"] for stock in seen["stocks"]] == [2], "what has begun is not shown"
    shelf.move("2021-11-11T19:00:00Z")
    seen = shelf.see()
    assert seen is not None
    assert (seen["status"], seen["stocks"][0]["bookable"], seen["minPriceCents"]) == ("expired", False, 500)
    assert shelf.find() == []
    shelf.move("2021-11-20T19:00:00Z")
    seen = shelf.see()
    assert seen is not None
    assert (seen["status"], seen["stocks"], seen["minPriceCents"]) == ("expired", [], None)
    for stock_id in (1, 2):
        shelf.hear("StockWithdrawn", "catalog", stockId=stock_id, offerId=1, withdrawnAt="2021-11-20T19:00:00Z")
    seen = shelf.see()
    assert seen is not None and seen["status"] == "sold-out", "an offer without any stock is sold out"


def test_a_long_programme_is_shown_in_part(shelf: Shelf) -> None:
    shelf.concert()
    for day in range(250):
        shelf.stock(2 + day, beginningAt=f"2022-{1 + day // 25:02d}-{1 + day % 25:02d}T19:00:00Z")
    seen = shelf.see()
    assert seen is not None
    assert len(seen["stocks"]) == 200
    assert seen["stocks"][0]["stockId"] == 1


def test_nothing_secret_is_shown(shelf: Shelf) -> None:
    shelf.offerer()
    shelf.venue(postalCode=None, city=None, lat=None, lon=None, address=None)
    shelf.offer(subcategory="JEU_EN_LIGNE", isDigital=True, url="https://example.org/play?code={token}")
    shelf.stock(beginningAt=None, activationCodes=["SECRET-1"], quantity=1)
    text = (shelf.see_json() or b"").decode()
    assert '"kind":"digital"' in text
    for secret in ("SECRET", "secret@example.org", "example.org/play", "21340172200011"):
        assert secret not in text


def test_the_tables_of_the_code_are_those_of_the_migration(shelf: Shelf) -> None:
    with shelf.store.reading() as connection:
        inspector = sa.inspect(connection)
        for table in metadata.sorted_tables:
            found = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
            assert found == {column.name: bool(column.nullable) for column in table.columns}
            indexes = {index["name"]: index["column_names"] for index in inspector.get_indexes(table.name)}
            assert indexes == {str(index.name): [column.name for column in index.columns] for index in table.indexes}


def render_as_an_older_release(shelf: Shelf, rendering_number: int) -> None:
    with shelf.store.transaction() as tx:
        tx.connection.execute(sa.update(offers).values(body='{"old":1}', rendering=rendering_number))


def test_a_body_that_an_older_release_rendered_is_rendered_again(shelf: Shelf) -> None:
    shelf.concert()
    shelf.offer(2)
    shelf.stock(2, 2)
    seen, found = shelf.see(), shelf.search()
    render_as_an_older_release(shelf, RENDERING - 1)
    assert shelf.see() == seen
    assert json.loads(shelf.see_json() or b"") == seen
    assert shelf.search() == found
    assert len(found["items"]) == 2


def test_one_of_this_release_is_sent_as_it_is(shelf: Shelf) -> None:
    """The control."""
    shelf.concert()
    render_as_an_older_release(shelf, RENDERING)
    seen = shelf.see()
    assert seen is not None and seen["old"] == 1


def renderings(shelf: Shelf) -> set[int]:
    with shelf.store.reading() as connection:
        return set(connection.execute(sa.select(offers.c.rendering)).scalars())


def test_what_an_older_release_rendered_is_written_again(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page, also what the public does not see, which stays so."""
    monkeypatch.setattr(writing, "PAGE", 2)
    shelf.concert()
    for number in range(2, 6):
        shelf.offer(number)
    shelf.hear("OfferWithdrawn", "catalog", offerId=5, reason="deactivated")
    before = rows(shelf)
    render_as_an_older_release(shelf, RENDERING - 1)
    with shelf.store.transaction() as tx:
        tx.connection.execute(sa.delete(words))
    with shelf.store.reading() as connection:
        assert writing.count_outdated(connection) == 2, "of the next page"
    writing.render_again(shelf.store)
    assert rows(shelf) == before
    assert renderings(shelf) == {RENDERING}
    with shelf.store.reading() as connection:
        assert writing.count_outdated(connection) == 0


def test_what_this_release_rendered_stays(shelf: Shelf) -> None:
    """The control."""
    shelf.concert()
    render_as_an_older_release(shelf, RENDERING)
    before = rows(shelf)
    writing.render_again(shelf.store)
    assert rows(shelf) == before


def rows(shelf: Shelf) -> list[tuple[Any, ...]]:
    with shelf.store.reading() as connection:
        of_offers = connection.execute(
            sa.select(offers.c.body, offers.c.is_published).order_by(offers.c.offer_id)
        ).all()
        of_words = connection.execute(sa.select(words).order_by(words.c.word, words.c.offer_id)).all()
    return [tuple(row) for row in (*of_offers, *of_words)]
