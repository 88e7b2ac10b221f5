"""What stands around the data of every message, whichever service says it."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields

from shared.contracts.fields import Count, Instant, Number


class Envelope(Schema):
    """``position`` is the message's place in its source's log, ``previous`` that of the message before it: whoever
    knows no message at ``previous`` has missed some. ``id`` and ``position`` stay the same when a message comes twice.
    ``epoch`` names the history: another one after a restore. ``occurredAt`` is when it happened for the domain,
    ``recordedAt`` when it was stored. ``causationId`` is what led to it, ``correlationId`` the request at the root.
    """

    class Meta:
        unknown = EXCLUDE

    id = fields.String(required=True)
    source = fields.String(required=True)
    name = fields.String(required=True)
    version = Number(required=True)
    stream = fields.String(required=True)
    streamVersion = Number(required=True)
    position = Number(required=True)
    previous = Count(required=True)
    epoch = fields.String(required=True)
    occurredAt = Instant(required=True)
    recordedAt = Instant(required=True)
    causationId = fields.String(required=True)
    correlationId = fields.String(required=True)
    data = fields.Dict(keys=fields.String(), required=True)


class CallerData(Schema):
    """Who makes a call: an account with its roles, or the API key of an offerer."""

    class Meta:
        unknown = EXCLUDE

    accountId = fields.Integer(required=True, strict=True)
    roles = fields.List(fields.String(), required=True)
    offererId = fields.Integer(required=True, strict=True, allow_none=True)


class CallEnvelope(Schema):
    """One call. A command with a ``key`` is safe to repeat: the same key and data give the same answer. Without a
    ``caller`` the platform itself makes the call. ``correlationId`` is the request at the root.
    """

    class Meta:
        unknown = EXCLUDE

    name = fields.String(required=True)
    data = fields.Dict(keys=fields.String(), required=True)
    key = fields.String(required=True, allow_none=True)
    caller = fields.Nested(CallerData, required=True, allow_none=True)
    correlationId = fields.String(required=True)


class Refusal(Schema):
    """Why a call was refused: a code of its contract, the HTTP status that it has, and the messages of each field."""

    class Meta:
        unknown = EXCLUDE

    code = fields.String(required=True)
    status = fields.Integer(required=True, strict=True)
    detail = fields.String(required=True)
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()), required=True)
    extra = fields.Dict(keys=fields.String(), required=True)


class QueryAnswer(Schema):
    """Either ``result`` or ``refused``."""

    class Meta:
        unknown = EXCLUDE

    result = fields.Raw(allow_none=True)
    refused = fields.Nested(Refusal)


class CommandAnswer(QueryAnswer):
    """``position``: that of the last event that the command wrote in its service's log, null when it wrote none.
    ``replayed``: the answer was stored before, under the command's key."""

    position = fields.Integer(strict=True, allow_none=True)
    replayed = fields.Boolean(required=True)
