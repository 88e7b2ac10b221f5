"""The shape of every refusal of ``/v1``."""

from __future__ import annotations

from marshmallow import fields

from services.gateway.web.schemas.shapes import Extensible


class Problem(Extensible):
    type = fields.String(required=True, metadata={"description": "`/problems/<code>`, which explains it."})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True, metadata={"description": "The stable word for a program."})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "Field → what is wrong with it."},
    )
