"""Arguments in paths: numbers in their canonical form, and words. Any other value is a 404."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.web.application import up_to
from shared.kernel.errors import NotFound
from shared.kernel.identifiers import MAX_NUMBER

NUMBERS = st.integers(1, MAX_NUMBER)


@given(NUMBERS, NUMBERS | st.integers(0, 2 * MAX_NUMBER))
def test_the_pattern_matches_exactly_the_numbers_up_to_its_bound(most: int, number: int) -> None:
    pattern = re.compile(f"(?:{up_to(most)})")
    assert bool(pattern.fullmatch(str(number))) is (1 <= number <= most)
    assert pattern.fullmatch(str(most))
    assert not pattern.fullmatch(str(most + 1))
    assert not pattern.fullmatch(f"0{number}")


@pytest.mark.parametrize("number", ["0", "01", "-1", "1.0", "x", str(MAX_NUMBER + 1), "9" * 16, "9" * 40, "١"])
@pytest.mark.parametrize(("method", "rule"), [("GET", "/v1/pro/venues/{}/offers"), ("PATCH", "/v1/pro/venues/{}")])
def test_an_invalid_number_in_a_path_is_404(platform: Any, signed_in: Any, method: str, rule: str, number: str) -> None:
    answer = platform.client.open(rule.format(number), method=method, headers=signed_in("pro"), json={})
    assert (answer.status_code, answer.json["code"]) == (404, "not-found")


def test_the_largest_number_reaches_its_service(platform: Any, signed_in: Any) -> None:
    platform.answers("catalog", "venue", NotFound("no such venue"))
    answer = platform.client.get(f"/v1/pro/venues/{MAX_NUMBER}", headers=signed_in("pro"))
    assert answer.status_code == 404
    assert platform.called("venue") == [{"venueId": MAX_NUMBER}]


@pytest.mark.parametrize("prefix", ["n%07", "%20", "a%2Fb", "é", "x" * 101])
def test_an_invalid_word_in_a_path_is_404(platform: Any, signed_in: Any, prefix: str) -> None:
    answer = platform.client.delete(f"/v1/pro/offerers/1/api-keys/{prefix}", headers=signed_in("pro"))
    assert (answer.status_code, answer.json["code"]) == (404, "not-found")


@pytest.mark.parametrize("key", ["", "   "])
def test_a_blank_idempotency_key_is_refused(platform: Any, signed_in: Any, key: str) -> None:
    headers = {**signed_in("pro"), "Idempotency-Key": key}
    answer = platform.client.delete("/v1/pro/stocks/7", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency-key-invalid")
    assert platform.calls == []
