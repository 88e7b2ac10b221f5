"""Opening an account, signing in."""

from __future__ import annotations

from marshmallow import fields

from services.gateway.web.fields import Day, Email, Flag, Password, Strict, Text, WholeNumber, phone_number, postal_code

LONGEST_TOKEN = 2_000


class NewAccount(Strict):
    email = Email(required=True)
    password = Password(required=True)
    firstName = Text(1, 100, required=True)
    lastName = Text(1, 100, required=True)
    birthDate = Day(required=True)
    postalCode = postal_code(required=True)
    phoneNumber = phone_number(allow_none=True)
    marketingConsent = Flag()


class NewProAccount(Strict):
    email = Email(required=True)
    password = Password(required=True)
    firstName = Text(1, 100, required=True)
    lastName = Text(1, 100, required=True)
    phoneNumber = phone_number(required=True)
    siren = Text(1, 20, required=True, metadata={"description": "Nine digits; spaces are taken off."})
    contactConsent = Flag(required=True)


class MailToken(Strict):
    token = Text(1, LONGEST_TOKEN, required=True, metadata={"description": "What stands after `?token=` in the mail."})


class SignIn(Strict):
    email = Email(required=True)
    password = Password(required=True)


class RefreshToken(Strict):
    refreshToken = Text(1, LONGEST_TOKEN, required=True)


class PasswordReset(Strict):
    email = Email(required=True)


class NewPassword(Strict):
    token = Text(1, LONGEST_TOKEN, required=True)
    password = Password(required=True)


class TokenPair(Strict):
    accessToken = fields.String(required=True)
    refreshToken = fields.String(required=True, metadata={"description": "Good once: a refresh gives a new one."})
    expiresIn = WholeNumber(1, 10**9, required=True, metadata={"description": "Seconds that the access token lives."})


class Accepted(Strict):
    """Nothing to say: what comes next comes by mail."""
