"""The messages of all services, and how a schema reads data of a version that is newer than itself."""

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


def known_fields(schema: type[Schema], data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``data`` that the schema has, nested ones too; those that it does not have are left out.

    Raises marshmallow's ValidationError where a field is missing or has a value that the schema does not admit.
    """
    found: dict[str, Any] = _without_objection(schema).load(data)
    return found


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
