"""Names and labels in the SEPA character set."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payout.files.character_set import sepa_text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Musée du Vieux Montpellier", "Musee du Vieux Montpellier"),
        ("L’Œuvre d’Ève – cœur", "L'OEuvre d'Eve - coeur"),
        ("Beyoncé & Jay-Z", "Beyonce + Jay-Z"),
        ("Novembre 2021 : remboursement 1ère quinzaine", "Novembre 2021 : remboursement 1ere quinzaine"),
        (unicodedata.normalize("NFD", "Théâtre"), "Theatre"),
        ("  deux\t lignes\r\nici ", "deux lignes ici"),
        ("//refusé//par la banque/", "refuse/par la banque"),
        ("<b>gras</b>", "b gras /b"),
        ("Straße 12_b [cour]", "Strasse 12-b (cour)"),
        ("Театр", ""),
        ("--", ""),
        ("", ""),
    ],
)
def test_text_is_written_in_the_sepa_characters(text: str, written: str) -> None:
    assert sepa_text(text, at_most=70) == written


def test_shortened_text_has_no_trailing_space() -> None:
    assert sepa_text("abc def", at_most=4) == "abc"


@given(st.text(max_size=200), st.integers(1, 140))
def test_the_result_has_sepa_characters_only(text: str, at_most: int) -> None:
    written = sepa_text(text, at_most=at_most)
    assert len(written) <= at_most
    assert re.fullmatch(r"[A-Za-z0-9/\-?:().,'+ ]*", written)
    assert "//" not in written
    assert not written.startswith(("/", " "))
    assert not written.endswith(("/", " "))
    assert sepa_text(written, at_most=at_most) == written
