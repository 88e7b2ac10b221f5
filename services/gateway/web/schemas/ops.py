"""What operators ask of the platform."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from marshmallow import Schema, fields

from services.gateway.web.schemas.shapes import page_of
from shared.contracts.calls.contract import Data
from shared.contracts.calls.types import NextPage
from shared.contracts.fields import DateTime, Instant, Whole

HUNDRED_YEARS = 100 * 366 * 86_400


class ClockMove(Data):
    to: Annotated[datetime, DateTime()] | None = None
    advance_seconds: Annotated[int, Whole(0, HUNDRED_YEARS)] | None = None

    def check(self) -> None:
        self.check_one_given("to", "advance_seconds")


class Now(Schema):
    now = Instant(required=True)


class ServicePositions(Schema):
    published = fields.Integer(required=True)
    relayed = fields.Integer(required=True)
    tracked = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    open = fields.Integer(required=True)


class Settled(Schema):
    positions = fields.Dict(keys=fields.String(), values=fields.Nested(ServicePositions), required=True)


class Health(Schema):
    status = fields.String(required=True, metadata={"enum": ["ok", "trouble"]})
    services = fields.Dict(keys=fields.String(), values=fields.String())


class Rebuild(Schema):
    """How far a read model has been folded anew: up to ``position`` of ``head``, both of its service's log."""

    position = fields.Integer(required=True)
    head = fields.Integer(required=True)
    secondsLeft = fields.Float(required=True, allow_none=True)


class ReadModel(Schema):
    """``name`` is ``<service>.<read model>``; ``rebuild`` is null unless it is being rebuilt."""

    name = fields.String(required=True)
    version = fields.Integer(required=True)
    rebuild = fields.Nested(Rebuild, required=True, allow_none=True)


class Followed(Schema):
    """How far a service has followed another's messages: ``behind`` is how many it has not handled, ``lagSeconds`` how
    long the first of them has waited, by the platform's clock."""

    service = fields.String(required=True)
    source = fields.String(required=True)
    position = fields.Integer(required=True)
    head = fields.Integer(required=True)
    behind = fields.Integer(required=True)
    lagSeconds = fields.Float(required=True)


class ReadModels(Schema):
    items = fields.List(fields.Nested(ReadModel), required=True)
    sources = fields.List(fields.Nested(Followed), required=True)


class RowDifference(Schema):
    """A row that is not what the log says; ``live`` or ``folded`` is null where it is missing."""

    table = fields.String(required=True)
    key = fields.Dict(keys=fields.String(), required=True)
    live = fields.Dict(keys=fields.String(), required=True, allow_none=True)
    folded = fields.Dict(keys=fields.String(), required=True, allow_none=True)


class RowDifferences(Schema):
    items = fields.List(fields.Nested(RowDifference), required=True)


class Rebuilt(Schema):
    rows = fields.Integer(required=True)


class StoredEvent(Schema):
    """Personal data are sealed in the log, and stay sealed here."""

    position = fields.Integer(required=True)
    version = fields.Integer(required=True)
    name = fields.String(required=True)
    recordedAt = Instant(required=True)
    correlationId = fields.String(required=True)
    causationId = fields.String(required=True)
    state = fields.Dict(keys=fields.String(), required=True)


class Stream(Schema):
    service = fields.String(required=True)
    streamId = fields.String(required=True)
    items = fields.List(fields.Nested(StoredEvent), required=True)


class DeadLettersQuery(Data):
    cursor: NextPage | None = None
    limit: Annotated[int, Whole(1, 1000)] = 200


class DeadLetter(Schema):
    """``failed``: it could not be handled; ``parked``: it waits behind one of its stream that could not."""

    id = fields.String(required=True)
    service = fields.String(required=True)
    source = fields.String(required=True)
    stream = fields.String(required=True)
    position = fields.Integer(required=True)
    message = fields.String(required=True)
    error = fields.String(required=True)
    state = fields.String(required=True, metadata={"enum": ["failed", "parked"]})
    recordedAt = Instant(required=True)


DeadLetters = page_of(DeadLetter, "DeadLetters")


class SettledLetters(Schema):
    """How many: a replay takes along what is parked behind the letter."""

    letters = fields.Integer(required=True)
