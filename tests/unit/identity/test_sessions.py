"""Signing in and out, refresh tokens, passwords, limits of failures."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

from services.identity.adapters.hashing import NO_PASSWORD, Argon2Hasher
from services.identity.domain.accounts import Suspension
from services.identity.refusals import (
    AccountSuspended,
    CredentialsInvalid,
    PasswordWeak,
    RefreshInvalid,
    TokenExpired,
    TokenInvalid,
)
from shared.kernel.errors import TooManyRequests, Unauthorized
from shared.runtime.tokens import verify
from tests.unit.identity.platform_of_identity import PASSWORD, SIGNING_KEY, STAFF, Platform

NEW = "Another-horse-9-battery"


def sign_in(
    platform: Platform, email: str = "zoe@example.org", password: str = PASSWORD, **more: str
) -> dict[str, str]:
    return platform.send("sign-in", {"email": email, "password": password, **more})


def refresh(platform: Platform, pair: dict[str, str]) -> dict[str, str]:
    return platform.send("refresh", {"refreshToken": pair["refreshToken"]})


def test_a_wrong_password_and_an_unknown_address_get_the_same_refusal(platform):
    platform.young()
    with pytest.raises(CredentialsInvalid) as wrong:
        sign_in(platform, password="Wrong-horse-9-battery")
    with pytest.raises(CredentialsInvalid) as unknown:
        sign_in(platform, "nobody@example.org")
    assert wrong.value.to_outcome() == unknown.value.to_outcome()
    assert platform.hasher.verified == 2, "an unknown address leads to a verification too"


def test_argon2_does_the_same_work_for_an_unknown_account():
    hasher = Argon2Hasher()
    hashed = hasher.hash(PASSWORD)
    assert hashed.startswith("$argon2id$") and hasher.hash(PASSWORD) != hashed
    assert hasher.verify(PASSWORD, hashed) is True
    assert hasher.verify(NEW, hashed) is False
    assert hasher.verify(PASSWORD, None) is False
    assert extract_parameters(NO_PASSWORD) == extract_parameters(hashed)
    with pytest.raises(VerifyMismatchError):  # the whole hash was computed: an invalid one raises another error
        PasswordHasher().verify(NO_PASSWORD, PASSWORD)


def test_refresh_tokens_rotate(platform):
    platform.young()
    first = sign_in(platform)
    second = refresh(platform, first)
    third = refresh(platform, second)
    assert len({pair["refreshToken"] for pair in (first, second, third)}) == 3
    assert verify(third["accessToken"], SIGNING_KEY)["accountId"] == 1


def test_a_reused_refresh_token_revokes_its_family_and_no_other(platform):
    platform.young()
    stolen, other = sign_in(platform), sign_in(platform)
    second = refresh(platform, stolen)
    with pytest.raises(RefreshInvalid):
        refresh(platform, stolen)
    with pytest.raises(RefreshInvalid):
        refresh(platform, second)
    refresh(platform, other)


def test_a_refresh_token_expires_after_thirty_days_of_the_machines_clock(platform):
    platform.young()
    pair = sign_in(platform)
    platform.pass_time(days=365)
    pair = refresh(platform, pair)
    platform.pass_machine_time(days=30)
    with pytest.raises(RefreshInvalid):
        refresh(platform, pair)


def test_signing_out_revokes_the_family_and_is_idempotent(platform):
    platform.young()
    first = sign_in(platform)
    second = refresh(platform, first)
    for _ in range(2):
        assert platform.send("sign-out", {"refreshToken": second["refreshToken"]}) == {}
    with pytest.raises(RefreshInvalid):
        refresh(platform, second)
    assert platform.send("sign-out", {"refreshToken": "never given"}) == {}


@pytest.mark.parametrize("token", ["x", "é" * 100, "' OR 1=1 --"])
def test_an_unknown_refresh_token_is_refused(platform, token):
    with pytest.raises(RefreshInvalid):
        platform.send("refresh", {"refreshToken": token})


def test_a_suspended_account_neither_signs_in_nor_refreshes(platform):
    who = platform.young()
    pair = sign_in(platform)
    platform.send("suspend-account", {"accountId": who, "reason": Suspension.FRAUD.value}, STAFF)
    with pytest.raises(AccountSuspended):
        sign_in(platform)
    with pytest.raises(RefreshInvalid):
        refresh(platform, pair)
    platform.send("unsuspend-account", {"accountId": who, "reason": "mistake"}, STAFF)
    sign_in(platform)


# Passwords


def test_a_forgotten_password_is_reset_by_mail_and_every_session_ends(platform):
    platform.young()
    pair = sign_in(platform)
    assert platform.send("request-password-reset", {"email": "Zoe@example.org"}) == {}
    token = platform.token_for("zoe@example.org")
    assert platform.send("reset-password", {"token": token, "password": NEW}) == {}
    with pytest.raises(RefreshInvalid):
        refresh(platform, pair)
    with pytest.raises(CredentialsInvalid):
        sign_in(platform)
    sign_in(platform, password=NEW)
    with pytest.raises(TokenInvalid):
        platform.send("reset-password", {"token": token, "password": PASSWORD})


def test_using_a_reset_link_ends_the_older_ones(platform):
    platform.young()
    tokens = []
    for _ in range(2):
        platform.send("request-password-reset", {"email": "zoe@example.org"})
        tokens.append(platform.token_for("zoe@example.org"))
    platform.send("reset-password", {"token": tokens[1], "password": NEW})
    with pytest.raises(TokenInvalid):
        platform.send("reset-password", {"token": tokens[0], "password": PASSWORD})


def test_a_reset_link_expires_after_a_day_and_needs_a_strong_password(platform):
    platform.young()
    platform.send("request-password-reset", {"email": "zoe@example.org"})
    token = platform.token_for("zoe@example.org")
    with pytest.raises(PasswordWeak):
        platform.send("reset-password", {"token": token, "password": "weak"})
    platform.pass_time(hours=24)
    with pytest.raises(TokenExpired):
        platform.send("reset-password", {"token": token, "password": NEW})
    sign_in(platform)


def test_a_reset_for_an_unknown_address_gets_the_same_answer_and_sends_nothing(platform):
    assert platform.send("request-password-reset", {"email": "nobody@example.org"}) == {}
    assert platform.post.sent == []


def test_a_reset_for_an_unconfirmed_account_mails_another_confirmation(platform):
    platform.sign_up()
    platform.send("request-password-reset", {"email": "zoe@example.org"})
    assert len(platform.post.to("zoe@example.org")) == 2
    assert platform.confirm("zoe@example.org") == 1


def test_resets_are_limited_per_address(platform):
    platform.young()
    for _ in range(10):
        platform.send("request-password-reset", {"email": "zoe@example.org"})
    with pytest.raises(TooManyRequests):
        platform.send("request-password-reset", {"email": "zoe@example.org"})


def test_a_token_serves_its_own_purpose_only(platform):
    platform.sign_up()
    with pytest.raises(TokenInvalid):
        platform.send("reset-password", {"token": platform.token_for("zoe@example.org"), "password": NEW})


def test_of_two_concurrent_changes_the_second_is_refused(platform, monkeypatch):
    who = platform.young()
    first = {"currentPassword": PASSWORD, "password": NEW}
    second = {"currentPassword": PASSWORD, "password": NEW + "!"}
    hash_it = platform.hasher.hash

    def hash_after_first_change(password):
        """Makes the first change while the second's password is hashed."""
        if password == second["password"]:
            monkeypatch.setattr(platform.hasher, "hash", hash_it)
            platform.send("change-password", first, who)
        return hash_it(password)

    monkeypatch.setattr(platform.hasher, "hash", hash_after_first_change)
    with pytest.raises(CredentialsInvalid):
        platform.send("change-password", second, who)
    sign_in(platform, password=NEW)


def test_a_change_needs_the_present_password_and_ends_every_session(platform):
    who = platform.young()
    old = sign_in(platform)
    with pytest.raises(CredentialsInvalid):
        platform.send("change-password", {"currentPassword": NEW, "password": NEW}, who)
    pair = platform.send("change-password", {"currentPassword": PASSWORD, "password": NEW}, who)
    refresh(platform, pair)
    with pytest.raises(RefreshInvalid):
        refresh(platform, old)
    sign_in(platform, password=NEW)
    with pytest.raises(Unauthorized):
        platform.send("change-password", {"currentPassword": NEW, "password": PASSWORD})


# Failures


def fail(platform: Platform, times: int, email: str = "zoe@example.org", address: str = "") -> None:
    for _ in range(times):
        with pytest.raises(CredentialsInvalid):
            sign_in(platform, email, "Wrong-horse-9-battery", clientAddress=address or "198.51.100.1")


def test_ten_failures_a_minute_per_account(platform):
    platform.young()
    for number in range(10):
        fail(platform, 1, address=f"198.51.100.{number}")
    platform.pass_machine_time(seconds=20)
    with pytest.raises(TooManyRequests) as refusal:
        sign_in(platform, clientAddress="198.51.100.99")
    assert refusal.value.extra == {"retryAfter": 40}
    platform.pass_machine_time(seconds=40)
    sign_in(platform)


def test_ten_failures_a_minute_per_address(platform):
    platform.young()
    for number in range(10):
        fail(platform, 1, f"somebody{number}@example.org", "198.51.100.1")
    with pytest.raises(TooManyRequests):
        sign_in(platform, clientAddress="198.51.100.1")
    sign_in(platform, clientAddress="198.51.100.2")


def test_successes_are_not_counted_and_the_platforms_clock_is_ignored(platform):
    platform.young()
    for _ in range(15):
        sign_in(platform, clientAddress="198.51.100.1")
    fail(platform, 10)
    platform.pass_time(days=1)
    with pytest.raises(TooManyRequests):
        sign_in(platform)


def test_guessed_mail_tokens_are_counted_per_address(platform):
    for _ in range(10):
        with pytest.raises(TokenInvalid):
            platform.send("confirm-email", {"token": "guess", "clientAddress": "198.51.100.1"})
    with pytest.raises(TooManyRequests):
        platform.send("confirm-email", {"token": "guess", "clientAddress": "198.51.100.1"})
