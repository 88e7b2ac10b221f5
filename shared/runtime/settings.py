"""Settings from the environment, checked at the start. ``SETTINGS`` is what ``passculture settings`` lists."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from shared.kernel.identifiers import bic, iban
from shared.kernel.randomness import Randomness, SeededRandomness, SystemRandomness
from shared.kernel.time import parse_instant

SERVICES = ("identity", "catalog", "booking", "wallet", "payout", "gateway")
BESIDE: dict[str, str] = {"keys": "identity"}
"""Stores that a service has beside its own, each with its own schema, role and history."""
STORES = (*SERVICES, *BESIDE)

SETTINGS: dict[str, tuple[str, str]] = {
    "PORT": ("8000", "the gateway's port"),
    "BIND": ("127.0.0.1", "the address that the gateway listens on"),
    "TRUSTED_PROXIES": (
        "0",
        "how many proxies before the gateway write X-Forwarded-For: the caller's address is what the outermost saw",
    ),
    "OPS_PORT": (
        "",
        "where each process serves /health/live, /health/ready, /metrics; without it the gateway's PORT",
    ),
    "STATE_DIR": (".state", "SQLite files, mails, generated files, keys; deleting it starts afresh"),
    "DATABASE_URL": ("", "postgresql+psycopg2://…; without it a SQLite file per service in STATE_DIR"),
    **{f"DATABASE_URL_{name.upper()}": ("", f"the connection of {name} alone") for name in SERVICES},
    "DATABASE_URL_KEYS": ("", "that of the persons' keys, which want backups of their own, kept shortly"),
    "POOL_SIZE": (
        "12",
        "PostgreSQL connections of a service's process at most, 2 or more; identity has up to 4 more for the keys",
    ),
    "AMQP_URI": ("local://localhost", "amqp://…; local:// is the bus within one process"),
    "NAMESPACE": ("", "prefix of exchanges, queues and roles; without it the database's name"),
    "RANDOM_SEED": ("", "only with a simulated clock: chance becomes a function of it"),
    "CLOCK": ("real", "real, or the instant at which a simulated clock starts"),
    "SIGNING_KEY": ("", "signs tokens, 32 characters or more; without it one is made in STATE_DIR"),
    "MAIL_URL": ("", "file:/folder or smtp://host:port; without it STATE_DIR/mail"),
    "SMS_URL": ("", "file:/folder; without it STATE_DIR/sms"),
    "PUSH_URL": ("", "file:/folder; without it STATE_DIR/push"),
    "PUBLIC_URL": ("", "what links in mails begin with; without it http://BIND:PORT, with localhost for 0.0.0.0"),
    "PAYOUT_PERIOD": ("fortnight", "fortnight or week"),
    "DEBTOR_NAME": ("pass Culture", "who pays"),
    "DEBTOR_IBAN": ("FR7630001007941234567890185", "from which account"),
    "DEBTOR_BIC": ("BDFEFRPPCCT", "at which bank"),
    "DEMO": ("0", "1 loads the founding document's actors and offers"),
    "LOG_LEVEL": ("info", "debug, info, warning or error"),
}
SECRET = {"SIGNING_KEY"}
KEY_FILE = "signing.key"
LEAST_POOL, MOST_POOL = 2, 1000
MOST_PROXIES = 10
_DIGITS = re.compile(r"[0-9]{1,9}")


class OneLine(Exception):
    """What a person who starts something is told in one line."""


class BadSettings(OneLine):
    """One line that says which setting is wrong, and why."""


@dataclass(frozen=True, slots=True)
class Debtor:
    name: str
    iban: str
    bic: str


@dataclass(frozen=True)
class Settings:
    """What is in force. Made by ``Settings.from_environment``."""

    port: int
    bind: str
    trusted_proxies: int
    ops_port: int | None
    state_dir: Path
    database: str
    own_databases: Mapping[str, str]
    pool_size: int
    amqp_uri: str
    namespace: str
    random_seed: str
    clock: datetime | None
    signing_key: bytes
    mail_url: str
    sms_url: str
    push_url: str
    public_url: str
    payout_period: str
    debtor: Debtor
    demo: bool
    log_level: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Reads and checks; raises BadSettings."""
        environment = os.environ if environment is None else environment
        given = _in_force(environment)
        state_dir = Path(given["STATE_DIR"])
        clock = _clock(given["CLOCK"])
        if given["RANDOM_SEED"] and clock is None:
            raise BadSettings("RANDOM_SEED: only with a simulated clock (CLOCK=<instant>)")
        return cls(
            port=_port("PORT", given["PORT"]),
            bind=given["BIND"],
            trusted_proxies=_number("TRUSTED_PROXIES", given["TRUSTED_PROXIES"], 0, MOST_PROXIES),
            ops_port=_port("OPS_PORT", given["OPS_PORT"]) if given["OPS_PORT"] else None,
            state_dir=state_dir,
            database=_database("DATABASE_URL", given["DATABASE_URL"]),
            own_databases={
                name: _database(setting, given[setting])
                for name in STORES
                if given[setting := f"DATABASE_URL_{name.upper()}"]
            },
            pool_size=_number("POOL_SIZE", given["POOL_SIZE"], LEAST_POOL, MOST_POOL),
            amqp_uri=_amqp(given["AMQP_URI"]),
            namespace=given["NAMESPACE"],
            random_seed=given["RANDOM_SEED"],
            clock=clock,
            signing_key=_signing_key(given["SIGNING_KEY"], state_dir),
            mail_url=_folder_or_server("MAIL_URL", given["MAIL_URL"]),
            sms_url=_folder_or_server("SMS_URL", given["SMS_URL"]),
            push_url=_folder_or_server("PUSH_URL", given["PUSH_URL"]),
            public_url=_public_url(given["PUBLIC_URL"]),
            payout_period=_one_of("PAYOUT_PERIOD", given["PAYOUT_PERIOD"], ("fortnight", "week")),
            debtor=_debtor(given),
            demo=_one_of("DEMO", given["DEMO"], ("0", "1")) == "1",
            log_level=_one_of("LOG_LEVEL", given["LOG_LEVEL"].lower(), ("debug", "info", "warning", "error")),
        )

    @property
    def embedded_bus(self) -> bool:
        return self.amqp_uri.startswith("local:")

    def schema(self, store: str) -> str | None:
        """That of a store in its PostgreSQL database; none where it is an SQLite file."""
        return store if self.database or store in self.own_databases else None

    def role(self, service: str) -> str:
        """The database role of a service: it can read nothing of the others."""
        return f"{self.namespace}_{service}"[:63]

    def role_password(self, service: str) -> str:
        return hmac.new(self.signing_key, self.role(service).encode(), hashlib.sha256).hexdigest()[:40]

    def database_url(self, service: str) -> str:
        """The service's own connection."""
        if service in self.own_databases:
            return self.own_databases[service]
        if not self.database:
            return f"sqlite:///{self.state_dir / (service + '.sqlite')}"
        url = sa.make_url(self.database).set(username=self.role(service), password=self.role_password(service))
        return url.render_as_string(hide_password=False)

    def randomness(self) -> Randomness:
        return SeededRandomness(self.random_seed) if self.random_seed else SystemRandomness()


def listing(environment: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Each setting: name, value in force (secrets hidden), whether it was given, meaning. Raises BadSettings."""
    environment = os.environ if environment is None else environment
    settings = Settings.from_environment(environment)
    values = _in_force(environment) | {f"DATABASE_URL_{name.upper()}": settings.database_url(name) for name in STORES}
    kept = f"(that of {settings.state_dir / KEY_FILE})"
    values |= {name: "(set)" if values[name] else kept for name in SECRET}
    return [
        {
            "name": name,
            "value": _without_password(values[name]),
            "given": bool(environment.get(name, "").strip()),
            "meaning": meaning,
        }
        for name, (_, meaning) in SETTINGS.items()
    ]


def _in_force(environment: Mapping[str, str]) -> dict[str, str]:
    """What was given, and what stands for what was not; empty where nothing does. Raises BadSettings."""
    given = {name: environment.get(name, "").strip() or default for name, (default, _) in SETTINGS.items()}
    state_dir = Path(given["STATE_DIR"]).absolute()
    otherwise = {
        "NAMESPACE": _database_name(_database("DATABASE_URL", given["DATABASE_URL"])),
        "MAIL_URL": f"file:{state_dir / 'mail'}",
        "SMS_URL": f"file:{state_dir / 'sms'}",
        "PUSH_URL": f"file:{state_dir / 'push'}",
        "PUBLIC_URL": f"http://{_reached_at(given['BIND'])}:{given['PORT']}",
    }
    return given | {name: given[name] or value for name, value in otherwise.items()} | {"STATE_DIR": str(state_dir)}


def _without_password(value: str) -> str:
    if "://" in value and "@" in value:
        try:
            return sa.make_url(value).render_as_string(hide_password=True)
        except sa.exc.ArgumentError:
            return "(unreadable)"
    return value


def _port(name: str, text: str) -> int:
    if not _DIGITS.fullmatch(text) or not 0 < int(text) < 65536:
        raise BadSettings(f"{name}: not a port: {text!r}")
    return int(text)


def _number(name: str, text: str, least: int, most: int) -> int:
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise BadSettings(f"{name}: not a number from {least} to {most}: {text!r}")
    return int(text)


def _one_of(name: str, text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise BadSettings(f"{name}: {text!r} is not one of {', '.join(allowed)}")
    return text


def _clock(text: str) -> datetime | None:
    if text == "real":
        return None
    try:
        return parse_instant(text)
    except ValueError:
        raise BadSettings(f"CLOCK: neither 'real' nor an instant such as 2021-11-02T09:00:00Z: {text!r}") from None


def _database(name: str, text: str) -> str:
    if not text:
        return ""
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise BadSettings(f"{name}: not a database URL") from None
    if url.get_backend_name() != "postgresql":
        raise BadSettings(f"{name}: only postgresql+psycopg2://… (without it, SQLite files in STATE_DIR)")
    if not url.database:
        raise BadSettings(f"{name}: no database name in it")
    return url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def _database_name(text: str) -> str:
    return (sa.make_url(text).database if text else "") or "passculture"


def _amqp(text: str) -> str:
    if not text.startswith(("amqp://", "amqps://", "local://")):
        raise BadSettings(f"AMQP_URI: neither amqp://… nor local://localhost: {_without_password(text)!r}")
    return text


def _folder_or_server(name: str, text: str) -> str:
    schemes = ("file:", "smtp://") if name == "MAIL_URL" else ("file:",)
    if not text.startswith(schemes):
        raise BadSettings(f"{name}: {text!r} does not begin with {' or '.join(schemes)}")
    if text.startswith("file:") and not text.removeprefix("file:").startswith("/"):
        raise BadSettings(f"{name}: {text!r} is not file:/an/absolute/folder")
    return text


def _reached_at(bind: str) -> str:
    """Where this machine finds what listens there: all addresses are none."""
    return "localhost" if bind in ("0.0.0.0", "::") else bind


def _public_url(text: str) -> str:
    if not text.startswith(("http://", "https://")) or any(char.isspace() for char in text):
        raise BadSettings(f"PUBLIC_URL: {text!r} is not an http or https address")
    return text.rstrip("/")


def _debtor(given: Mapping[str, str]) -> Debtor:
    try:
        return Debtor(given["DEBTOR_NAME"], iban(given["DEBTOR_IBAN"]), bic(given["DEBTOR_BIC"]))
    except ValueError as error:
        raise BadSettings(f"DEBTOR_IBAN, DEBTOR_BIC: {error}") from None


def _signing_key(text: str, state_dir: Path) -> bytes:
    if text:
        if len(text) < 32:
            raise BadSettings("SIGNING_KEY: shorter than 32 characters")
        return text.encode()
    path = state_dir / KEY_FILE
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _existing_key(path)
    except OSError as error:
        raise BadSettings(f"STATE_DIR: {error}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    return path.read_bytes()


def _existing_key(path: Path) -> bytes:
    """Another process may be writing it this very moment."""
    for _ in range(100):
        key = path.read_bytes()
        if len(key) == 64:
            return key
        time.sleep(0.01)
    raise BadSettings(f"STATE_DIR: {path} is not a signing key")
