"""One connection: its requests one after the other, each to the WSGI application (PEP 3333) and back."""

from __future__ import annotations

import io
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import structlog

from services.gateway.http.bodies import RequestBody
from services.gateway.http.heads import MAX_BODY_BYTES, MAX_REQUEST_LINE_BYTES, HeadParser, RequestHead
from services.gateway.http.refusals import BadRequest, InternalError, RequestTimeout
from services.gateway.http.responses import Headers, Response, encoded_head
from services.gateway.http.streams import Stream
from shared import green
from shared.kernel.errors import DomainError

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Refuse = Callable[[DomainError, str, str], Response]
"""Logs a refusal of a method and path, and returns its response."""

log = structlog.get_logger()
MAX_LOGGED_METHOD = 32
_WITHOUT_CONTENT = ("1", "204", "304")


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds."""

    head: float = 10.0
    """From the first byte of a request to the end of its head."""
    body: float = 20.0
    send: float = 30.0
    """For a response."""
    bytes_per_second: float = 64 * 1024
    """Bodies and responses get one more second for each of these."""
    idle: float = 75.0
    """Between two requests, and before the first."""
    linger: float = 2.0
    """For the peer to close after the last response."""


class Connection:
    def __init__(
        self,
        sock: Any,
        peer: tuple[Any, ...],
        application: Wsgi,
        refuse: Refuse,
        times: Times,
        be_idle: Callable[[Connection, bool], None],
    ) -> None:
        """``be_idle`` is called when the connection begins and ends to wait for a request."""
        self.host = str(peer[0])
        self._socket, self._stream = sock, Stream(sock)
        self._application, self._refuse, self._times, self._be_idle = application, refuse, times, be_idle
        server = sock.getsockname()
        self._environ = {
            "SCRIPT_NAME": "",
            "SERVER_NAME": str(server[0]),
            "SERVER_PORT": str(server[1]),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": self.host,
            "REMOTE_PORT": str(peer[1]),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }

    def serve(self) -> None:
        """Until one of both sides closes it."""
        try:
            while self._serve_request():
                pass
            self._stream.end(time.monotonic() + self._times.linger, MAX_BODY_BYTES)
        except OSError:
            pass  # the peer is gone, or too slow: no response would reach it
        finally:
            self._socket.close()

    def turn_away(self, refusal: DomainError) -> None:
        """Refuses the connection before anything is read."""
        try:
            self._send_refusal(refusal, "", "")
            self._stream.end(time.monotonic() + self._times.linger, MAX_BODY_BYTES)
        except OSError:
            pass
        finally:
            self._socket.close()

    def interrupt(self) -> None:
        """Ends the connection while it waits for a request."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _serve_request(self) -> bool:
        """Serves one request; False if it was the last."""
        try:
            head = self._read_head()
        except DomainError as refusal:
            method, path = _request_line(self._stream.received)
            self._send_refusal(refusal, method, path)
            return False
        return head is not None and self._respond(head)

    def _read_head(self) -> RequestHead | None:
        """None if the peer sends no more. Raises a refusal, OSError."""
        stream, parser = self._stream, HeadParser()
        if stream.received:
            green.sleep(0)  # pipelined requests take turns with those of others
        elif not self._wait_for_request():
            return None
        deadline = time.monotonic() + self._times.head
        while (head := parser.parse(stream.received)) is None:
            try:
                more = stream.receive(deadline)
            except TimeoutError:
                raise RequestTimeout("Les en-têtes ne sont pas arrivés à temps.") from None
            if not more and not stream.received:
                return None
            if not more:
                raise BadRequest("La requête s’arrête au milieu de ses en-têtes.")
        return head

    def _wait_for_request(self) -> bool:
        self._be_idle(self, True)
        try:
            return self._stream.receive(time.monotonic() + self._times.idle)
        finally:
            self._be_idle(self, False)

    def _respond(self, head: RequestHead) -> bool:
        """Whether another request may follow."""
        length, times = head.content_length, self._times
        seconds = times.body + length / times.bytes_per_second
        body = RequestBody(self._stream, length, seconds, expects_continue=head.expects_continue)
        try:
            status, headers, content = _called(self._application, self._environ_of(head, body))
            if head.method == "HEAD" or status.startswith(_WITHOUT_CONTENT):
                content = b""
            else:
                headers = _with_length(headers, content)
            persistent = head.persistent and not body.failed and not body.expects_continue
            response = encoded_head(status, headers, persistent=persistent) + content
        except DomainError as refusal:  # about the body, raised while the application read it
            self._send_refusal(refusal, head.method, head.path)
            return False
        except Exception as error:
            log.error("request failed", method=head.method, path=head.path, error=repr(error), exc_info=error)
            self._send_refusal(InternalError(), head.method, head.path)
            return False
        self._send(response)
        if persistent and body.unread:
            try:
                body.discard(time.monotonic() + times.body)
            except DomainError:
                return False
        return persistent

    def _environ_of(self, head: RequestHead, body: RequestBody) -> Environ:
        environ = {
            **self._environ,
            "REQUEST_METHOD": head.method,
            "PATH_INFO": unquote(head.path, "latin-1") if "%" in head.path else head.path,
            "QUERY_STRING": head.query or "",
            "wsgi.input": io.BufferedReader(body),
        }
        for name, value in head.fields.items():
            if variable := _variable(name):
                environ[variable] = value
        return environ

    def _send_refusal(self, refusal: DomainError, method: str, path: str) -> None:
        """The last response of the connection."""
        response = self._refuse(refusal, method, path)
        head = encoded_head(response.status_line, _with_length(response.headers, response.body), persistent=False)
        self._send(head if method == "HEAD" else head + response.body)

    def _send(self, data: bytes) -> None:
        seconds = self._times.send + len(data) / self._times.bytes_per_second
        self._stream.send(data, time.monotonic() + seconds)


def _called(application: Wsgi, environ: Environ) -> tuple[str, Headers, bytes]:
    """The complete response of the application: if it fails half-way, nothing was sent."""
    started: list[tuple[str, Headers]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        started.append((status, headers))
        return written.append

    pieces = application(environ, start_response)
    try:
        written.extend(pieces)
    finally:
        if close := getattr(pieces, "close", None):
            close()
    status, headers = started[-1]
    return status, headers, b"".join(written)


def _with_length(headers: Headers, content: bytes) -> Headers:
    """Raises ValueError for a different Content-Length."""
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    if lengths and lengths != [str(len(content))]:
        raise ValueError(f"a response of {len(content)} bytes has the Content-Length {lengths}")
    return headers if lengths else [*headers, ("Content-Length", str(len(content)))]


def _request_line(received: bytearray) -> tuple[str, str]:
    """Method and path of a refused request, as far as known: for the log and the format of the refusal."""
    line = received[:MAX_REQUEST_LINE_BYTES].split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    return line[0][:MAX_LOGGED_METHOD], line[1].split("?")[0] if len(line) > 1 else ""


@lru_cache(500)
def _variable(name: str) -> str | None:
    """None for a name with an underscore: CGI could not distinguish it from the one with a hyphen."""
    if "_" in name:
        return None
    variable = name.replace("-", "_").upper()
    return variable if variable in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{variable}"
