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
