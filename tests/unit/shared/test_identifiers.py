"""E-mail addresses and BICs that people enter."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from shared.kernel.identifiers import bic, email


@pytest.mark.parametrize("text", ["a@b.fr", "zoe.martin+pass@mail.example.org", "o'neil@b.fr", "x" * 64 + "@b.fr"])
def test_a_valid_address_is_unchanged(text: str) -> None:
    assert email(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "a",
            "a@b",
            "@b.fr",
            "a@.fr",
            "a@b.f",
            "a b@c.fr",
            "a..b@c.fr",
            ".a@b.fr",
            "a@b.fr\nBcc: c@d.fr",
            "a@b@c.fr",
        ),
        *("zoé@example.org", "zoe@exämple.org", "zoe@例え.jp", "٣@b.fr", "x" * 65 + "@b.fr", "a@" + "b." * 130 + "fr"),
    ],
    ids=ascii,
)
def test_an_invalid_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="e-mail"):
        email(text)


@pytest.mark.parametrize("text", ["BNPAFRPP", "bdfefrppcct", "AGRI FR PP 882", "SOGEFRP2"])
def test_a_bic_is_normalised(text: str) -> None:
    assert bic(text) == text.replace(" ", "").upper()


@pytest.mark.parametrize(
    "text", ["", "BNPAFRPO", "BNPAFR0P", "BNPAFR1P", "BNP1FRPP", "BNPAFRPPX", "BNPAFRPPXXXX", "BNPAF1PP", "BNPAFRPé"]
)
def test_an_invalid_bic_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="BIC"):
        bic(text)


def test_a_bic_is_valid_exactly_if_the_schema_of_transfer_files_accepts_it() -> None:
    """Every letter and digit, at the two positions where the schema is stricter than letters and digits."""
    pattern = re.compile(_schema_pattern())
    for index in (6, 7):
        for letter in string.ascii_uppercase + string.digits:
            text = f"{'BNPAFRPP'[:index]}{letter}{'BNPAFRPP'[index + 1 :]}"
            assert _is_bic(text) is bool(pattern.fullmatch(text)), text


def _schema_pattern() -> str:
    schema = Path(__file__).parents[3] / "services/payout/files/schemas/pain.001.001.03.xsd"
    (found,) = re.findall(r'name="BICIdentifier">.*?<xs:pattern value="([^"]+)"', schema.read_text("utf-8"), re.DOTALL)
    return str(found)


def _is_bic(text: str) -> bool:
    try:
        return bic(text) == text
    except ValueError:
        return False
