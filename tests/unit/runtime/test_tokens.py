"""Access tokens (JWT): valid ones are verified; altered, expired and foreign ones are refused."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import jwt
import pytest

from shared.runtime.tokens import ACCESS_LIFETIME, BadToken, access_token, sign, verify

KEY = b"k" * 32


def test_an_access_token_contains_account_and_roles():
    claims = verify(access_token(17, frozenset({"staff", "pro"}), KEY), KEY)
    assert (claims["sub"], claims["accountId"], claims["roles"]) == ("17", 17, ["pro", "staff"])
    assert claims["exp"] - claims["iat"] == ACCESS_LIFETIME.total_seconds() == 900


def test_a_key_of_any_length_is_accepted():
    assert verify(sign({"a": 1}, b"x", ACCESS_LIFETIME), b"x")["a"] == 1


def test_an_expired_token_is_refused():
    with pytest.raises(BadToken):
        verify(sign({}, KEY, timedelta(seconds=-1)), KEY)


def test_another_key_is_refused():
    with pytest.raises(BadToken):
        verify(sign({}, b"other", ACCESS_LIFETIME), KEY)


def test_an_altered_token_is_refused():
    head, body, signature = access_token(17, frozenset({"pro"}), KEY).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["roles"] = ["operator"]
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    with pytest.raises(BadToken):
        verify(f"{head}.{forged}.{signature}", KEY)


@pytest.mark.parametrize("token", ["", "a.b.c", "é", "x" * 5000, "..", "\x00"])
def test_a_malformed_token_is_refused(token):
    with pytest.raises(BadToken):
        verify(token, KEY)


def test_a_token_without_signature_is_refused():
    with pytest.raises(BadToken):
        verify(jwt.encode({"iss": "passculture", "iat": 0, "exp": 2**40}, "", algorithm="none"), KEY)
