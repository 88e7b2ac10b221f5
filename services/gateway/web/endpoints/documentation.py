"""What the OpenAPI document says of a route beside its schemas: headers, refusals, who may come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from marshmallow import Schema

from services.gateway.web.responses.problems import MEDIA_TYPE, PROBLEMS
from shared.contracts.calls.contract import Authority

View = Callable[..., Any]

EVERY_ROUTE = ("bad-request", "internal-error", "unavailable")
WITH_BODY = ("bad-json", "unsupported-media-type", "too-large", "invalid")
WITH_KEY = ("idempotency-key-invalid", "idempotency-key-reused", "request-in-progress", "outcome-pending")

KEY_PARAMETER = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "The same key and body give the same answer for ever, with `Idempotency-Replayed: true`.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}
IF_MATCH_PARAMETER = {
    "in": "header",
    "name": "If-Match",
    "description": "The `ETag` of the version that was read; an older one is refused with 412.",
    "required": False,
    "schema": {"type": "string"},
}
IF_NONE_MATCH_PARAMETER = {
    "in": "header",
    "name": "If-None-Match",
    "description": "The `ETag` of a stored answer: 304 while it is current.",
    "required": False,
    "schema": {"type": "string"},
}
FIELD_ERRORS = {
    "type": "object",
    "description": "Field → what is wrong with it.",
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
}
"""Of a query, in the partners' format."""


@dataclass(frozen=True, slots=True)
class Takes:
    """What a route takes from a request beside its path."""

    body: bool
    query: bool
    key: bool
    """An Idempotency-Key, which it passes on with its write."""
    key_required: bool
    if_match: bool


def refusal_codes(refuses: Sequence[str], access: Authority, takes: Takes, rule: str) -> list[str]:
    """The codes that follow from what a route takes, and its own; no code twice."""
    codes = [*EVERY_ROUTE, *refuses]
    codes += [] if access.anyone else ["unauthorized", "token-invalid"]
    codes += ["forbidden"] if access.roles else []
    codes += WITH_BODY if takes.body else []
    codes += ["invalid"] if takes.query else []
    codes += WITH_KEY if takes.key else []
    codes += ["idempotency-key-required"] if takes.key_required else []
    codes += ["precondition-failed"] if takes.if_match else []
    codes += ["not-found"] if "<" in rule else []
    return list(dict.fromkeys(codes))


def document_refusals(view: View, codes: Sequence[str]) -> None:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    for status, listed in sorted(by_status.items()):
        description = f"{HTTPStatus(status).phrase}: " + ", ".join(f"`{code}`" for code in listed)
        document_answer(view, status, description, problem_schema(listed), MEDIA_TYPE)


def document_answer(
    view: View,
    status: int,
    description: str,
    schema: Schema | dict[str, Any] | None = None,
    media_type: str | None = None,
) -> None:
    """Adds an answer. flask-smorest's decorator would copy everything documented before, and run with each request:
    eight of them a route took a seventh of the start of the process."""
    answer = {"description": description, "content_type": media_type} | ({} if schema is None else {"schema": schema})
    view._apidoc["response"]["responses"].setdefault(status, []).append(answer)  # type: ignore[attr-defined]


def problem_schema(codes: Sequence[str]) -> dict[str, Any]:
    """A problem document with one of these codes."""
    return {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": {"code": {"enum": list(codes)}}}]}
