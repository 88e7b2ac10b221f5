"""The envelopes of messages and calls, the same for every service."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields

from shared.contracts.fields import Count, Instant, Number


class Envelope(Schema):
    """``position`` is the message's position in its source's log, ``previous`` that of the message before it: a
    consumer that has not handled ``previous`` has missed messages. A message that is delivered twice has the same
    ``id`` and ``position``. ``epoch`` identifies the history of the log; a restore begins a new one. ``occurredAt`` is
    the domain's time, ``recordedAt`` when the event was stored. ``causationId`` identifies the direct cause,
    ``correlationId`` the request at the root.
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
    """``position``: the position of the last event that the command wrote, null when it wrote none. ``replayed``: the
    answer is the one stored earlier under the command's key."""

    position = fields.Integer(strict=True, allow_none=True)
    replayed = fields.Boolean(required=True)
