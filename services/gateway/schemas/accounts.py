"""Opening an account, signing in."""

from __future__ import annotations

from marshmallow import fields

from services.gateway.web.fields import Strict, WholeNumber


class TokenPair(Strict):
    accessToken = fields.String(required=True)
    refreshToken = fields.String(required=True, metadata={"description": "Good once: a refresh gives a new one."})
    expiresIn = WholeNumber(1, 10**9, required=True, metadata={"description": "Seconds that the access token lives."})


class Accepted(Strict):
    """Empty: the next step comes by mail."""
