"""An answer before it is the framework's or the wire's, and what every answer carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
import structlog
from marshmallow import Schema

log = structlog.get_logger()

JSON = "application/json"
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
NOT_KEPT = "no-store"
KEPT_WHILE_IT_HOLDS = "public, no-cache"
"""Anyone may keep it, and asks before it is shown again: what was just written shows at once."""
API_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_ALWAYS = list(API_HEADERS.items())
Verification = Literal["off", "tell", "raise"]


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    body: bytes
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def said(answer: Any, status: int) -> Said:
    """The owner's answer as it came, with its version as a strong ETag."""
    version = answer.get("version")
    return Said(status, orjson.dumps(answer), headers={"ETag": f'"{version}"'} if isinstance(version, int) else {})


def headers_of(answer: Said, request_id: str) -> list[tuple[str, str]]:
    """Its own, and those of every answer."""
    length = [] if answer.status == 204 else [("Content-Length", str(len(answer.body)))]
    own = [("Content-Type", answer.media_type), *length, *{"Cache-Control": NOT_KEPT, **answer.headers}.items()]
    return [*own, ("X-Request-Id", request_id), *_ALWAYS]


def verify(schema: type[Schema], answer: Any, verification: Verification, path: str) -> None:
    """``raise``: an answer that is not what the OpenAPI document says is an AssertionError; ``tell``: it is logged."""
    if verification == "off":
        return
    wrong = schema().validate(answer)
    if wrong and verification == "tell":
        log.error("answer differs from its schema", path=path, schema=schema.__name__, wrong=wrong)
    assert not wrong or verification == "tell", f"{schema.__name__} is not what was answered: {wrong}"
