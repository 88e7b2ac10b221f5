"""Accounts of staff, and erasing a person."""

from __future__ import annotations

from marshmallow import Schema

from services.gateway.web.fields import Strict, number


class StaffAccount(Schema):
    accountId = number(required=True)


class Erased(Strict):
    """Empty."""
