"""Places, words and cursors of the public read model, for whatever may be asked."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from services.gateway.projections.catalogue import cursors, places
from services.gateway.projections.catalogue.words import (
    MAX_LETTERS_OF_QUERY,
    MAX_WORDS_OF_QUERY,
    plain,
    words_of,
    words_of_query,
)
from shared.kernel.errors import Invalid

LAT = st.floats(-90, 90)
LON = st.floats(-180, 180)
JSON = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)


def chord(a: tuple[float, float], b: tuple[float, float]) -> float:
    return sum((x - y) ** 2 for x, y in zip(places.on_sphere(*a), places.on_sphere(*b), strict=True))


@given(LAT, LON, LAT, LON, st.floats(0.001, 20_000))
def test_what_is_within_the_circle_is_within_the_box(
    lat: float, lon: float, lat2: float, lon2: float, km: float
) -> None:
    assume(chord((lat, lon), (lat2, lon2)) <= places.squared_chord(km) * (1 - 1e-9))
    box = places.box_around(lat, lon, km)
    slack = 1e-9
    assert box.south - slack <= lat2 <= box.north + slack
    if box.lon is not None:
        west, east = box.lon
        inside = west - slack <= lon2 <= east + slack
        across = west > east and (lon2 >= west - slack or lon2 <= east + slack)
        assert inside or across or abs(abs(lon2) - 180) < slack


@given(st.floats(0, 20_015))
def test_chords_and_kilometres_are_one_measure(km: float) -> None:
    assert math.isclose(places.kilometres(places.squared_chord(km)), km, abs_tol=0.01)


@given(st.text())
def test_words_hold_nothing_but_letters_and_digits(text: str) -> None:
    words = words_of(text)
    assert len(words) == len(set(words))
    for word in words:
        assert 0 < len(word) <= 32
        assert not any(character.isspace() for character in word)
    asked = words_of_query(text)
    assert len(asked) <= MAX_WORDS_OF_QUERY and sum(map(len, asked)) <= MAX_LETTERS_OF_QUERY
    assert words_of(plain(text)) == words_of(plain(plain(text)))


@given(st.lists(JSON, max_size=15), st.lists(JSON, max_size=3))
def test_a_cursor_gives_back_what_was_put_in(filters: list[Any], position: list[Any]) -> None:
    assert cursors.decode(cursors.encode(filters, position)) == (filters, position)


@given(st.text() | st.binary().map(lambda content: content.hex()))
def test_any_other_text_is_refused(text: str) -> None:
    try:
        cursors.decode(text)
    except Invalid as refusal:
        assert refusal.code == "cursor-invalid"
    else:
        raise AssertionError("a text that was never a cursor was taken for one")
