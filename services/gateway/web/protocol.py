"""Requests as they come over the wire: a body has one length, told once. Anything else could be read by a proxy in
front otherwise than here, and is refused before it is read; its connection ends: nobody knows where it goes on.
Heads that are plain are read by ``heads``, the others by the library."""

from __future__ import annotations

import re
import uuid
from functools import cached_property
from typing import Any

import orjson
import structlog
from nameko.web.server import HttpOnlyProtocol

from services.gateway.routes import desk
from services.gateway.web.heads import Head, read_head
from services.gateway.web.problems import MEDIA_TYPE, PROBLEMS, problem_document
from shared.green import wsgi
from shared.kernel.errors import DomainError

log = structlog.get_logger()

LONGEST_DRAINED = 64 * 1024 * 1024
"""A body that is refused is read to its end all the same, so that its sender hears why; not one that is longer."""

_LENGTH = re.compile(r"[0-9]{1,19}")


class LengthRequired(DomainError):
    status = 411
    code = "length-required"


class BadLength(DomainError):
    status = 400
    code = "bad-request"


class TooLarge(DomainError):
    status = 413
    code = "too-large"


def check_framing(lengths: list[str], transfer_encodings: list[str]) -> None:
    """Of the headers ``Content-Length`` and ``Transfer-Encoding``. Raises LengthRequired, BadLength, TooLarge."""
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length.strip()) for length in lengths):
        raise BadLength("a body has one Content-Length, a number")
    if transfer_encodings:
        raise LengthRequired("send the body whole, with its Content-Length")
    if lengths and int(lengths[0]) > LONGEST_DRAINED:
        raise TooLarge


class OneLength(HttpOnlyProtocol):
    """nameko's protocol, for requests whose body can be told from the next request; those whose head is plain are read
    without the library."""

    _head: Head | None = None
    """Of the request that is dealt with, where it is plain."""

    def _read_request_line(self) -> bytes:
        """Waits for a request; takes its head where it is plain, and otherwise its first line."""
        try:
            self._head = None if self.rfile.closed else read_head(self.rfile.peek())
        except OSError as error:
            if error.errno not in wsgi.BROKEN_SOCK | wsgi.BAD_SOCK:
                raise
            return b""
        if self._head is None:
            return super()._read_request_line()
        self.rfile.read(self._head.size)
        return f"{self._head.method} {self._head.target} HTTP/1.1\r\n".encode()

    def parse_request(self) -> bool:
        head = self._head
        if head is None:
            return super().parse_request()
        self.command, self.path, self.request_version = head.method, head.target, "HTTP/1.1"
        self.requestline = f"{head.method} {head.target} HTTP/1.1"
        self.headers, self.close_connection = head.fields, False
        return True

    def get_environ(self) -> dict[str, Any]:
        if self._head is None:
            return super().get_environ()
        length = self.headers.get("content-length", "0")
        body = wsgi.Input(self.rfile, length, self.connection)
        return {
            **self.server.get_environ(),
            **self._ends,
            **self._head.environ(),
            "SERVER_PROTOCOL": "HTTP/1.0",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "headers_raw": self._head.raw,
            "wsgi.input": body,
            "eventlet.input": body,
            "eventlet.posthooks": [],
            "eventlet.set_idle": self._be_idle,
        }

    @cached_property
    def _ends(self) -> dict[str, str]:
        """Of the connection."""
        ours, theirs = wsgi.addr_to_host_port(self.request.getsockname()), wsgi.addr_to_host_port(self.client_address)
        return {
            "SERVER_NAME": ours[0],
            "SERVER_PORT": str(ours[1]),
            "REMOTE_ADDR": theirs[0],
            "REMOTE_PORT": str(theirs[1]),
        }

    def _be_idle(self) -> None:
        self.conn_state[2] = wsgi.STATE_IDLE

    def handle_one_response(self) -> None:
        try:
            check_framing(self.headers.get_all("Content-Length", []), self.headers.get_all("Transfer-Encoding", []))
        except DomainError as refusal:
            self._refuse(refusal)
        else:
            super().handle_one_response()

    def _refuse(self, refusal: DomainError) -> None:
        path, request_id = self.path.split("?", 1)[0], uuid.uuid4().hex
        document, media_type = problem_document(refusal), MEDIA_TYPE
        if desk.is_desk_path(path):
            document, media_type = {"global": [document["detail"]]}, "application/json"
        body = orjson.dumps(document)
        head = (
            f"HTTP/1.1 {refusal.status} {PROBLEMS[refusal.code].title}\r\n"
            f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
            f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: {request_id}\r\n\r\n"
        )
        self.close_connection = 1
        self.wfile.write(head.encode("latin-1") + body)
        self.wfile.flush()
        log.info("request", method=self.command, path=path, status=refusal.status, correlation_id=request_id)
