"""Request heads (RFC 9112 §2, §3, §5). llhttp parses them in its strict mode. What it leaves to its caller is checked
here: version, form of the target, Host, length of the body, Expect.

Nothing is repaired. Of what RFC 9112 lets a recipient ignore, only an empty line before the request line is ignored.
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
"""The application accepts far less. A body that it refuses is still read, so that the sender gets the answer; a
longer one is refused unread."""
VERSIONS = ("1.0", "1.1")

_CRLF, _END = b"\r\n", b"\r\n\r\n"
_MALFORMED = "Les en-têtes de la requête sont mal formés."
_REQUEST_LINE_RULE = "La ligne de requête s’écrit : MÉTHODE CIBLE HTTP/1.1."
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
    """Percent-encoded; ``*`` in asterisk form."""
    query: str | None
    fields: dict[str, str]
    """By name in lower case. The values of a repeated name are joined with commas (RFC 9110 §5.3)."""
    content_length: int
    expects_continue: bool
    persistent: bool
    """Whether the client keeps the connection open (RFC 9112 §9.3)."""


class HeadParser:
    """Parses one head, from however many pieces."""

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
        """Removes the head from the front of ``received`` and returns it; None until it is complete.

        Each call gets the same buffer, with more at its end. Raises the refusals of this package.
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
            except HttpParserError:
                if self._parser.get_http_version() not in ("0.0", *VERSIONS):
                    raise VersionNotSupported from None
                if not self._ended:  # after the head it is about the transfer coding: see _content_length
                    raise BadRequest(_MALFORMED) from None
        if not self._method_is_known:
            _refuse_method(received)

    def _checked(self, received: bytearray) -> RequestHead:
        method, version = self._parser.get_method(), self._parser.get_http_version()
        if version not in VERSIONS:
            raise VersionNotSupported
        # llhttp also accepts more spaces, and other protocols
        if not self._ended or not received.startswith(b"%b %b HTTP/%b\r\n" % (method, self._target, version.encode())):
            raise BadRequest(_REQUEST_LINE_RULE)
        _check_size(received)
        if method == b"CONNECT":
            raise NotImplementedMethod
        if len(self._fields) > MAX_FIELDS:
            raise FieldsTooLarge(f"Une requête compte au plus {MAX_FIELDS} en-têtes.")
        fields = self._combined()
        host, path, query = _target(method, self._target)
        if "host" not in fields and version == "1.1":
            raise BadRequest("L’en-tête Host manque.")
        if not _HOST.fullmatch(fields.get("host", "").encode("latin-1")):
            raise BadRequest("L’en-tête Host n’est pas un nom d’hôte.")
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
                    raise BadRequest("L’en-tête Host est donné deux fois.")
                value = f"{fields[name]},{value}"
            fields[name] = value
        return fields


def _refuse_method(received: bytearray) -> None:
    """Refuses the method as soon as the request line is complete, or cannot become one."""
    line, ended, _ = received.partition(_CRLF)
    if not _TOKEN.fullmatch(line.partition(b" ")[0]):
        raise BadRequest("La ligne de requête ne commence pas par une méthode.")
    if ended:
        raise NotImplementedMethod if _REQUEST_LINE.fullmatch(line) else BadRequest(_REQUEST_LINE_RULE)


def _check_size(received: bytearray) -> None:
    if received.find(_CRLF, 0, MAX_REQUEST_LINE_BYTES) < 0 and len(received) >= MAX_REQUEST_LINE_BYTES:
        raise TargetTooLong
    if received.find(_END, 0, MAX_HEAD_BYTES) < 0 and len(received) >= MAX_HEAD_BYTES:
        raise FieldsTooLarge(f"Les en-têtes d’une requête comptent au plus {MAX_HEAD_BYTES} octets.")


def _target(method: bytes, target: bytes) -> tuple[bytes | None, bytes, bytes | None]:
    """Host (of the absolute form only), path and query (RFC 9112 §3.2)."""
    if found := _ORIGIN_FORM.fullmatch(target):
        return None, found[1], found[2]
    if found := _ABSOLUTE_FORM.fullmatch(target):
        return found[1], found[2] or b"/", found[3]
    if target == b"*" and method == b"OPTIONS":
        return None, target, None
    raise BadRequest("L’adresse est invalide : encodez les caractères spéciaux (« %20 »).")


def _content_length(fields: dict[str, str]) -> int:
    """llhttp has refused a second length, and a length beside a transfer coding."""
    if "transfer-encoding" in fields:
        raise LengthRequired("Envoyez le contenu en une fois, avec un en-tête Content-Length.")
    length = fields.get("content-length", "0")
    if not _LENGTH.fullmatch(length):
        raise BadRequest("L’en-tête Content-Length n’est pas un nombre.")
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
