"""Request heads (RFC 9112 §2, §3, §5). llhttp reads them with every leniency off; what it leaves to its caller is
checked here: the version, the form of the target, Host, the length of the body, expectations.

Nothing is repaired. Of what RFC 9112 allows a recipient to overlook, only an empty line before the request line is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade, HttpRequestParser

from services.gateway.http.refusals import (
    BadRequest,
    ExpectationFailed,
    FieldsTooLarge,
    LengthRequired,
    NotImplementedMethod,
    TargetTooLong,
    TooLarge,
    VersionNotSupported,
)

MAX_HEAD_BYTES = 16 * 1024
MAX_REQUEST_LINE_BYTES = 8 * 1024
"""RFC 9112 §3 recommends 8,000 octets at least."""
MAX_FIELDS = 100
MAX_BODY_BYTES = 64 * 1024 * 1024
"""The application takes far less. What it refuses is read to its end all the same, so that the sender gets the answer;
a longer body is refused unread."""
VERSIONS = ("1.0", "1.1")

_CRLF, _END = b"\r\n", b"\r\n\r\n"
_REQUEST_LINE_RULE = "the request line is METHOD SP TARGET SP HTTP/1.1"
_REQUEST_LINE = re.compile(rb"[^ ]+ [!-~]+ HTTP/[0-9]\.[0-9]")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PCHARS = rb"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]++|%[0-9A-Fa-f]{2})*+"
_SEGMENT = rb"/" + _PCHARS
_QUERY = rb"(?:\?((?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]++|%[0-9A-Fa-f]{2})*+))?"
_AUTHORITY = rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]++|%[0-9A-Fa-f]{2})++)(?::[0-9]*)?"
_ORIGIN_FORM = re.compile(rb"((?:" + _SEGMENT + rb")+)" + _QUERY)
_ABSOLUTE_FORM = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://(" + _AUTHORITY + rb")((?:" + _SEGMENT + rb")*)" + _QUERY)
_HOST = re.compile(rb"(?:" + _AUTHORITY + rb")?")
_LENGTH = re.compile(r"[0-9]{1,19}")


@dataclass(slots=True)
class RequestHead:
    method: str
    path: str
    """As it came, percent-encoded; ``*`` in asterisk form."""
    query: str | None
    fields: dict[str, str]
    """By name in lower case; the values of a name that came more than once are joined with commas (RFC 9110 §5.3)."""
    content_length: int
    expects_continue: bool
    persistent: bool
    """Whether the client takes another response on this connection (RFC 9112 §9.3)."""


class HeadParser:
    """Reads one head, however its bytes arrive."""

    def __init__(self) -> None:
        self._parser = HttpRequestParser(self)
        self._parsed = 0
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._ended = False
        self._method_is_known = True

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        self._ended = True

    def parse(self, received: bytearray) -> RequestHead | None:
        """The head at the front of ``received``, which loses its bytes; None until all of it is there.

        ``received`` is the same at each call, with more at its end. Raises the refusals of this package.
        """
        if not self._parsed:
            while received.startswith(_CRLF):
                del received[: len(_CRLF)]  # RFC 9112 §2.2
            if not received.removeprefix(b"\r"):
                return None
        found = received.find(_END, max(0, self._parsed - len(_END) + 1), MAX_HEAD_BYTES)
        size = found + len(_END) if found >= 0 else min(len(received), MAX_HEAD_BYTES)
        self._feed(bytes(received[self._parsed : size]), received)
        self._parsed = size
        if found < 0:
            _check_size(received)
            return None
        head = self._checked(received)
        del received[:size]
        return head

    def _feed(self, data: bytes, received: bytearray) -> None:
        if self._method_is_known:
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade:
                pass  # an offer, which is not taken (RFC 9110 §7.8); how long the body is does not change
            except HttpParserInvalidMethodError:
                self._method_is_known = False
            except HttpParserError as error:
                if self._parser.get_http_version() not in ("0.0", *VERSIONS):
                    raise VersionNotSupported from None
                if not self._ended:  # otherwise it is about the coding of the body: see _content_length
                    raise BadRequest(str(error)) from None
        if not self._method_is_known:
            _refuse_method(received)

    def _checked(self, received: bytearray) -> RequestHead:
        method, version = self._parser.get_method(), self._parser.get_http_version()
        if version not in VERSIONS:
            raise VersionNotSupported
        # one space, one space, one line: llhttp takes more of them, and other protocols
        if not self._ended or not received.startswith(b"%b %b HTTP/%b\r\n" % (method, self._target, version.encode())):
            raise BadRequest(_REQUEST_LINE_RULE)
        _check_size(received)
        if method == b"CONNECT":
            raise NotImplementedMethod
        if len(self._fields) > MAX_FIELDS:
            raise FieldsTooLarge(f"a request has at most {MAX_FIELDS} header fields")
        fields = self._combined()
        host, path, query = _target(method, self._target)
        if "host" not in fields and version == "1.1":
            raise BadRequest("a request names its Host")
        if not _HOST.fullmatch(fields.get("host", "").encode("latin-1")):
            raise BadRequest("the Host is not a host")
        if host is not None:
            fields["host"] = host.decode()  # RFC 9112 §3.2.2
        return RequestHead(
            method.decode(),
            path.decode(),
            None if query is None else query.decode(),
            fields,
            _content_length(fields),
            _expects_continue(fields) and version == "1.1",
            version == "1.1" and "close" not in _tokens(fields.get("connection", "")),
        )

    def _combined(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        for raw_name, raw_value in self._fields:
            name, value = _lower(raw_name), raw_value.decode("latin-1").strip(" \t")
            if name in fields:
                if name == "host":
                    raise BadRequest("a request has one Host")
                value = f"{fields[name]},{value}"
            fields[name] = value
        return fields


def _refuse_method(received: bytearray) -> None:
    """Waits for a whole request line, unless it is none already."""
    line, ended, _ = received.partition(_CRLF)
    if not _TOKEN.fullmatch(line.partition(b" ")[0]):
        raise BadRequest("the request line does not begin with a method")
    if ended:
        raise NotImplementedMethod if _REQUEST_LINE.fullmatch(line) else BadRequest(_REQUEST_LINE_RULE)


def _check_size(received: bytearray) -> None:
    if received.find(_CRLF, 0, MAX_REQUEST_LINE_BYTES) < 0 and len(received) >= MAX_REQUEST_LINE_BYTES:
        raise TargetTooLong
    if received.find(_END, 0, MAX_HEAD_BYTES) < 0 and len(received) >= MAX_HEAD_BYTES:
        raise FieldsTooLarge(f"the head of a request has at most {MAX_HEAD_BYTES} bytes")


def _target(method: bytes, target: bytes) -> tuple[bytes | None, bytes, bytes | None]:
    """Host (of the absolute form only), path and query (RFC 9112 §3.2)."""
    if found := _ORIGIN_FORM.fullmatch(target):
        return None, found[1], found[2]
    if found := _ABSOLUTE_FORM.fullmatch(target):
        return found[1], found[2] or b"/", found[3]
    if target == b"*" and method == b"OPTIONS":
        return None, target, None
    raise BadRequest("the target is a path with its query, or an http address; other characters are percent-encoded")


def _content_length(fields: dict[str, str]) -> int:
    """llhttp has refused a second length, one that is no number, and a length beside a transfer coding."""
    if "transfer-encoding" in fields:
        raise LengthRequired("send the body whole, with its Content-Length")
    length = fields.get("content-length", "0")
    if not _LENGTH.fullmatch(length):
        raise BadRequest("a body has one Content-Length, a number")
    if int(length) > MAX_BODY_BYTES:
        raise TooLarge
    return int(length)


def _expects_continue(fields: dict[str, str]) -> bool:
    expectation = fields.get("expect", "").lower()
    if expectation not in ("", "100-continue"):
        raise ExpectationFailed
    return bool(expectation)


def _tokens(value: str) -> list[str]:
    return [token.strip(" \t").lower() for token in value.split(",")]


@lru_cache(500)
def _lower(name: bytes) -> str:
    return name.decode("ascii").lower()
