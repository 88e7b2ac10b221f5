"""The data of the demonstration match the founding document and are valid for the platform."""

from __future__ import annotations

from datetime import date

import pytest

from demo.founding_document import MONTPELLIER, PUBLISHER_BANK, STRUCTURES, schoolgirl, young_people
from shared.contracts.subcategories import SUBCATEGORIES
from shared.kernel import identifiers


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda structure: structure.name)
def test_every_identifier_is_valid(structure: object) -> None:
    assert identifiers.siren(structure.siren) == structure.siren  # type: ignore[attr-defined]  # parametrize types loosely
    for venue in structure.venues:  # type: ignore[attr-defined]
        if venue.siret is not None:
            assert identifiers.siret(venue.siret) == venue.siret
            assert venue.siret.startswith(structure.siren)  # type: ignore[attr-defined]


def test_bank_details_are_valid_and_unique() -> None:
    banks = [structure.bank for structure in STRUCTURES if structure.bank] + [PUBLISHER_BANK]
    assert [identifiers.iban(bank.iban) for bank in banks] == [bank.iban for bank in banks]
    assert [identifiers.bic(bank.bic) for bank in banks] == [bank.bic for bank in banks]
    assert len({bank.iban for bank in banks}) == len(banks)


def test_montpellier_has_the_data_of_the_founding_document() -> None:
    assert MONTPELLIER.siren == "213401722"
    assert MONTPELLIER.bank is not None
    assert (MONTPELLIER.bank.iban, MONTPELLIER.bank.bic) == ("FR443000100572E340000000010", "BDFEFRPPCCT")
    assert [venue.name for venue in MONTPELLIER.venues] == [
        "Musée du Vieux Montpellier",
        "Cinéma Municipal Nestor Burma",
    ]


def test_offers_fit_their_subcategories() -> None:
    for structure in STRUCTURES:
        for venue in structure.venues:
            for offer in venue.offers:
                subcategory = SUBCATEGORIES[offer.subcategory]
                assert subcategory.is_event == (offer.begins is not None), offer.name
                assert subcategory.is_online_only == (venue.siret is None) == (offer.url is not None), offer.name
                assert subcategory.can_be_duo or not offer.is_duo, offer.name
                assert subcategory.is_event or offer.price <= 300_00, offer.name


def test_only_the_publisher_has_paid_offers_without_bank_details() -> None:
    without = [structure for structure in STRUCTURES if structure.bank is None]
    paid = [one.name for one in without if any(offer.price for venue in one.venues for offer in venue.offers)]
    assert paid == ["Atelier Herbert Marcuse"]


def test_young_people_are_distinct() -> None:
    people = [*young_people(94), schoolgirl(date(2005, 9, 12))]
    assert len({person.email for person in people}) == len(people)
    assert len({person.phone for person in people}) == len(people)
    assert len({person.document_number for person in people}) == len(people)
    assert len({(person.first_name, person.last_name) for person in people}) == len(people)
    with pytest.raises(ValueError, match="94"):
        young_people(95)
