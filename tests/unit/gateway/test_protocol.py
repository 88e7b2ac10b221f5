"""What of a request is refused before it is read."""

from __future__ import annotations

import pytest

from services.gateway.routes.pro import FORM_AROUND_A_FILE
from services.gateway.web.protocol import LONGEST_DRAINED, check_framing
from shared.contracts.calls.payout import MAX_DOCUMENT_BYTES
from shared.kernel.errors import DomainError

LARGEST_FORM = MAX_DOCUMENT_BYTES + FORM_AROUND_A_FILE


@pytest.mark.parametrize("lengths", [[], ["0"], [" 17 "], [str(LARGEST_FORM)], [str(LONGEST_DRAINED)]])
def test_one_length_or_none(lengths: list[str]) -> None:
    assert check_framing(lengths, []) is None


@pytest.mark.parametrize(
    ("lengths", "encodings", "outcome"),
    [
        (["2", "2"], [], (400, "bad-request")),
        (["2", "3"], ["chunked"], (400, "bad-request")),
        (["+2"], [], (400, "bad-request")),
        (["0x2"], [], (400, "bad-request")),
        (["٢"], [], (400, "bad-request")),
        ([""], [], (400, "bad-request")),
        ([], ["chunked"], (411, "length-required")),
        ([], [""], (411, "length-required")),
        (["2"], ["identity"], (411, "length-required")),
        ([str(LONGEST_DRAINED + 1)], [], (413, "too-large")),
    ],
)
def test_what_is_refused(lengths: list[str], encodings: list[str], outcome: tuple[int, str]) -> None:
    with pytest.raises(DomainError) as refusal:
        check_framing(lengths, encodings)
    assert (refusal.value.status, refusal.value.code) == outcome
