"""Malformed and unsupported HTTP/1.1 requests get one problem document, then the server closes the connection.

A valid request follows each. It must not be answered, because the server cannot know where it starts (request
smuggling).
"""

from __future__ import annotations

import json
import re
import socket

import pytest

from services.gateway.http.heads import MAX_FIELDS, MAX_HEAD_BYTES, MAX_REQUEST_LINE_BYTES
from tests.platform import Platform

FOLLOWING = b"GET /health/live HTTP/1.1\r\nHost: behind\r\n\r\n"
BAD = (400, "bad-request")


def get(*fields: bytes, line: bytes = b"GET /health/live HTTP/1.1", host: bytes = b"Host: localhost") -> bytes:
    return b"\r\n".join([line, *([host] if host else []), *fields, b"", b""])


def post(*fields: bytes, body: bytes = b"{}") -> bytes:
    return get(*fields, line=b"POST /v1/auth/sign-in HTTP/1.1") + body


REFUSED = {
    # RFC 9112 §2.2: lines
    "lines that end with LF": (get().replace(b"\r\n", b"\n"), BAD),
    "one line that ends with LF": (get(b"X: a\nContent-Length: 3"), BAD),
    "lines that end with CR": (get().replace(b"\r\n", b"\r"), BAD),
    "a bare CR in a value": (post(b"X: a\rContent-Length: 3"), BAD),
    "a bare CR before a field": (post(b"\rContent-Length: 3"), BAD),
    "a bare CR before the end": (get(b"X: a\r"), BAD),
    "white space before the first field": (get(host=b" Host: localhost"), BAD),
    "NUL in a value": (get(b"X: a\0b"), BAD),
    "a control character in a value": (get(b"X: a\x01b"), BAD),
    # §3: the request line
    "a TLS handshake": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", BAD),
    "plain text": (b"hello there\r\n\r\n", BAD),
    "a request line without version": (b"GET /health/live\r\n\r\n", (505, "version-not-supported")),
    "a request line without target": (get(line=b"GET HTTP/1.1"), BAD),
    "two spaces before the target": (get(line=b"GET  /health/live HTTP/1.1"), BAD),
    "two spaces before the version": (get(line=b"GET /health/live  HTTP/1.1"), BAD),
    "a space after the version": (get(line=b"GET /health/live HTTP/1.1 "), BAD),
    "a tab instead of a space": (get(line=b"GET\t/health/live HTTP/1.1"), BAD),
    "a space before the method": (get(line=b" GET /health/live HTTP/1.1"), BAD),
    "a line feed before the method": (b"\n" + get(), BAD),
    "an invalid method token": (get(line=b"G{T /health/live HTTP/1.1"), BAD),
    "an unknown method and version": (get(line=b"FOO /health/live HTTP/x"), BAD),
    "an unknown method": (get(line=b"FOO /health/live HTTP/1.1"), (501, "method-not-implemented")),
    "a method in small letters": (get(line=b"get /health/live HTTP/1.1"), (501, "method-not-implemented")),
    "CONNECT": (get(line=b"CONNECT localhost:80 HTTP/1.1"), (501, "method-not-implemented")),
    "HTTP/0.9": (get(line=b"GET /health/live HTTP/0.9"), (505, "version-not-supported")),
    "HTTP/1.2": (get(line=b"GET /health/live HTTP/1.2"), (505, "version-not-supported")),
    "HTTP/2": (get(line=b"GET /health/live HTTP/2.0"), (505, "version-not-supported")),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (505, "version-not-supported")),
    "a version of two digits": (get(line=b"GET /health/live HTTP/1.10"), BAD),
    "a version in small letters": (get(line=b"GET /health/live http/1.1"), BAD),
    "another protocol": (get(line=b"GET /health/live RTSP/1.0"), BAD),
    # §3.2: the target
    "a relative target": (get(line=b"GET health/live HTTP/1.1"), BAD),
    "an authority as the target": (get(line=b"GET localhost:80 HTTP/1.1"), BAD),
    "an asterisk without OPTIONS": (get(line=b"GET * HTTP/1.1"), BAD),
    "another scheme": (get(line=b"GET ftp://localhost/health/live HTTP/1.1"), BAD),
    "an absolute form without host": (get(line=b"GET http:///health/live HTTP/1.1"), BAD),
    "an absolute form with user information": (get(line=b"GET http://a@localhost/health/live HTTP/1.1"), BAD),
    "a fragment": (get(line=b"GET /health/live#x HTTP/1.1"), BAD),
    "a raw character beyond ASCII": (get(line="GET /v1/offers?q=é HTTP/1.1".encode()), BAD),
    "a raw quotation mark": (get(line=b'GET /v1/offers?q="a" HTTP/1.1'), BAD),
    "an incomplete percent-encoding": (get(line=b"GET /v1/offers?q=%zz HTTP/1.1"), BAD),
    # §3.2: Host
    "no Host": (get(host=b""), BAD),
    "two Hosts": (get(b"Host: other"), BAD),
    "the same Host twice": (get(b"HOST: localhost"), BAD),
    "two Hosts in one": (get(host=b"Host: localhost, other"), BAD),
    "a Host with a path": (get(host=b"Host: localhost/health"), BAD),
    "a Host with user information": (get(host=b"Host: a@localhost"), BAD),
    "two Hosts, HTTP/1.0": (get(b"Host: other", line=b"GET /health/live HTTP/1.0"), BAD),
    # §5: fields
    "a space before the colon": (get(b"X-A : b"), BAD),
    "a tab before the colon": (get(b"X-A\t: b"), BAD),
    "a space before the colon of the length": (post(b"Content-Length : 2"), BAD),
    "a line without colon": (get(b"no colon"), BAD),
    "an empty field name": (get(b": b"), BAD),
    "a name with a bracket": (get(b"X(A: b"), BAD),
    "obs-fold": (get(b"X: a\r\n b"), BAD),
    "obs-fold with a tab": (get(b"X: a\r\n\tb"), BAD),
    "obs-fold of an empty value": (get(b"X:\r\n b"), BAD),
    "obs-fold of the length": (post(b"Content-Length:\r\n 2"), BAD),
    # §6: the length of a body
    "two lengths": (post(b"Content-Length: 2", b"Content-Length: 47"), BAD),
    "the same length twice": (post(b"Content-Length: 2", b"Content-Length: 2"), BAD),
    "the same length twice in one": (post(b"Content-Length: 2, 2"), BAD),
    "a length with a sign": (post(b"Content-Length: +2"), BAD),
    "a negative length": (post(b"Content-Length: -2"), BAD),
    "a length in hexadecimal": (post(b"Content-Length: 0x2"), BAD),
    "a length with an underscore": (post(b"Content-Length: 0_2"), BAD),
    "a length with a space in it": (post(b"Content-Length: 2 2"), BAD),
    "a length with a vertical tab": (post(b"Content-Length: \x0b2"), BAD),
    "an empty length": (post(b"Content-Length:"), BAD),
    "a length of forty digits": (post(b"Content-Length: " + b"9" * 40), BAD),
    "a length above the limit": (post(b"Content-Length: 99999999999"), (413, "too-large")),
    "chunks": (post(b"Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"), (411, "length-required")),
    "chunks of an HTTP/1.0 client": (
        get(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.0") + b"0\r\n\r\n",
        (411, "length-required"),
    ),
    "an unknown coding": (post(b"Transfer-Encoding: xchunked"), (411, "length-required")),
    "the identity coding": (post(b"Transfer-Encoding: identity"), (411, "length-required")),
    "two codings": (post(b"Transfer-Encoding: gzip, chunked"), (411, "length-required")),
    "two codings in two fields": (
        post(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"),
        (411, "length-required"),
    ),
    "chunked is not the last coding": (post(b"Transfer-Encoding: chunked, gzip"), BAD),
    "an empty coding": (post(b"Transfer-Encoding:"), BAD),
    "a length, then chunks": (post(b"Content-Length: 2", b"Transfer-Encoding: chunked"), BAD),
    "chunks, then a length": (post(b"Transfer-Encoding: chunked", b"Content-Length: 2"), BAD),
    "a length and an unknown coding": (post(b"Content-Length: 2", b"Transfer-Encoding: x"), BAD),
    "chunks with a space before the colon": (post(b"Transfer-Encoding : chunked", b"Content-Length: 2"), BAD),
    "chunks after a vertical tab": (post(b"Transfer-Encoding: \x0bchunked", b"Content-Length: 2"), BAD),
    # RFC 9110 §10.1.1
    "an unknown expectation": (post(b"Expect: 200-ok", b"Content-Length: 2"), (417, "expectation-failed")),
    # sizes
    "a long request line": (
        get(line=b"GET /" + b"x" * MAX_REQUEST_LINE_BYTES + b" HTTP/1.1"),
        (414, "target-too-long"),
    ),
    "a large head": (get(b"X: " + b"x" * MAX_HEAD_BYTES), (431, "fields-too-large")),
    "many fields": (get(*[b"X: x"] * MAX_FIELDS), (431, "fields-too-large")),
    # §8: incomplete messages; no request follows these
    "a truncated head": (get()[:-2], BAD),
    "a truncated line": (b"GET /health", BAD),
    "a truncated body": (post(b"Content-Type: application/json", b"Content-Length: 3"), BAD),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_invalid_request_gets_one_refusal_and_closes_the_connection(platform: Platform, kind: str) -> None:
    sent, outcome = REFUSED[kind]
    answer = exchange(platform, sent if "truncated" in kind else sent + FOLLOWING)
    head, _, body = answer.partition(b"\r\n\r\n")
    document = json.loads(body)  # exactly one document: the following request is not answered
    assert (document["status"], document["code"]) == outcome
    assert (document["type"], bool(document["title"])) == (f"/problems/{document['code']}", True)
    assert head.startswith(b"HTTP/1.1 %d " % outcome[0])
    names = {name: value for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:])}
    assert names[b"Content-Type"] == b"application/problem+json"
    assert names[b"Connection"] == b"close"
    assert b"Server" not in names
    assert not re.search(rb"(?i)python|eventlet|llhttp|httptools|nameko|werkzeug|flask", answer)
    assert names[b"X-Request-Id"].decode() in {line.get("correlation_id") for line in log(platform)}


SERVED = {
    "origin form": get(),
    "absolute form": get(line=b"GET http://other:8000/health/live HTTP/1.1"),
    "absolute form in capitals": get(line=b"GET HTTPS://OTHER/health/live HTTP/1.1"),
    "an empty line first": b"\r\n" + get(),
    "a percent-encoded path": get(line=b"GET /health%2Flive HTTP/1.1"),
    "an empty Host": get(host=b"Host:"),
    "a Host of IPv6": get(host=b"Host: [::1]:8000"),
    "HTTP/1.0 without Host": get(line=b"GET /health/live HTTP/1.0", host=b""),
    "spaces around values": get(b"X: \t a \t ", b"Y:"),
    "a value beyond ASCII": get("X: é".encode()),
    "an offer to upgrade": get(
        b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"
    ),
    "a length of zero": get(b"Content-Length: 0"),
    "HTTP/1.1 that closes": get(b"Connection: close"),
}


@pytest.mark.parametrize("kind", SERVED)
def test_valid_request_and_the_next_one_are_served(platform: Platform, kind: str) -> None:
    closes = kind in ("HTTP/1.0 without Host", "HTTP/1.1 that closes")
    answer = exchange(platform, SERVED[kind] + FOLLOWING)
    assert re.findall(rb"HTTP/1\.1 ([0-9]{3})", answer) == [b"200"] * (1 if closes else 2)


def test_log_lines_are_json(platform: Platform) -> None:
    assert all("event" in line for line in log(platform))


def exchange(platform: Platform, sent: bytes) -> bytes:
    """All received bytes until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", platform.port), timeout=60) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def log(platform: Platform) -> list[dict[str, object]]:
    """The log lines, without the one that tells the user the address. Raises JSONDecodeError."""
    lines = [line for path in platform.folder.glob("*.log") for line in path.read_text("utf-8").splitlines()]
    return [json.loads(line) for line in lines if not line.startswith("pass Culture is ready")]
