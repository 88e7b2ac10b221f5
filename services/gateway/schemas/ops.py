"""What operators ask of the platform."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validates_schema

from services.gateway.web.fields import Moment, Strict, WholeNumber

HUNDRED_YEARS = 100 * 366 * 86_400


class ClockMove(Strict):
    to = Moment()
    advanceSeconds = WholeNumber(0, HUNDRED_YEARS)

    @validates_schema
    def one_of_both(self, data: dict[str, object], **_: object) -> None:
        if len(data) != 1:
            raise ValidationError("Give to or advanceSeconds, one of them.", "to")


class Now(Schema):
    now = Moment(required=True)


class ServicePositions(Schema):
    published = fields.Integer(required=True)
    relayed = fields.Integer(required=True)
    tracked = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    open = fields.Integer(required=True)
    now = fields.String(required=True)


class Settled(Schema):
    positions = fields.Dict(keys=fields.String(), values=fields.Nested(ServicePositions), required=True)


class Health(Schema):
    status = fields.String(required=True, metadata={"enum": ["ok", "trouble"]})
    services = fields.Dict(keys=fields.String(), values=fields.String())
