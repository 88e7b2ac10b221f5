"""Reads a request as typed data: path, body or query string, ``If-Match``, and the fields that the gateway adds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from types import MappingProxyType
from typing import Any, Literal

from flask import Request, g, request

from services.gateway.web.requests.parser import body_of, form_of
from services.gateway.web.schemas.bodies import Empty
from shared.contracts.calls.contract import UNKNOWN_FIELD, Data
from shared.kernel.errors import Invalid

IF_MATCH = "if_match"
Location = Literal["json", "query", "files"]
"""Of a request's data: a JSON body, the query string, or a form with a file."""
Supplied = Mapping[str, Callable[[], Any] | None]
"""Attribute of a contract → function that gives its JSON value in the present request; None: its default."""

NOTHING_SUPPLIED: Supplied = MappingProxyType({})
_IN_PATH = re.compile(r"<(?:\w+:)?(\w+)>")
_READERS: Mapping[Location, Callable[[Request], Any]] = {
    "json": body_of,
    "query": lambda query: query.args.to_dict(),
    "files": form_of,
}


def query_fields(data: type[Data], rule: str, supplied: Supplied) -> Sequence[str]:
    """The attributes that the body or the query string gives."""
    hidden = {*_IN_PATH.findall(rule), *supplied, IF_MATCH}
    return [bound.name for bound in data.FIELDS if bound.name not in hidden]


def reading(
    view: Callable[..., Any], data: type[Data], location: Location, rule: str, supplied: Supplied
) -> Callable[..., Any]:
    """The view with an instance of ``data``, unless that is Empty, as its first argument.

    Path arguments that are no field of it remain.
    """
    shown = query_fields(data, rule, supplied)
    keys = {bound.name: bound.key for bound in data.FIELDS}
    hidden = {key for name, key in keys.items() if name not in shown}
    in_path = [name for name in _IN_PATH.findall(rule) if name in keys]

    @wraps(view)
    def read(*args: Any, **path: Any) -> Any:
        given = _READERS[location](request)
        if not isinstance(given, dict):
            raise Invalid(errors={"body": ["Envoyez un objet JSON."]})
        if unknown := sorted(hidden & given.keys()):
            raise Invalid(errors={key: [UNKNOWN_FIELD] for key in unknown})
        values = {**given, **{keys[name]: path.pop(name) for name in in_path}}
        values |= {keys[name]: supply() for name, supply in supplied.items() if supply is not None}
        if IF_MATCH in keys and g.if_match is not None:
            values[keys[IF_MATCH]] = g.if_match
        made = data.read(values, from_text=location == "query")
        return view(*args, **path) if data is Empty else view(made, *args, **path)

    _document(read, data, location, [name for name in keys if name not in shown])
    return read


def _document(view: Any, data: type[Data], location: Location, hidden: Sequence[str]) -> None:
    """Documents the data for flask-smorest, whose own decorator would also parse the request."""
    schema = data.schema(*hidden, in_query=location == "query")
    fields = schema().fields.values()
    if location == "query" and not fields:
        return
    needed = any(field.required for field in fields)
    described = {"in": location, "required": needed, "schema": schema if fields else Empty.schema()}
    arguments = view.__dict__.setdefault("_apidoc", {}).setdefault("arguments", {})
    arguments.setdefault("parameters", []).append(described)
