"""Settings from environment variables, validated at start-up. ``passculture settings`` lists ``SETTINGS``."""

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

from shared.kernel.identifiers import bic, iban
from shared.kernel.randomness import Randomness, SeededRandomness, SystemRandomness
from shared.kernel.time import parse_instant
from shared.runtime.storage import database_name, postgresql_url, with_login, without_password

SERVICES = ("identity", "catalog", "booking", "wallet", "payout", "gateway")
EXTRA_STORES: dict[str, str] = {"keys": "identity"}
"""Additional store → the service that owns it. Each has its own schema, role and history."""
STORES = (*SERVICES, *EXTRA_STORES)

SETTINGS: dict[str, tuple[str, str]] = {
    "PORT": ("8000", "the gateway's port"),
    "BIND": ("127.0.0.1", "the address that the gateway listens on"),
    "TRUSTED_PROXIES": (
        "0",
        "number of reverse proxies in front of the gateway that append to X-Forwarded-For: the client's address is the"
        " one that the outermost saw",
    ),
    "OPS_PORT": (
        "",
        "the port on which each process serves /health/live, /health/ready and /metrics; default: the gateway's PORT",
    ),
    "STATE_DIR": (".state", "the folder of SQLite files, mails, generated files and keys; delete it to start afresh"),
    "DATABASE_URL": ("", "postgresql+psycopg2://…; default: a SQLite file per service in STATE_DIR"),
    **{f"DATABASE_URL_{name.upper()}": ("", f"the database of {name} only") for name in SERVICES},
    "DATABASE_URL_KEYS": (
        "",
        "the database of the persons' encryption keys, whose backups are separate and kept for a short time",
    ),
    "POOL_SIZE": (
        "12",
        "maximum number of PostgreSQL connections per service process, at least 2; identity uses up to 4 more for keys",
    ),
    "AMQP_URI": ("local://localhost", "amqp://…, or local:// for the bus inside a single process"),
    "NAMESPACE": ("", "prefix of exchanges, queues and database roles; default: the name of the database"),
    "RANDOM_SEED": ("", "makes all randomness a function of this seed; only with a simulated clock"),
    "CLOCK": ("real", "real, or the instant at which a simulated clock starts"),
    "SIGNING_KEY": ("", "the key that signs tokens, at least 32 characters; default: a key generated in STATE_DIR"),
    "MAIL_URL": ("", "file:/folder or smtp://host:port; default: STATE_DIR/mail"),
    "SMS_URL": ("", "file:/folder; default: STATE_DIR/sms"),
    "PUSH_URL": ("", "file:/folder; default: STATE_DIR/push"),
    "PUBLIC_URL": ("", "the base URL of links in mails; default: http://BIND:PORT, with localhost for 0.0.0.0"),
    "PAYOUT_PERIOD": ("fortnight", "fortnight or week"),
    "DEBTOR_NAME": ("pass Culture", "the debtor's name in transfer files"),
    "DEBTOR_IBAN": ("FR7630001007941234567890185", "the debtor's account"),
    "DEBTOR_BIC": ("BDFEFRPPCCT", "the debtor's bank"),
    "DEMO": ("0", "1 loads the actors and offers of the founding document"),
    "LOG_LEVEL": ("info", "debug, info, warning or error"),
}
SECRET_SETTINGS = {"SIGNING_KEY"}
KEY_FILE = "signing.key"
MIN_POOL_SIZE, MAX_POOL_SIZE = 2, 1000
MAX_PROXIES = 10
_DIGITS = re.compile(r"[0-9]{1,9}")


class OperatorError(Exception):
    """An error that is reported to the operator as one line, without a traceback."""


class BadSettings(OperatorError):
    """The line names the setting and the reason."""


@dataclass(frozen=True, slots=True)
class Debtor:
    name: str
    iban: str
    bic: str


@dataclass(frozen=True)
class Settings:
    """The effective settings. Made by ``Settings.from_environment``."""

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
        """Reads and validates them. Raises BadSettings."""
        environment = os.environ if environment is None else environment
        given = _with_defaults(environment)
        state_dir = Path(given["STATE_DIR"])
        clock = _clock(given["CLOCK"])
        if given["RANDOM_SEED"] and clock is None:
            raise BadSettings("RANDOM_SEED: only with a simulated clock (CLOCK=<instant>)")
        return cls(
            port=_port("PORT", given["PORT"]),
            bind=given["BIND"],
            trusted_proxies=_number("TRUSTED_PROXIES", given["TRUSTED_PROXIES"], 0, MAX_PROXIES),
            ops_port=_port("OPS_PORT", given["OPS_PORT"]) if given["OPS_PORT"] else None,
            state_dir=state_dir,
            database=_database("DATABASE_URL", given["DATABASE_URL"]),
            own_databases={
                name: _database(setting, given[setting])
                for name in STORES
                if given[setting := f"DATABASE_URL_{name.upper()}"]
            },
            pool_size=_number("POOL_SIZE", given["POOL_SIZE"], MIN_POOL_SIZE, MAX_POOL_SIZE),
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
        """The PostgreSQL schema of a store; None for a SQLite file."""
        return store if self.database or store in self.own_databases else None

    def role(self, service: str) -> str:
        """The database role of a service, which has no rights in the other services' schemas."""
        return f"{self.namespace}_{service}"[:63]

    def role_password(self, service: str) -> str:
        return hmac.new(self.signing_key, self.role(service).encode(), hashlib.sha256).hexdigest()[:40]

    def database_url(self, service: str) -> str:
        """The URL of the service's own database, with its own role."""
        if service in self.own_databases:
            return self.own_databases[service]
        if not self.database:
            return f"sqlite:///{self.sqlite_file(service)}"
        return with_login(self.database, self.role(service), self.role_password(service))

    def sqlite_file(self, store: str) -> Path:
        """The file of a store that has no PostgreSQL schema."""
        return self.state_dir / f"{store}.sqlite"

    def randomness(self) -> Randomness:
        return SeededRandomness(self.random_seed) if self.random_seed else SystemRandomness()


def effective_settings(environment: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """``{name, value, given, meaning}`` of each setting, secrets hidden. Raises BadSettings.

    ``given``: whether the environment sets it; otherwise the value is a default.
    """
    environment = os.environ if environment is None else environment
    settings = Settings.from_environment(environment)
    urls = {f"DATABASE_URL_{name.upper()}": settings.database_url(name) for name in STORES}
    values = _with_defaults(environment) | urls
    generated = f"(in {settings.state_dir / KEY_FILE})"
    values |= {name: "(set)" if values[name] else generated for name in SECRET_SETTINGS}
    return [
        {
            "name": name,
            "value": without_password(values[name]),
            "given": bool(environment.get(name, "").strip()),
            "meaning": meaning,
        }
        for name, (_, meaning) in SETTINGS.items()
    ]


def _with_defaults(environment: Mapping[str, str]) -> dict[str, str]:
    """The given values and the defaults; empty where a setting has neither. Raises BadSettings."""
    given = {name: environment.get(name, "").strip() or default for name, (default, _) in SETTINGS.items()}
    state_dir = Path(given["STATE_DIR"]).absolute()
    database = _database("DATABASE_URL", given["DATABASE_URL"])
    derived = {
        "NAMESPACE": database_name(database) if database else "passculture",
        "MAIL_URL": f"file:{state_dir / 'mail'}",
        "SMS_URL": f"file:{state_dir / 'sms'}",
        "PUSH_URL": f"file:{state_dir / 'push'}",
        "PUBLIC_URL": f"http://{_reachable_host(given['BIND'])}:{given['PORT']}",
    }
    return given | {name: given[name] or value for name, value in derived.items()} | {"STATE_DIR": str(state_dir)}


def _port(name: str, text: str) -> int:
    if not _DIGITS.fullmatch(text) or not 0 < int(text) < 65536:
        raise BadSettings(f"{name}: {text!r} is not a port")
    return int(text)


def _number(name: str, text: str, minimum: int, maximum: int) -> int:
    if not _DIGITS.fullmatch(text) or not minimum <= int(text) <= maximum:
        raise BadSettings(f"{name}: {text!r} is not a number from {minimum} to {maximum}")
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
        raise BadSettings(f"CLOCK: {text!r} is neither 'real' nor an instant such as 2021-11-02T09:00:00Z") from None


def _database(name: str, text: str) -> str:
    if not text:
        return ""
    try:
        return postgresql_url(text)
    except ValueError as error:
        raise BadSettings(f"{name}: {error}") from None


def _amqp(text: str) -> str:
    if not text.startswith(("amqp://", "amqps://", "local://")):
        raise BadSettings(f"AMQP_URI: {without_password(text)!r} is neither amqp://… nor local://localhost")
    return text


def _folder_or_server(name: str, text: str) -> str:
    schemes = ("file:", "smtp://") if name == "MAIL_URL" else ("file:",)
    if not text.startswith(schemes):
        raise BadSettings(f"{name}: {text!r} does not begin with {' or '.join(schemes)}")
    if text.startswith("file:") and not text.removeprefix("file:").startswith("/"):
        raise BadSettings(f"{name}: {text!r} is not file:/an/absolute/folder")
    return text


def _reachable_host(bind: str) -> str:
    """A host name under which this machine reaches a server bound to that address; a wildcard address is none."""
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
    """The key in the file. Waits up to a second, because another process may be writing it."""
    for _ in range(100):
        key = path.read_bytes()
        if len(key) == 64:
            return key
        time.sleep(0.01)
    raise BadSettings(f"STATE_DIR: {path} is not a signing key")
