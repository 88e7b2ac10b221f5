"""The messages of all services, and how a schema reads data of a newer or an older version than its own.

A schema of version 2 or later lists in ``added`` the fields that older data lacks, with their defaults: ``added =
{"minimumAge": None}``. A default may be a function of the older data.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from shared.contracts import booking, catalog, identity, payout, wallet

Schemas = Mapping[tuple[str, int], type[Schema]]
"""The schema of a service's messages by (name, version)."""

MESSAGES: Mapping[str, Schemas] = {
    "identity": identity.MESSAGES,
    "catalog": catalog.MESSAGES,
    "booking": booking.MESSAGES,
    "wallet": wallet.MESSAGES,
    "payout": payout.MESSAGES,
}
"""By publishing service."""


def newest(source: str, name: str) -> type[Schema]:
    """The schema of the newest version of a message."""
    schemas = MESSAGES[source]
    return schemas[name, max(version for known, version in schemas if known == name)]


def known_fields(schema: type[Schema], data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``data`` that the schema knows, nested ones too; unknown fields are dropped.

    Raises marshmallow's ValidationError where a field is missing or has a value that the schema does not admit.
    """
    found: dict[str, Any] = _without_objection(schema).load(data)
    return found


def completed(schema: type[Schema], data: dict[str, Any]) -> dict[str, Any]:
    """``data`` of an older version with the fields that the schema has ``added`` since, nested ones too."""
    added, nested = _additions(schema)
    missing = {name: value(data) if callable(value) else value for name, value in added.items() if name not in data}
    inner = {name: completed(its, data[name]) for name, its in nested.items() if isinstance(data.get(name), dict)}
    return {**data, **missing, **inner} if missing or inner else data


@cache
def _additions(schema: type[Schema]) -> tuple[dict[str, Any], dict[str, type[Schema]]]:
    """What a schema and those that it derives from have added, and the nested schemas that have added something."""
    added: dict[str, Any] = {}
    for ancestor in reversed(schema.__mro__):
        added.update(vars(ancestor).get("added", {}))
    fields_of_it = schema().fields.items()
    nested = {name: type(field.schema) for name, field in fields_of_it if isinstance(field, fields.Nested)}
    return added, {name: its for name, its in nested.items() if any(_additions(its))}


@cache
def _without_objection(schema: type[Schema]) -> Schema:
    """The schema as one that leaves unknown fields out, in every nested schema too."""
    lenient = schema(unknown=EXCLUDE)
    for field in lenient.fields.values():
        _leave_out_unknown(field)
    return lenient


def _leave_out_unknown(field: fields.Field[Any]) -> None:
    if isinstance(field, fields.Nested):
        field.unknown = EXCLUDE
        for nested in field.schema.fields.values():
            _leave_out_unknown(nested)
    elif isinstance(field, fields.List):
        _leave_out_unknown(field.inner)
    elif isinstance(field, fields.Dict) and field.value_field is not None:
        _leave_out_unknown(field.value_field)
