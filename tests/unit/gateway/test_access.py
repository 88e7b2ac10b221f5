"""Authentication and authorisation: tokens, roles, API keys, and the limits on guessing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.kernel.errors import Forbidden, NotFound, Refused, Unauthorized, Unavailable
from shared.runtime import tokens

SIGN_IN = {"email": "zoe@example.org", "password": "wrong"}


def outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, json.loads(answer.data)["code"]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Token x"])
def test_a_missing_token_is_401(platform: Any, header: str | None) -> None:
    answer = platform.client.get("/v1/me", headers={} if header is None else {"Authorization": header})
    assert outcome(answer) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["x", "a.b.c", "é.é.é", "e30.e30.e30"])
def test_an_invalid_token_is_401(platform: Any, token: str) -> None:
    answer = platform.client.get("/v1/me", headers={"Authorization": f"Bearer {token}".encode().decode("latin-1")})
    assert outcome(answer) == (401, "token-invalid")


def test_an_expired_or_foreign_token_is_401(platform: Any, signed_in: Any) -> None:
    assert outcome(platform.client.get("/v1/me", headers=signed_in("pro", minutes=-1))) == (401, "token-invalid")
    foreign = tokens.access_token(1, frozenset({"operator"}), b"another key of thirty-two bytes!!!!!")
    answer = platform.client.post("/v1/ops/settle", headers={"Authorization": f"Bearer {foreign}"})
    assert outcome(answer) == (401, "token-invalid")


@pytest.mark.parametrize("claims", [{}, {"accountId": "1", "roles": []}, {"accountId": 1, "roles": "staff"}])
def test_a_token_of_another_purpose_is_401(platform: Any, claims: dict[str, Any]) -> None:
    token = tokens.sign(claims, platform.ports.signing_key, tokens.ACCESS_LIFETIME)
    answer = platform.client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert outcome(answer) == (401, "token-invalid")


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/v1/pro/offerers", "pro"),
        ("/v1/staff/offerers", "staff"),
        ("/v1/finance/payouts", "finance"),
        ("/v1/ops/settle", "operator"),
    ],
)
def test_other_roles_are_forbidden(platform: Any, signed_in: Any, path: str, role: str) -> None:
    method = "POST" if "ops" in path else "GET"
    others = {"beneficiary", "pro", "staff", "finance", "operator"} - {role}
    answer = platform.client.open(path, method=method, headers=signed_in(*others))
    assert outcome(answer) == (403, "forbidden")
    assert platform.calls == []


def test_authentication_precedes_validation_of_the_body(platform: Any, signed_in: Any) -> None:
    answer = platform.client.post("/v1/finance/payouts", data=b"{", content_type="application/json")
    assert outcome(answer) == (401, "unauthorized")


def test_an_account_without_a_role_reaches_its_own_routes(platform: Any, signed_in: Any) -> None:
    platform.answers("wallet", "credit", {"current": None, "credits": []})
    answer = platform.client.get("/v1/me/credit", headers=signed_in(account_id=42))
    assert answer.status_code == 200
    assert platform.called("credit") == [{"personId": 42}]


def test_the_eleventh_failed_sign_in_is_429_for_a_minute(platform: Any) -> None:
    platform.answers("identity", "sign-in", Unauthorized("no"))
    for _ in range(10):
        assert platform.client.post("/v1/auth/sign-in", json=SIGN_IN).status_code == 401
    answer = platform.client.post("/v1/auth/sign-in", json=SIGN_IN)
    assert outcome(answer) == (429, "too-many-requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert len(platform.called("sign-in")) == 10
    platform.monotonic[0] += int(answer.headers["Retry-After"])
    assert platform.client.post("/v1/auth/sign-in", json=SIGN_IN).status_code == 401


def test_failures_count_per_e_mail_across_addresses(platform: Any) -> None:
    platform.answers("identity", "sign-in", Unauthorized("no"))
    for number in range(10):
        place = {"REMOTE_ADDR": f"10.0.0.{number}"}
        platform.client.post("/v1/auth/sign-in", json=SIGN_IN, environ_base=place)
    answer = platform.client.post(
        "/v1/auth/sign-in", json={**SIGN_IN, "email": "ZOE@example.org"}, environ_base={"REMOTE_ADDR": "10.9.9.9"}
    )
    assert answer.status_code == 429
    other = {**SIGN_IN, "email": "max@example.org"}
    answer = platform.client.post("/v1/auth/sign-in", json=other, environ_base={"REMOTE_ADDR": "10.9.9.9"})
    assert answer.status_code == 401


def test_successes_and_server_errors_are_not_counted(platform: Any) -> None:
    pair = {"accessToken": "a", "refreshToken": "r", "expiresIn": 900}
    platform.answers("identity", "sign-in", pair)
    for _ in range(20):
        assert platform.client.post("/v1/auth/sign-in", json=SIGN_IN).status_code == 200
    platform.answers("identity", "sign-in", Unavailable("down"))
    for _ in range(20):
        assert platform.client.post("/v1/auth/sign-in", json=SIGN_IN).status_code == 503


def test_a_refusal_keeps_its_code_status_and_fields(platform: Any) -> None:
    fields = {"errors": {"email": ["e"]}, "extra": {"more": 1}}
    refusal = Refused({"code": "account-suspended", "status": 403, "detail": "d", **fields})
    platform.answers("identity", "sign-in", refusal)
    answer = platform.client.post("/v1/auth/sign-in", json=SIGN_IN)
    assert outcome(answer) == (403, "account-suspended")
    assert (answer.json["detail"], answer.json["errors"], answer.json["more"]) == ("d", {"email": ["e"]}, 1)


def test_an_api_key_is_cached_for_a_few_seconds(platform: Any, api_key: str) -> None:
    platform.answers("booking", "desk-look-up", NotFound("no", extra={"key": "global"}))
    headers = {"Authorization": f"Bearer {api_key}"}
    for _ in range(3):
        assert platform.client.get("/v2/bookings/token/ABCDEF", headers=headers).status_code == 404
    assert len(platform.called("api-key")) == 1
    platform.monotonic[0] += 6
    platform.client.get("/v2/bookings/token/ABCDEF", headers=headers)
    assert len(platform.called("api-key")) == 2


def test_the_caller_and_its_roles_are_passed_with_the_call(platform: Any, signed_in: Any) -> None:
    platform.answers("identity", "offerers", Forbidden("no"))
    platform.client.get("/v1/pro/offerers", headers=signed_in("pro", "beneficiary", account_id=8))
    caller = platform.calls[-1][3]
    assert (caller.account_id, caller.roles, caller.offerer_id) == (8, {"pro", "beneficiary"}, None)
