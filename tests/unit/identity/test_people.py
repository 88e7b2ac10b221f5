"""Names, phone numbers, postcodes and passwords."""

from __future__ import annotations

from datetime import date

import pytest

from services.identity.domain.passwords import check_password
from services.identity.domain.people import (
    Profile,
    department,
    document_text,
    in_territory,
    normal_email,
    normal_name,
    normal_phone,
    person_text,
)
from services.identity.refusals import PasswordWeak, PhoneInvalid


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Zoé", "ZOE"),
        ("Jean-Noël", "jean noel"),
        ("D’Artagnan", "d'artagnan"),
        ("Martin1", "MARTIN1"),
        ("Ωμέγα", "ωμεγα"),
        ("Straße", "STRASSE"),
    ],
)
def test_spellings_of_one_name_are_equal(one, other):
    assert normal_name(one) == normal_name(other) != ""


def test_different_names_and_birth_dates_are_different():
    assert normal_name("Martin1") != normal_name("Martin2")
    assert person_text("Zoé", "Martin", date(2003, 6, 15)) != person_text("Zoé", "Martin", date(2003, 6, 16))


def test_documents_are_compared_without_spaces_or_case():
    assert document_text("12 ab 34") == document_text("12AB34")


def test_addresses_are_compared_without_case():
    assert normal_email(" Zoe@Example.ORG ") == "zoe@example.org"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("06 31 44 10 45", "+33631441045"),
        ("+33 6 31 44 10 45", "+33631441045"),
        ("0033631441045", "+33631441045"),
        ("+33610000001", "+33610000001"),
        ("+262692123456", "+262692123456"),
        ("+590690123456", "+590690123456"),
        ("+508551234", "+508551234"),
    ],
)
def test_phone_numbers_of_france_and_overseas(given, kept):
    assert normal_phone(given) == kept


@pytest.mark.parametrize(
    "given",
    ["", "123", "+4915112345678", "+33 0 31 44 10 45", "+336314410455", "06 31 44 10 4", "٠٦٣١٤٤١٠٤٥", "+33abc"],
)
def test_other_phone_numbers_are_refused(given):
    with pytest.raises(PhoneInvalid):
        normal_phone(given)


@pytest.mark.parametrize(
    ("postal_code", "code"),
    [("80000", "80"), ("75011", "75"), ("01000", "01"), ("97400", "974"), ("97500", "975"), ("20000", "2A"),
     ("20137", "2A"), ("20200", "2B"), ("20620", "2B"), ("", "")],
)  # fmt: skip
def test_departments(postal_code, code):
    assert department(postal_code) == code


@pytest.mark.parametrize(("postal_code", "served"), [("80000", True), ("97600", True), ("98600", True), ("", True),
                                                    ("98400", False), ("98700", False), ("98800", False)])  # fmt: skip
def test_territory(postal_code, served):
    assert in_territory(postal_code) is served


def test_a_profile_is_restored_from_its_json():
    profile = Profile("z@example.org", "Zoé", "Martin", date(2003, 6, 15), "80000", marketing_consent=True)
    assert Profile.from_json(profile.to_json()) == profile
    assert Profile.from_json(Profile("s@example.org", "S", "L").to_json()).birth_date is None


@pytest.mark.parametrize("password", ["Correct-horse-9-battery", "Ünïcödé-pass-9", "Aa1!Aa1!Aa1!"])
def test_strong_passwords_are_accepted(password):
    check_password(password)


@pytest.mark.parametrize(
    ("password", "missing"),
    [
        ("Aa1!Aa1!Aa1", "12 caractères"),
        ("aaaaaaaaaaa1!", "majuscule"),
        ("AAAAAAAAAAA1!", "minuscule"),
        ("Aaaaaaaaaaaa!", "chiffre"),
        ("Aaaaaaaaaaa11", "spécial"),
        ("Aa1 Aa1 Aa1 Aa1", "spécial"),
        ("Aa1!" * 51, "au plus"),
    ],
)
def test_the_refusal_of_a_weak_password_names_what_is_missing(password, missing):
    with pytest.raises(PasswordWeak) as refusal:
        check_password(password)
    assert len(refusal.value.errors["password"]) == 1 and missing in refusal.value.errors["password"][0]
