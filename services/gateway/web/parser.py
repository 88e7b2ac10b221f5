"""Reads bodies and queries strictly: what is not JSON is 400, another format 415, what does not fit the schema 422."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import flask
from marshmallow import RAISE, ValidationError
from webargs import core
from webargs.flaskparser import FlaskParser

from services.gateway.web.problems import BadJson, UnsupportedMediaType
from shared.kernel.errors import Invalid

_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_MAX_DEPTH = 32
MULTIPART = "multipart/form-data"


class StrictParser(FlaskParser):
    DEFAULT_UNKNOWN_BY_LOCATION = {
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "json": RAISE,
        "query": RAISE,
        "files": RAISE,
    }

    def load_json(self, req: flask.Request, schema: Any) -> Any:
        """The parsed body; nothing at all is the same as ``{}``. Raises BadJson or UnsupportedMediaType."""
        raw = req.get_data(cache=True)
        if not raw.strip():
            return {}
        if not core.is_json(req.mimetype):
            raise UnsupportedMediaType(f"{req.mimetype or 'no format'} is not JSON")
        return parse_json(raw)

    def load_files(self, req: flask.Request, schema: Any) -> Any:
        """The parts of a form, those that are files and those that are not. Raises UnsupportedMediaType, Invalid."""
        if req.mimetype != MULTIPART:
            raise UnsupportedMediaType(f"{req.mimetype or 'no format'} is not {MULTIPART}")
        parts = [*req.form.items(multi=True), *req.files.items(multi=True)]
        unique = dict(parts)
        if len(unique) != len(parts):
            raise Invalid(errors={"body": ["A part is given twice."]})
        return unique

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> Any:
        raise Invalid(errors=flatten(error.messages)) from None


def parse_json(raw: bytes) -> Any:
    """One JSON value, UTF-8, keys once each, no NaN, no half characters. Raises BadJson."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_each_key_once, parse_constant=_no_constant)
        if _ESCAPED_SURROGATE.search(raw):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        # ValueError also says: not UTF-8, a number of thousands of digits, half of a surrogate pair
        raise BadJson(str(error)[:200] if isinstance(error, json.JSONDecodeError) else "not one JSON value") from None
    if _depth(value, _MAX_DEPTH) > _MAX_DEPTH:
        raise BadJson("nested too deeply")
    return value


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a key is given twice")
    return unique


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _depth(value: Any, left: int) -> int:
    """How deep a value goes, looking no further than ``left``."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if left < 0 or not children:
        return 1
    return 1 + max(_depth(child, left - 1) for child in children)


def flatten(messages: Any, path: str = "") -> dict[str, list[str]]:
    """webargs' nested messages as ``{"transfers.0.reason": [...]}``; the location is left out."""
    if isinstance(messages, Mapping):
        found: dict[str, list[str]] = {}
        for key, inner in messages.items():
            here = str(key) if path else ("" if key in ("json", "query", "files") else str(key))
            joined = f"{path}.{here}" if path and here else (path or here)
            for name, texts in flatten(inner, joined).items():
                found.setdefault(name, []).extend(texts)
        return found
    texts = messages if isinstance(messages, list) else [messages]
    return {(path or "body")[:200].replace("_schema", "body"): [str(text) for text in texts]}
