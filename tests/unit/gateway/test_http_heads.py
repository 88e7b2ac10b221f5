"""The head of a request: Content-Length, Transfer-Encoding and sizes, up to their bounds and beyond."""

from __future__ import annotations

import pytest

from services.gateway.http.heads import (
    MAX_BODY_BYTES,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MAX_REQUEST_LINE_BYTES,
    HeadParser,
    RequestHead,
)
from services.gateway.web.routes.pro import FORM_AROUND_A_FILE
from shared.contracts.calls.payout import MAX_DOCUMENT_BYTES
from shared.kernel.errors import DomainError

LARGEST_FORM = MAX_DOCUMENT_BYTES + FORM_AROUND_A_FILE


def parsed(head: bytes, piece: int | None = None) -> RequestHead:
    """Parses a complete head that arrives in pieces of so many bytes."""
    parser, received = HeadParser(), bytearray()
    for begin in range(0, len(head), piece or len(head)):
        received += head[begin : begin + (piece or len(head))]
        found = parser.parse(received)
        if found is not None:
            assert received == b"" and begin + (piece or len(head)) >= len(head)
            return found
    raise AssertionError("the parser found no end of the head")


def with_framing(lengths: list[str], transfer_encodings: list[str]) -> bytes:
    fields = [f"Content-Length: {length}" for length in lengths]
    fields += [f"Transfer-Encoding: {encoding}" for encoding in transfer_encodings]
    return "\r\n".join(["POST / HTTP/1.1", "Host: a", *fields, "", ""]).encode()


@pytest.mark.parametrize("lengths", [[], ["0"], [" 17 "], [str(LARGEST_FORM)], [str(MAX_BODY_BYTES)]])
def test_content_length_is_optional(lengths: list[str]) -> None:
    assert parsed(with_framing(lengths, [])).content_length == int((lengths or ["0"])[0])


@pytest.mark.parametrize(
    ("lengths", "encodings", "outcome"),
    [
        (["2", "2"], [], (400, "bad-request")),
        (["2", "3"], ["chunked"], (400, "bad-request")),
        (["+2"], [], (400, "bad-request")),
        (["0x2"], [], (400, "bad-request")),
        (["٢"], [], (400, "bad-request")),
        ([""], [], (400, "bad-request")),
        (["0" * 5_000 + "2"], [], (400, "bad-request")),
        (["9" * 40], [], (400, "bad-request")),
        ([], ["chunked"], (411, "length-required")),
        ([], ["x"], (411, "length-required")),
        ([], [""], (400, "bad-request")),
        (["2"], ["identity"], (400, "bad-request")),
        (["2"], ["chunked"], (400, "bad-request")),
        ([str(MAX_BODY_BYTES + 1)], [], (413, "too-large")),
    ],
)
def test_ambiguous_framing_is_refused(lengths: list[str], encodings: list[str], outcome: tuple[int, str]) -> None:
    for piece in (None, 1, 7):
        with pytest.raises(DomainError) as refusal:
            parsed(with_framing(lengths, encodings), piece)
        assert (refusal.value.status, refusal.value.code) == outcome


def of_size(line: int, head: int, fields: int = 1) -> bytes:
    """A head of ``head`` bytes whose request line has ``line`` bytes, without its CRLF."""
    begin = b"GET /".ljust(line - len(b" HTTP/1.1"), b"x") + b" HTTP/1.1\r\nHost: a\r\n"
    begin += b"a:\r\n" * (fields - 2)
    return begin + b"b: ".ljust(head - len(begin) - 4, b"y") + b"\r\n\r\n"


@pytest.mark.parametrize("piece", [None, 1_000, 1])
def test_the_largest_allowed_head_is_accepted(piece: int | None) -> None:
    largest = of_size(MAX_REQUEST_LINE_BYTES - 2, MAX_HEAD_BYTES, MAX_FIELDS)
    assert len(largest) == MAX_HEAD_BYTES and len(parsed(largest, piece).path) > 8_000


@pytest.mark.parametrize("piece", [None, 1_000, 1])
@pytest.mark.parametrize(
    ("head", "outcome"),
    [
        (of_size(MAX_REQUEST_LINE_BYTES - 1, MAX_HEAD_BYTES), (414, "target-too-long")),
        (of_size(100, MAX_HEAD_BYTES + 1), (431, "fields-too-large")),
        (of_size(100, 4 * MAX_HEAD_BYTES), (431, "fields-too-large")),
        (of_size(100, 1_000, MAX_FIELDS + 1), (431, "fields-too-large")),
        (b"FOO" * MAX_REQUEST_LINE_BYTES, (414, "target-too-long")),
    ],
)
def test_a_head_beyond_a_bound_is_refused(head: bytes, outcome: tuple[int, str], piece: int | None) -> None:
    with pytest.raises(DomainError) as refusal:
        parsed(head, piece)
    assert (refusal.value.status, refusal.value.code) == outcome
