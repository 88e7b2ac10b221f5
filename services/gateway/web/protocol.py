"""Requests as they come over the wire: a body has one length, told once. Anything else could be read by a proxy in
front otherwise than here, and is refused before it is read; its connection ends: nobody knows where it goes on."""

from __future__ import annotations

import re
import uuid

import orjson
import structlog
from nameko.web.server import HttpOnlyProtocol

from services.gateway.routes import desk
from services.gateway.web.problems import MEDIA_TYPE, PROBLEMS, problem_document
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
    """nameko's protocol, for requests whose body can be told from the next request."""

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
