"""Answers independent of Flask, and the headers of every answer."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
import structlog
from marshmallow import Schema

log = structlog.get_logger()

JSON = "application/json"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
NOT_STORED = "no-store"
REVALIDATED = "public, no-cache"
"""A cache may store it, and revalidates it before each use: a write shows at once."""
API_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_API_HEADERS = list(API_HEADERS.items())
Verification = Literal["off", "log", "raise"]


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A whole response, before it is Flask's or the server's."""

    status: int
    body: bytes
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def request_id_of(environ: Mapping[str, Any]) -> str:
    """The client's X-Request-Id where it is valid, otherwise a new one."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def json_response(answer: Any, status: int) -> RawResponse:
    """The owner's answer unchanged, with its version as a strong ETag."""
    version = answer.get("version")
    return RawResponse(
        status, orjson.dumps(answer), headers={"ETag": f'"{version}"'} if isinstance(version, int) else {}
    )


def headers_of(answer: RawResponse, request_id: str) -> list[tuple[str, str]]:
    """The headers of an answer."""
    length = [] if answer.status == 204 else [("Content-Length", str(len(answer.body)))]
    own = [("Content-Type", answer.media_type), *length, *{"Cache-Control": NOT_STORED, **answer.headers}.items()]
    return [*own, ("X-Request-Id", request_id), *_API_HEADERS]


def verify(schema: type[Schema], answer: Any, verification: Verification, path: str) -> None:
    """Compares an answer with its schema. ``raise``: a difference is an AssertionError; ``log``: it is logged."""
    if verification == "off":
        return
    wrong = schema().validate(answer)
    if wrong and verification == "log":
        log.error("answer differs from its schema", path=path, schema=schema.__name__, wrong=wrong)
    assert not wrong or verification == "log", f"{schema.__name__} differs from the answer: {wrong}"
