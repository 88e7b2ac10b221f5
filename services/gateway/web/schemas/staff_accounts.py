"""Accounts of staff, and erasing a person."""

from __future__ import annotations

from marshmallow import Schema

from shared.contracts.fields import Number


class StaffAccount(Schema):
    accountId = Number(required=True)


class Erased(Schema):
    """Empty."""
