"""Strict parsing of bodies and query strings: 400 for what is not JSON, 415 for another format, 422 for bad values."""

from __future__ import annotations

import json
import re
from typing import Any

import flask

from shared.kernel.errors import DomainError, Invalid

_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_MAX_DEPTH = 32
MULTIPART = "multipart/form-data"


class BadJson(DomainError):
    status = 400
    code = "bad-json"


class UnsupportedMediaType(DomainError):
    status = 415
    code = "unsupported-media-type"


def body_of(request: flask.Request) -> Any:
    """The body's JSON value; an empty body is ``{}``. Raises BadJson, UnsupportedMediaType."""
    raw = request.get_data(cache=True)
    if not raw.strip():
        return {}
    if not request.is_json:
        raise UnsupportedMediaType("Envoyez un corps au format JSON (application/json).")
    return parse_json(raw)


def form_of(request: flask.Request) -> dict[str, Any]:
    """The parts of a form, files included. Raises UnsupportedMediaType, Invalid."""
    if request.mimetype != MULTIPART:
        raise UnsupportedMediaType(f"Envoyez un formulaire au format {MULTIPART}.")
    parts = [*request.form.items(multi=True), *request.files.items(multi=True)]
    unique = dict(parts)
    if len(unique) != len(parts):
        raise Invalid(errors={"body": ["Une partie du formulaire est donnée deux fois."]})
    return unique


def parse_json(raw: bytes) -> Any:
    """One JSON value in UTF-8, without duplicate keys, NaN and unpaired surrogates. Raises BadJson."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_each_key_once, parse_constant=_no_constant)
        if _ESCAPED_SURROGATE.search(raw):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        # also ValueError: not UTF-8, a number of thousands of digits, an unpaired surrogate
        where = f" (caractère {error.pos})" if isinstance(error, json.JSONDecodeError) else ""
        raise BadJson(f"Le corps n’est pas du JSON valide{where}.") from None
    if _depth(value, _MAX_DEPTH) > _MAX_DEPTH:
        raise BadJson(f"Le JSON compte plus de {_MAX_DEPTH} niveaux.")
    return value


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("duplicate key")
    return unique


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _depth(value: Any, left: int) -> int:
    """The depth of a value, counted no further than ``left``."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if left < 0 or not children:
        return 1
    return 1 + max(_depth(child, left - 1) for child in children)
