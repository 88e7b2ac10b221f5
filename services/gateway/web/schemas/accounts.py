"""Opening an account, signing in."""

from __future__ import annotations

from marshmallow import Schema, fields

from shared.contracts.fields import Whole


class TokenPair(Schema):
    accessToken = fields.String(required=True)
    refreshToken = fields.String(required=True, metadata={"description": "Good once: a refresh gives a new one."})
    expiresIn = Whole(1, 10**9, required=True, metadata={"description": "Seconds that the access token lives."})


class Accepted(Schema):
    """Empty: the next step comes by mail."""
