"""Settings: defaults, effective values, and invalid values that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.runtime.settings import STORES, BadSettings, Settings, effective_settings


def shown(**environment: str) -> dict[str, str]:
    return {row["name"]: row["value"] for row in effective_settings(environment)}


def test_effective_settings_include_defaults(tmp_path: Path) -> None:
    values = shown(STATE_DIR=str(tmp_path), BIND="0.0.0.0", PORT="8100")
    assert values["NAMESPACE"] == "passculture"
    assert values["MAIL_URL"] == f"file:{tmp_path}/mail"
    assert values["SMS_URL"] == f"file:{tmp_path}/sms"
    assert values["PUSH_URL"] == f"file:{tmp_path}/push"
    assert values["PUBLIC_URL"] == "http://localhost:8100"
    assert values["TRUSTED_PROXIES"] == "0"
    assert values["DATABASE_URL_WALLET"] == f"sqlite:///{tmp_path}/wallet.sqlite"
    assert values["SIGNING_KEY"] == f"(in {tmp_path}/signing.key)"
    empty = {name for name, value in values.items() if not value}
    assert empty == {"DATABASE_URL", "OPS_PORT", "RANDOM_SEED"}, "these have no default"


def test_effective_settings_equal_those_of_the_services(tmp_path: Path) -> None:
    environment = {"STATE_DIR": str(tmp_path), "MAIL_URL": "smtp://mail:25", "PUBLIC_URL": "https://pass.example.org/"}
    settings, values = Settings.from_environment(environment), shown(**environment)
    assert (values["MAIL_URL"], settings.mail_url) == ("smtp://mail:25", "smtp://mail:25")
    assert (values["SMS_URL"], values["NAMESPACE"]) == (settings.sms_url, settings.namespace)
    given = [row["name"] for row in effective_settings(environment) if row["given"]]
    assert given == ["STATE_DIR", "MAIL_URL", "PUBLIC_URL"]


def test_no_secret_is_shown(tmp_path: Path) -> None:
    key = "k" * 40
    urls = {"DATABASE_URL": "postgresql+psycopg2://admin:in-confidence@db/pass", "AMQP_URI": "amqp://a:hidden@mq//"}
    values = shown(STATE_DIR=str(tmp_path), SIGNING_KEY=key, **urls)
    settings = Settings.from_environment({"STATE_DIR": str(tmp_path), "SIGNING_KEY": key, **urls})
    assert values["NAMESPACE"] == "pass"
    assert values["DATABASE_URL_WALLET"] == "postgresql+psycopg2://pass_wallet:***@db/pass"
    secrets = [key, "in-confidence", "hidden", *(settings.role_password(name) for name in STORES)]
    assert not [secret for secret in secrets if secret in str(values)]


@pytest.mark.parametrize("name", ["TRUSTED_PROXIES", "POOL_SIZE", "PORT"])
@pytest.mark.parametrize("text", ["-1", "x", "1.5", "٣", "11111111111", "000000001999999", "9" * 30])
def test_an_invalid_number_is_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(BadSettings, match=name):
        Settings.from_environment({"STATE_DIR": str(tmp_path), name: text})


def test_the_number_of_proxies_has_a_default_and_a_bound(tmp_path: Path) -> None:
    assert Settings.from_environment({"STATE_DIR": str(tmp_path)}).trusted_proxies == 0
    assert Settings.from_environment({"STATE_DIR": str(tmp_path), "TRUSTED_PROXIES": "2"}).trusted_proxies == 2
    with pytest.raises(BadSettings, match="TRUSTED_PROXIES"):
        Settings.from_environment({"STATE_DIR": str(tmp_path), "TRUSTED_PROXIES": "11"})
