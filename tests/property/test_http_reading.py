"""What the application is told of a connection's bytes equals what h11, another reader of HTTP/1.1, reads in them.

h11 takes what RFC 9112 lets a recipient overlook. ``STRICTER`` names everything that is refused here all the same;
nothing else may differ, in either direction, however the bytes arrive.
"""

from __future__ import annotations

import itertools
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.gateway.http.connections import Connection, Times
from services.gateway.http.heads import MAX_BODY_BYTES
from services.gateway.http.responses import Response
from shared import green
from shared.kernel.errors import DomainError

Told = dict[str, str | bytes]
ENDS = re.compile(rb"\n\r?\n")
KNOWN_METHODS = b"""
    ACL BIND CHECKOUT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY OPTIONS
    PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK
    UNSUBSCRIBE
""".split()
"""Those that llhttp reads, without CONNECT."""


@dataclass(frozen=True)
class Message:
    """A head that h11 has read."""

    raw: bytes
    request: h11.Request

    def values(self, name: bytes) -> list[bytes]:
        return [value for one, value in self.request.headers if one == name]


def chars(text: str) -> str:
    return f"(?:[{re.escape('!$&()*+,;=._~-')}'A-Za-z0-9{text}]|%[0-9A-Fa-f]{{2}})"


ORIGIN = re.compile(rf"/{chars(':@/')}*(\?{chars(':@/?')}*)?".encode())
HOST = re.compile(rf"((\[[0-9A-Fa-f:.]+\]|{chars('')}+)(:[0-9]*)?)?".encode())


def is_target(message: Message) -> bool:
    target = message.request.target
    if target == b"*":
        return message.request.method == b"OPTIONS"
    scheme, separator, rest = target.partition(b"://")
    if separator and scheme.lower() in (b"http", b"https"):
        authority, origin = re.fullmatch(rb"([^/?]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
        return bool(authority and HOST.fullmatch(authority) and ORIGIN.fullmatch(b"/" + origin.removeprefix(b"/")))
    return bool(ORIGIN.fullmatch(target))


STRICTER: dict[str, Callable[[Message], bool]] = {
    # RFC 9112 §2.2: a recipient MAY take a bare LF for the end of a line; one before us might not
    "a line that ends with LF alone": lambda one: bool(re.search(rb"(?<!\r)\n", one.raw)),
    # RFC 9112 §5.2: MUST be refused, or replaced by spaces
    "obs-fold": lambda one: bool(re.search(rb"\n[ \t]", one.raw)),
    # RFC 9110 §5.5: characters beside HTAB, SP, VCHAR, obs-text are no field value; h11 refuses CR, LF, NUL only
    "a control character in a value": lambda one: any(
        re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value) for _, value in one.request.headers
    ),
    # RFC 9110 §2.5: another major version is not ours; nobody has defined another minor one, and llhttp takes none
    "another version": lambda one: one.request.http_version not in (b"1.0", b"1.1"),
    # RFC 9110 §9.1: an unknown method SHOULD be answered with 501; so is CONNECT, which is for proxies (§9.3.6)
    "another method": lambda one: one.request.method not in KNOWN_METHODS,
    # RFC 9112 §3.2: h11 takes any visible characters for a target
    "a target of no form": lambda one: not is_target(one),
    # RFC 9112 §3.2: a Host that is no host MUST be refused
    "a Host that is none": lambda one: any(not HOST.fullmatch(value) for value in one.values(b"host")),
    # RFC 9112 §6.3: lengths that are the same MAY be refused
    "a Content-Length given twice": lambda one: bool(
        re.search(rb"(?i)\ncontent-length:[^\n]*,|\ncontent-length:.*\ncontent-length:", one.raw, re.DOTALL)
    ),
    # RFC 9112 §6.3: a body without Content-Length MAY be refused; with both, it ought to be (§6.1)
    "a transfer coding": lambda one: bool(one.values(b"transfer-encoding")),
    # RFC 9110 §8.6: one that is too large; h11 has no limit
    "a body beyond reason": lambda one: (
        int(one.values(b"content-length")[0:1][0] if one.values(b"content-length") else 0) > MAX_BODY_BYTES
    ),
    # RFC 9110 §10.1.1: other expectations MAY be answered with 417
    "an unknown expectation": lambda one: b",".join(one.values(b"expect")).lower() not in (b"", b"100-continue"),
}
"""What h11 takes and the gateway refuses, and why it may."""


def read_by_h11(sent: bytes) -> tuple[list[Told], str]:
    """The requests with whole bodies, and what ends the connection: ``refused``, or ``closed`` by either side."""
    told: list[Told] = []
    while True:
        sent = re.sub(rb"\A(\r\n)+", b"", sent)  # RFC 9112 §2.2: SHOULD be ignored; h11 refuses it
        if not sent:
            return told, "closed"
        reader = h11.Connection(h11.SERVER)
        reader.receive_data(sent)
        reader.receive_data(b"")
        try:
            request = reader.next_event()
            if not isinstance(request, h11.Request):
                return told, "refused"
            message = Message(sent[: ENDS.search(sent).end()], request)  # type: ignore[union-attr]
            if any(refuses(message) for refuses in STRICTER.values()):
                return told, "refused"
            if reader.they_are_waiting_for_100_continue:
                reader.send(h11.InformationalResponse(status_code=100, headers=[]))
            body = b""
            while isinstance(event := reader.next_event(), h11.Data):
                body += event.data
            if reader.our_state is h11.SEND_RESPONSE:
                reader.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                reader.send(h11.EndOfMessage())
        except h11.RemoteProtocolError:
            return told, "refused"
        told.append({**environ_of(message), "body": body})
        if reader.our_state is h11.MUST_CLOSE:
            return told, "closed"
        sent = sent[len(message.raw) + len(body) :]


def environ_of(message: Message) -> Told:
    """PEP 3333, with what RFC 9112 says of the target."""
    target = message.request.target.decode()
    told: Told = {}
    for name, raw in message.request.headers:
        if b"_" in name:
            continue
        variable = name.decode().upper().replace("-", "_")
        variable = variable if variable in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{variable}"
        value = raw.decode("latin-1")
        told[variable] = f"{told[variable]},{value}" if variable in told else value  # type: ignore[str-bytes-safe]
    if target.startswith("/") or target == "*":
        path, _, query = target.partition("?")
    else:
        absolute = urlsplit(target)
        path, query, told["HTTP_HOST"] = absolute.path or "/", absolute.query, absolute.netloc
    return {
        **told,
        "REQUEST_METHOD": message.request.method.decode(),
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
    }


class Recorder:
    """An application, and what it was told."""

    def __init__(self) -> None:
        self.told: list[Told] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        names = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH")
        self.told.append(
            {name: value for name, value in environ.items() if name.startswith("HTTP_") or name in names}
            | {"body": body}
        )
        start_response("200 OK", [("Content-Length", "0")])
        return []


def refuse(refusal: DomainError, method: str, path: str) -> Response:
    return Response(refusal.status, [], b"refused")


@contextmanager
def served(application: Recorder) -> Iterator[Any]:
    """A client whose connection the gateway serves."""
    with green.listen(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        accepted, peer = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(accepted, peer, application, refuse, Times(), lambda *_: None)
        serving = green.spawn(connection.serve)
        yield client
        serving.wait()


def read_by_the_gateway(pieces: Iterable[bytes]) -> tuple[list[Told], str]:
    recorder = Recorder()
    with served(recorder) as client:
        try:
            for piece in pieces:
                client.sendall(piece)
                green.sleep(0)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was refused meanwhile
        answered = b"".join(iter(lambda: client.recv(65_536), b""))
    statuses = re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", answered)
    statuses = [status for status in statuses if status != b"100"]
    refused = statuses[len(recorder.told) :]
    assert statuses[: len(recorder.told)] == [b"200"] * len(recorder.told), answered
    assert len(refused) <= 1 and all(b"400" <= status < b"600" for status in refused), answered
    return recorder.told, "refused" if refused else "closed"


def agree(pieces: list[bytes]) -> None:
    assert read_by_the_gateway(pieces) == read_by_h11(b"".join(pieces))


GET = b"GET /v1/offers/1?q=a%20b HTTP/1.1\r\nHost: localhost:8000\r\nAccept: */*\r\n\r\n"
POST = (
    b"POST /v1/bookings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nIdempotency-Key: k 1\r\n"
    b'Content-Length: 13\r\n\r\n{"stockId":1}'
)
EXPECTING = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
UPGRADING = POST.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
CLOSING = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: TE, close\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
ABSOLUTE = b"GET HTTP://other:80?q HTTP/1.1\r\nHost: localhost\r\n\r\n"
WHOLE = [GET, POST, EXPECTING, UPGRADING, CHUNKED, CLOSING, OLD, ABSOLUTE]

HOSTILE = [
    *(bytes([code]) for code in (0, 1, *range(9, 14), *b' "#%*,/:;?@[_', 127, 128, 255)),
    *(b"\r\n", b"\r\n ", b"\n\n", b"\r\n\r\n", b"\r\n\r\nGET / HTTP/1.1\r\n", b"0\r\n\r\n", b" :", b": ", b"  "),
    *(b"%zz", b"%2f", b"/../", b"//", b"http://", b"https://a@b", b"GET", b"get", b"CONNECT", b"OPTIONS", b"FOO"),
    *(b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b"HTTP/0.9", b"RTSP/1.0", b"PRI", b"Host: b", b"\r\nHost: b"),
    *(b"\r\nHost:", b"\r\nX-A : b", b"\r\nX_A: b", b"\r\nno colon", b"\r\n: b", b"\r\nX:", b"\r\nContent-Length:"),
    *(b"\r\nContent-Length: 13", b"\r\nContent-Length: 0", b"\r\nContent-Length: 3, 3", b"\r\nContent-Length: +3"),
    *(b"\r\nContent-Length: 99999999999", b"\r\nTransfer-Encoding: chunked\r\nContent-Length: 3"),
    *(b"\r\nTransfer-Encoding: chunked", b"\r\nTransfer-Encoding: x", b"\r\nTransfer-Encoding:", b"\r\nTE: trailers"),
    *(b"\r\nExpect: x", b"\r\nExpect: 100-continue", b"\r\nConnection: close", b"\r\nConnection: keep-alive, Upgrade"),
    b"\r\nUpgrade: websocket",
]  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A request in which something hostile stands in a few places, or something is missing."""
    message = draw(st.sampled_from(WHOLE))
    for _ in range(draw(st.integers(0, 3))):
        begin = draw(st.integers(0, len(message)))
        end = draw(st.integers(begin, min(len(message), begin + 12)))
        message = message[:begin] + draw(st.sampled_from([b"", *HOSTILE])) + message[end:]
    return message


names = st.sampled_from(
    ["Host", "Accept", "Content-Type", "Content-Length", "Connection", "X-Forwarded-For", "X-A", "x_a"]
)
values = st.one_of(
    st.sampled_from(["13", "0", "keep-alive", "close", "application/json", "a, b", "", " 5", "5 ", "[::1]:80", "a:b"]),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=8),
)
made_up = st.builds(
    lambda method, target, version, fields, body: (
        f"{method} {target} HTTP/{version}\r\nHost: a\r\n".encode()
        + b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in fields)
        + b"\r\n"
        + body
    ),
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "get", "OPTIONS", "CONNECT", "FOO"]),
    st.one_of(
        st.sampled_from(
            ["/", "/v1/offers?q=a%20b&page=2", "//x", "/a?b?c", "/a#b", "*", "/%2e%2e/a;b", "a:80", "http://a/b"]
        ),
        st.text(st.sampled_from("/ab.~_-?=&%2;#:@[]{|\"'"), min_size=1, max_size=12),
    ),
    st.sampled_from(["1.1", "1.1", "1.1", "1.0", "1.2", "2.0", "11"]),
    st.lists(st.tuples(names, values), max_size=5),
    st.sampled_from([b"", b'{"stockId":1}']),
)
streams = st.one_of(
    st.lists(st.one_of(st.sampled_from(WHOLE), spoilt(), made_up), min_size=1, max_size=3).map(b"".join),
    st.binary(max_size=200),
)


@st.composite
def arriving(draw: st.DrawFn) -> list[bytes]:
    """Whole, byte by byte, or cut anywhere."""
    sent = draw(streams)
    cuts = draw(
        st.one_of(st.just([]), st.just(list(range(1, len(sent)))), st.lists(st.integers(1, len(sent) or 1), max_size=5))
    )
    edges = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    return [sent[begin:end] for begin, end in itertools.pairwise(edges)]


@settings(max_examples=int(os.environ.get("EXAMPLES", 500)))
@given(arriving())
@example([GET + POST + CLOSING + GET])
@example([POST[:-13] + b"\r\n", POST])
@example([EXPECTING[:-13], EXPECTING[-13:] + UPGRADING + ABSOLUTE + OLD])
@example([b"\r\n\r\n" + GET, b"\r", b"\n" + GET])
@example([GET + GET.replace(b"HTTP/1.1", b"HTTP/2.0")])
def test_the_application_is_told_what_a_strict_reader_reads(pieces: list[bytes]) -> None:
    agree(pieces)


@pytest.mark.parametrize("hostile", HOSTILE, ids=repr)
def test_something_hostile_in_every_place(hostile: bytes) -> None:
    """Exhaustively, where hypothesis takes samples: between any two parts of a head."""
    head, body = POST[:-13], POST[-13:]
    places = sorted({found.start() for found in re.finditer(rb"[ :/]|\r\n|\b", head)})
    for place in places:
        agree([head[:place] + hostile + head[place:] + body + GET])


def test_whole_requests_are_all_told() -> None:
    told, end = read_by_the_gateway([GET + POST + EXPECTING + UPGRADING + ABSOLUTE + CLOSING])
    assert [(one["REQUEST_METHOD"], one["PATH_INFO"], len(one["body"])) for one in told] == [
        ("GET", "/v1/offers/1", 0),
        ("POST", "/v1/bookings", 13),
        ("POST", "/v1/bookings", 13),
        ("POST", "/v1/bookings", 13),
        ("GET", "/", 0),
        ("GET", "/", 0),
    ]
    assert (told[4]["HTTP_HOST"], told[4]["QUERY_STRING"], end) == ("other:80", "q", "closed")


STRICTER_EXAMPLES = {
    "a line that ends with LF alone": GET.replace(b"\r\nAccept", b"\nAccept"),
    "obs-fold": GET.replace(b"*/*", b"*/*\r\n b"),
    "a control character in a value": GET.replace(b"*/*", b"\x01"),
    "another version": GET.replace(b"HTTP/1.1", b"HTTP/1.2"),
    "another method": GET.replace(b"GET", b"FOO"),
    "a target of no form": GET.replace(b"/v1", b"v1"),
    "a Host that is none": GET.replace(b"localhost", b"local/host"),
    "a Content-Length given twice": POST.replace(b"Length: 13", b"Length: 13, 13"),
    "a transfer coding": CHUNKED,
    "a body beyond reason": POST.replace(b"Length: 13", b"Length: 99999999999"),
    "an unknown expectation": EXPECTING.replace(b"100-continue", b"200-ok"),
}


@pytest.mark.parametrize("difference", STRICTER)
def test_each_difference_is_one(difference: str) -> None:
    """h11 takes the example, the gateway refuses it, and no other difference explains that."""
    sent = STRICTER_EXAMPLES[difference]
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(sent)
    request = reader.next_event()
    assert isinstance(request, h11.Request)
    message = Message(sent[: ENDS.search(sent).end()], request)  # type: ignore[union-attr]
    assert [name for name, refuses in STRICTER.items() if refuses(message)] == [difference]
    assert read_by_the_gateway([sent]) == ([], "refused")
