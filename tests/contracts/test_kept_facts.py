"""Read models that keep facts as JSON read the rows of every older release."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from marshmallow import fields

from services.catalog.answers import venue_answer, whole_offer
from services.catalog.storage import tables as of_catalog
from services.catalog.storage.venues import by_number as venue_row
from services.gateway.projections.catalogue import queries, rendering
from services.gateway.projections.catalogue import tables as of_gateway
from services.gateway.web.schemas.catalogue import PublicOffer
from services.gateway.web.schemas.pro import Offer, Venue
from services.identity.projections import projections as projections_of_identity
from shared.contracts import messages
from shared.contracts.messages import MESSAGES, newest
from shared.eventstore.sql import Json
from shared.projections.facts import Facts
from tests.contracts.golden import HOW_TO_ADD, golden, rendered, renderings
from tests.contracts.story import CONSUMERS, Reader, story

FACTS = {
    "catalog.offers.facts": of_catalog.offers,
    "catalog.venues.facts": of_catalog.venues,
    "gateway.catalogue_offers.facts": of_gateway.offers,
    "gateway.catalogue_venues.facts": of_gateway.venues,
}
AS_IT_IS = {
    "catalog.offers.review": "what one event says, shown as it is: no field is required of it",
    "identity.people.roles": "a list of words",
    "identity.identity_checks.items": "what one event says, shown to staff as it is",
    "payout.custom_rules.subcategories": "a list of words",
}
"""JSON in read models that is not the data of a message, and why a field more of it does no harm."""


def test_json_in_a_read_model_is_the_data_of_a_message_or_has_a_reason_to_be_something_else(tmp_path: Path) -> None:
    tables = [("identity", table) for model in projections_of_identity() for table in model.tables]
    for name in CONSUMERS:
        reader = Reader(name, tmp_path / name, {source: [] for source in MESSAGES})
        tables += [(name, table) for model in reader.service.read_models for table in model.tables]
        reader.close()
    found = {f"{name}.{table.name}.{one.name}": one.type for name, table in tables for one in table.columns}
    assert {name for name, kind in found.items() if isinstance(kind, Facts)} == set(FACTS)
    as_it_is = {name for name, kind in found.items() if isinstance(kind, Json) and not isinstance(kind, Facts)}
    assert as_it_is == set(AS_IT_IS), "use shared.projections.facts.Facts, or say here why older rows do no harm"


def samples_of(table: sa.Table) -> list[dict[str, Any]]:
    """What the column may hold: its message, or another one of the same data, in every version that ever was."""
    kind = table.c.facts.type
    assert isinstance(kind, Facts)
    schema = newest(kind.source, kind.message)
    names = {name for name, _ in MESSAGES[kind.source] if newest(kind.source, name) is schema}
    return [data for _, name, _, data in golden(kind.source).messages() if name in names]


def read_back(table: sa.Table, data: dict[str, Any]) -> dict[str, Any]:
    """A row that was written as it is, by whatever release, as today's code reads it."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE kept (facts TEXT)")
        connection.exec_driver_sql("INSERT INTO kept VALUES (?)", (json.dumps(data),))
        query = sa.select(sa.literal_column("facts", table.c.facts.type)).select_from(sa.text("kept"))
        found: dict[str, Any] = connection.execute(query).scalar_one()
    engine.dispose()
    return found


@pytest.mark.parametrize("name", FACTS)
def test_rows_of_every_version_have_all_fields_of_the_newest(name: str) -> None:
    kind = FACTS[name].c.facts.type
    assert len(samples_of(FACTS[name])) >= 2
    for data in samples_of(FACTS[name]):
        read = read_back(FACTS[name], data)
        missing = sorted(set(newest(kind.source, kind.message)().fields) - set(read))
        assert missing == [], f"{name}: older rows lack {missing}: name them in the newest schema's `added`"
        assert {field: read[field] for field in data} == data


class OfferV99(newest("catalog", "OfferPublished")):  # type: ignore[misc]  # whatever it is by now
    colour = fields.String(required=True, allow_none=True)

    added: ClassVar[Mapping[str, Any]] = {"colour": None}


def test_a_field_that_a_new_version_adds_is_there_in_older_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a version that no release has published yet."""
    beside = {**MESSAGES["catalog"], ("OfferPublished", 99): OfferV99}
    monkeypatch.setattr(messages, "MESSAGES", {**MESSAGES, "catalog": beside})
    table = sa.Table("later", sa.MetaData(), sa.Column("facts", Facts("catalog", "OfferPublished")))
    _, _, older = golden("catalog").published("Offer.Published")[0]
    assert read_back(table, older) == {**older, "colour": None}
    assert read_back(table, {**older, "colour": "red"}) == {**older, "colour": "red"}
    assert "colour" not in read_back(of_catalog.offers, older), "the control: what is not declared is not there"


# --- what is shown of them --------------------------------------------------------------------------------------------


def write_as_it_was(reader: Reader, table: sa.Table, data: dict[str, Any]) -> None:
    """Puts facts of an older release into every row."""
    with reader.service.store.transaction() as tx:
        tx.connection.exec_driver_sql(f"UPDATE {table.name} SET facts = ?", (json.dumps(data),))


@pytest.mark.parametrize("offer", samples_of(of_gateway.offers), ids=lambda _: "offer")
@pytest.mark.parametrize("venue", samples_of(of_gateway.venues), ids=lambda _: "venue")
def test_the_catalogue_shows_offers_and_venues_of_every_version(
    tmp_path: Path, offer: dict[str, Any], venue: dict[str, Any]
) -> None:
    """Also when one of the two changes, and the other is rendered again from what was kept."""
    reader = Reader("gateway", tmp_path / "gateway", story())
    changes = [one for one in story()["catalog"] if one.name in ("OfferChanged", "VenueChanged")]
    for change in changes:
        write_as_it_was(reader, of_gateway.offers, offer)
        write_as_it_was(reader, of_gateway.venues, venue)
        reader.service.store.run(lambda tx, change=change: reader.service.reactions.handle(tx, change))
        with reader.service.store.transaction() as tx:
            tx.connection.exec_driver_sql("UPDATE catalogue_offers SET is_published = 1")
            tx.connection.exec_driver_sql("INSERT OR REPLACE INTO catalogue_offerers VALUES (1, 1)")
        with reader.service.store.reading() as connection:
            shown = queries.offer_json(connection, offer["offerId"], reader.clock.now())
        assert shown is not None
        assert {*json.loads(shown), "distanceKm", "url"} == set(PublicOffer().fields)
    reader.close()


@pytest.mark.parametrize("offer", samples_of(of_catalog.offers), ids=lambda _: "offer")
@pytest.mark.parametrize("venue", samples_of(of_catalog.venues), ids=lambda _: "venue")
def test_actors_see_offers_and_venues_of_every_version(
    tmp_path: Path, offer: dict[str, Any], venue: dict[str, Any]
) -> None:
    reader = Reader("catalog", tmp_path / "catalog", story())
    with reader.service.store.transaction() as tx:
        row = {"venue_id": 3, "offerer_id": 1, "kind": "siret", "facts": venue, "version": 1}
        tx.connection.execute(of_catalog.venues.insert().values(row))
        row = {"offer_id": 5, "venue_id": 3, "offerer_id": 1, "moderation": "approved", "is_public": True}
        tx.connection.execute(of_catalog.offers.insert().values({**row, "facts": offer, "review": {}, "version": 1}))
    with reader.service.store.reading() as connection:
        kept = venue_row(connection, 3)
        assert kept is not None
        seen = whole_offer(connection, 5, reader.clock.now())
    assert set(Venue().fields) == set(venue_answer(kept.facts, 1, "validated"))
    assert set(Offer().fields) == set(seen)
    reader.close()


def test_a_change_of_what_bodies_hold_is_another_rendering() -> None:
    """Stored bodies are sent as they are: those of an older rendering are found by its number."""
    sample = renderings().get(str(rendering.RENDERING))
    assert sample is not None, f"no sample of the rendering {rendering.RENDERING}: {HOW_TO_ADD}"
    assert rendered() == sample, "bodies are rendered otherwise: raise RENDERING in projections/catalogue/rendering.py"
