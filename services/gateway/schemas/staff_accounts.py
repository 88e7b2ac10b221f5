"""Accounts of staff, and erasing a person."""

from __future__ import annotations

from marshmallow import Schema, fields

from services.gateway.web.fields import Email, Password, Strict, Text, number, one_of


class NewStaff(Strict):
    email = Email(required=True)
    password = Password(required=True)
    roles = fields.List(one_of("staff", "finance", "operator"), required=True)
    firstName = Text(1, 100)
    lastName = Text(1, 100)


class StaffAccount(Schema):
    accountId = number(required=True)


class Erased(Strict):
    """Nothing is left to say."""
