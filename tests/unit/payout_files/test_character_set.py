"""How names and labels are written for a bank."""

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
def test_written_with_what_every_bank_accepts(text: str, written: str) -> None:
    assert sepa_text(text, at_most=70) == written


def test_cut_without_a_trailing_space() -> None:
    assert sepa_text("abc def", at_most=4) == "abc"


@given(st.text(max_size=200), st.integers(1, 140))
def test_whatever_comes_only_the_set_goes_out(text: str, at_most: int) -> None:
    written = sepa_text(text, at_most=at_most)
    assert len(written) <= at_most
    assert re.fullmatch(r"[A-Za-z0-9/\-?:().,'+ ]*", written)
    assert "//" not in written
    assert not written.startswith(("/", " "))
    assert not written.endswith(("/", " "))
    assert sepa_text(written, at_most=at_most) == written
