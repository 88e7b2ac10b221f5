"""``make run`` loads actors and young people: each start adds what is missing and skips changed accounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.founding_document import PASSWORD, STRUCTURES
from demo.seed import seed
from tests.platform import Platform, embedded

CHANGED = "Autre-mot-de-passe-2021!"


def seeded(platform: Platform) -> list[str]:
    """Runs the seed; returns the lines that it prints."""
    printed: list[str] = []
    folders = platform.state / "mail", platform.state / "sms"
    seed(f"http://127.0.0.1:{platform.port}", platform.token, *folders, platform.now(), printed.append)
    platform.wait_idle()
    return printed


def mails(platform: Platform) -> int:
    return len(list((platform.state / "mail").glob("*.eml")))


@pytest.mark.slow
def test_seed_skips_changed_accounts(tmp_path: Path) -> None:
    changed = STRUCTURES[1].email
    with embedded(tmp_path) as platform:
        first = seeded(platform)
        assert not any("was changed" in line for line in first)
        assert sum("@" in line for line in first) == len(STRUCTURES) + 3
        before = mails(platform)
        assert seeded(platform) == first
        assert mails(platform) == before
        token = platform.post("/v1/auth/sign-in", {"email": changed, "password": PASSWORD}).json["accessToken"]
        body = {"currentPassword": PASSWORD, "password": CHANGED}
        assert platform.post("/v1/me/password", body, token).status in (200, 204)
        again = seeded(platform)
        assert [line for line in again if changed in line] == [again[0]]
        assert again[0].startswith(f"{changed} was changed")
        assert again[1:] == [line for line in first if changed not in line]
    assert [file.name for file in platform.state.glob("*-wal") if file.stat().st_size] == [], (
        "the SQLite files are complete without their WAL"
    )
