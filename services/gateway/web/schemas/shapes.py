"""Shapes that many answers have."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema, fields


class Extensible(Schema):
    """Also admits fields that are not listed."""

    class Meta:
        unknown = INCLUDE


def page_of(item: type[Schema], name: str) -> type[Schema]:
    """A page of a list, under its name in documents: ``items``, and ``nextCursor`` where another page follows."""
    cursor = fields.String(required=True, allow_none=True)
    return Schema.from_dict({"items": fields.List(fields.Nested(item), required=True), "nextCursor": cursor}, name=name)
