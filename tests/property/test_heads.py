"""What is read of a request without the library is what the library reads of it; the rest is left to the library."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.web.heads import read_head
from services.gateway.web.protocol import OneLength
from shared import green

REQUEST_ID = re.compile(b"X-Request-Id: [0-9a-f]{32}")
BODY = b'{"stockId":1}'
PLAIN = (
    b"POST /v1/bookings HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAuthorization: Bearer a.b-c_d\r\nIdempotency-Key: k 1\r\n"
    b"Content-Type: application/json\r\nContent-Length: 13\r\nConnection: keep-alive\r\n\r\n"
)


class ByTheLibrary(OneLength):
    def _read_request_line(self) -> bytes:
        return super(OneLength, self)._read_request_line()


def answered(protocol: type[OneLength], sent: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """What the application was told of each request of a connection, and what went back over it."""
    told: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(20)
        told.append({name: value for name, value in environ.items() if isinstance(value, str | tuple)} | {"body": body})
        start_response("200 OK", [("Date", "now"), ("Content-Length", str(len(body)))])
        return [body]

    with green.listen(("127.0.0.1", 0)) as listener:
        server = green.wsgi.Server(
            listener, listener.getsockname(), application, log_output=False, socket_timeout=5, url_length_limit=16_384
        )
        with socket.create_connection(listener.getsockname()) as client:
            ours, address = listener.accept()
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            protocol([address, ours, green.wsgi.STATE_IDLE], server)
            went = b"".join(iter(lambda: client.recv(65_536), b""))
    for environ in told:  # each connection has its own ends
        del environ["SERVER_PORT"], environ["REMOTE_PORT"]
    return told, REQUEST_ID.sub(b"", went)


def ways_agree(sent: bytes) -> None:
    assert answered(OneLength, sent) == answered(ByTheLibrary, sent)


def test_a_plain_request_is_read_without_the_library() -> None:
    head = read_head(PLAIN + BODY)
    assert head is not None and (head.size, head.path) == (len(PLAIN), "/v1/bookings")
    (told, *others), _ = answered(OneLength, PLAIN + BODY)
    assert not others and told["body"] == BODY and told["HTTP_IDEMPOTENCY_KEY"] == "k 1"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"POST", b"post"),
        (b"POST", b"\r\nPOST"),
        (b" HTTP/1.1", b" HTTP/1.0"),
        (b" HTTP/1.1", b""),
        (b"/v1/bookings", b"//v1/bookings"),
        (b"/v1/bookings", b"/v1/%62ookings"),
        (b"/v1/bookings", b"http://elsewhere/v1/bookings"),
        (b"Host: ", b"Host : "),
        (b"Host: ", b"Ho_st: "),
        (b"Host: ", b"Host:  "),
        (b"Host: 127.0.0.1:8000", b"Host: "),
        (b"Host: 127.0.0.1:8000", b"Host: 127.0.0.1 "),
        (b"Host: 127.0.0.1:8000", b"Host: \xc3\xa9t\xc3\xa9"),
        (b"Host: 127.0.0.1:8000", b"X: a\r\n b"),
        (b"Host: 127.0.0.1:8000\r\n", b"Host: 127.0.0.1:8000\n"),
        (b"Host: 127.0.0.1:8000", b"content-length: 3"),
        (b"Host: 127.0.0.1:8000", b"Transfer-Encoding: chunked"),
        (b"Host: 127.0.0.1:8000", b"Expect: 100-continue"),
        (b"Content-Length: 13", b"Content-Length: +13"),
        (b"Content-Length: 13", b"Content-Length: 13000000"),
        (b"keep-alive", b"close"),
        (b"keep-alive", b"keep-alive, X-Own"),
    ],
)
def test_what_is_not_plain_is_left_to_the_library(was: bytes, becomes: bytes) -> None:
    changed = PLAIN.replace(was, becomes, 1)
    assert changed != PLAIN and read_head(changed) is None
    ways_agree(changed + BODY)


def test_a_head_that_is_not_whole_is_left_to_the_library() -> None:
    assert all(read_head(PLAIN[:length]) is None for length in range(len(PLAIN)))


names = st.sampled_from(
    [
        "Host",
        "Accept",
        "Content-Type",
        "Content-Length",
        "content-length",
        "Connection",
        "X-Forwarded-For",
        "X-A",
        "x_a",
    ]
)
values = st.one_of(
    st.sampled_from(["13", "0", "keep-alive", "Keep-Alive", "close", "application/json", "a, b", "", " 5", "5 "]),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=8),
)
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "get", "OPTIONS"])
targets = st.one_of(
    st.sampled_from(["/", "/v1/offers/1", "/v1/offers?q=a%20b&page=2", "//x", "/a?b?c", "/a#b", "*", "/%2e%2e/a;b"]),
    st.text(st.sampled_from("/ab.~_-?=&%2;#"), min_size=1, max_size=12),
)
requests = st.builds(
    lambda method, target, fields, body: (
        f"{method} {target} HTTP/1.1\r\n".encode()
        + b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in fields)
        + b"\r\n"
        + body
    ),
    methods,
    targets,
    st.lists(st.tuples(names, values), max_size=5),
    st.sampled_from([b"", BODY]),
)


@given(st.lists(requests, min_size=1, max_size=2))
def test_both_ways_tell_the_same(sent: list[bytes]) -> None:
    """One after the other on a connection, too: where the second begins is where the first ends."""
    ways_agree(b"".join(sent))
