"""Identity on a SQLite file, with settable clocks and recorded mails."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.identity.adapters.provider import EmbeddedProvider
from services.identity.adapters.sirene import EmbeddedDirectory
from services.identity.application.unit_of_work import Ports
from services.identity.bootstrap import AGGREGATES, assemble
from services.identity.keys import KeyStore, move_former_keys
from services.identity.mails import Mails
from services.identity.projections import projections
from services.identity.publishing import publication
from shared.eventstore import Store
from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.kernel.randomness import SeededRandomness
from shared.kernel.time import SettableClock
from shared.messaging.answering import Commands, Queries
from shared.notifications import Mail, Outbox, TextMessage
from shared.notifications.transports import Envelope, Transport
from shared.runtime.tokens import verify
from shared.testing import empty_database, sqlite_store
from tests.french import objection, typographic_objection

SIGNING_KEY = b"a key for tests, thirty-two bytes and more"
PASSWORD = "Correct-horse-9-battery"
NOW = datetime(2021, 11, 2, 9, tzinfo=UTC)
STAFF = Caller(0, frozenset({"staff"}))


class QuickHasher:
    """A fast substitute: Argon2 is slow on purpose."""

    def __init__(self) -> None:
        self.verified = 0

    def hash(self, password: str) -> str:
        return f"hashed:{password[::-1]}"

    def verify(self, password: str, hashed: str | None) -> bool:
        self.verified += 1
        return hashed == self.hash(password)


class Post(Transport):
    """Records every notification."""

    def __init__(self) -> None:
        self.sent: list[Mail | TextMessage] = []

    def deliver(self, envelope: Envelope) -> None:
        sent = envelope.notification
        assert isinstance(sent, Mail | TextMessage)
        assert (objection(sent.text), typographic_objection(sent.text)) == (None, None)
        self.sent.append(sent)

    def to(self, recipient: str) -> list[Mail | TextMessage]:
        return [each for each in self.sent if each.to == recipient]


class Platform:
    def __init__(
        self, folder: Path, now: datetime = NOW, engine: sa.Engine | None = None, keys: KeyStore | None = None
    ) -> None:
        """On a SQLite file in ``folder``, or on a migrated database."""
        self.clock = SettableClock(now)
        self.machine = SettableClock(datetime(2026, 1, 1, tzinfo=UTC))
        parts: dict[str, Any] = {
            "clock": self.clock,
            "aggregates": AGGREGATES,
            "publication": publication,
            "projections": projections(),
        }
        self.store = Store(engine, **parts) if engine else _store(folder, parts)
        self.keys = keys or KeyStore(_key_engine(folder))
        move_former_keys(self.store, self.keys)
        self.post = Post()
        self.outbox = Outbox(
            "identity", self.store, {"mail": self.post, "sms": self.post, "push": self.post}, machine=self.machine
        )
        self.hasher = QuickHasher()
        self.ports = Ports(
            store=self.store,
            keys=self.keys,
            outbox=self.outbox,
            mails=Mails("https://pass.example"),
            hasher=self.hasher,
            provider=EmbeddedProvider(),
            directory=EmbeddedDirectory(),
            randomness=SeededRandomness("seed"),
            machine=self.machine,
            signing_key=SIGNING_KEY,
            key_environment="test",
        )
        self.service = assemble(self.ports)
        self._commands = Commands(self.store, self.service.commands)
        self._queries = Queries(self.store, self.service.queries)

    # Calls, as the bus delivers them

    def send(
        self, name: str, data: dict[str, Any] | None = None, who: int | Caller | None = None, key: str | None = None
    ) -> Any:
        """The result of a command, after its mails are sent. Raises its refusal."""
        outcome = self.decide(name, data or {}, who, key)
        self.run_tasks()
        return _result(outcome)

    def decide(self, name: str, data: dict[str, Any], who: int | Caller | None = None, key: str | None = None) -> Any:
        """The outcome of a command, before the tasks run."""
        ((outcome, _, _),) = self._commands.decide([Call(name, data, key, _caller(who))])
        return outcome

    def ask(self, name: str, data: dict[str, Any] | None = None, who: int | Caller | None = None) -> Any:
        (answer,) = self._queries.answer([Call(name, data or {}, None, _caller(who))])
        return _result(answer)

    def run_tasks(self) -> None:
        """Carries out deferred requests, and sends mails and text messages."""
        self.service.tasks[0].run()

    def messages(self) -> list[tuple[str, dict[str, Any]]]:
        return [(message.name, message.data) for message in self.store.messages(0, 10_000)]

    # Actions of people

    def token_for(self, email: str) -> str:
        found = re.search(r"\?token=(\S+)", self.post.to(email)[-1].text)
        assert found is not None
        return found.group(1)

    @staticmethod
    def young_body(email: str) -> dict[str, Any]:
        return {
            "email": email,
            "password": PASSWORD,
            "firstName": "Zoé",
            "lastName": "Martin1",
            "birthDate": "2003-06-15",
            "postalCode": "80000",
            "phoneNumber": "+33610000001",
        }

    def sign_up(self, email: str = "zoe@example.org", **changes: Any) -> None:
        self.send("open-account", {**self.young_body(email), **changes})

    def young(self, email: str = "zoe@example.org", **changes: Any) -> int:
        """A confirmed young person's account."""
        self.sign_up(email, **changes)
        return self.confirm(email)

    def sign_up_pro(self, email: str = "sarah@example.org", siren: str = "213401722", **changes: Any) -> None:
        body = {
            "email": email,
            "password": PASSWORD,
            "firstName": "Sarah",
            "lastName": "Lang",
            "phoneNumber": "06 31 44 10 45",
            "siren": siren,
            "contactConsent": True,
        }
        self.send("open-pro-account", {**body, **changes})

    def pro(self, email: str = "sarah@example.org", siren: str = "213401722") -> int:
        self.sign_up_pro(email, siren)
        return self.confirm(email)

    def confirm(self, email: str) -> int:
        pair = self.send("confirm-email", {"token": self.token_for(email)})
        account: int = verify(pair["accessToken"], SIGNING_KEY)["accountId"]
        return account

    def sms_code(self, number: str) -> str:
        found = re.search(r"\b(\d{6})\b", self.post.to(number)[-1].text)
        assert found is not None
        return found.group(1)

    def confirm_phone(self, who: int, number: str = "+33610000001") -> None:
        self.send("send-phone-code", {}, who)
        self.send("confirm-phone-code", {"code": self.sms_code(number)}, who)

    def check_identity(self, who: int, **changes: Any) -> dict[str, Any]:
        body = {
            "documentNumber": f"8800000000{who:02d}",
            "firstName": "Zoé",
            "lastName": "Martin1",
            "birthDate": "2003-06-15",
        }
        result: dict[str, Any] = self.send("check-identity", {**body, **changes}, who)
        return result

    def complete(self, who: int) -> None:
        body = {"address": "1 rue de la Paix", "city": "Amiens", "postalCode": "80000", "activity": "student"}
        self.send("complete-profile", body, who)

    def beneficiary(self, email: str = "zoe@example.org", number: str = "+33610000001", name: str = "Martin1") -> int:
        """A person with a credit at 18."""
        who = self.young(email, phoneNumber=number, lastName=name)
        self.confirm_phone(who, number)
        self.check_identity(who, lastName=name)
        self.complete(who)
        return who

    def next_step(self, who: int) -> str | None:
        step: str | None = self.ask("me", who=who)["nextStep"]
        return step

    def pass_time(self, **duration: float) -> None:
        self.clock.move_to(self.clock.now() + timedelta(**duration))

    def pass_machine_time(self, **duration: float) -> None:
        self.machine.move_to(self.machine.now() + timedelta(**duration))


def _key_engine(folder: Path) -> sa.Engine:
    return empty_database(folder, "keys")


def _store(folder: Path, parts: dict[str, Any]) -> Store:
    """A copy of one migrated database, without fsync."""
    return sqlite_store(folder, "identity", **parts)


def _caller(who: int | Caller | None) -> Caller | None:
    """A number is an account with both public roles: identity decides by the account itself."""
    return Caller(who, frozenset({"beneficiary", "pro"})) if isinstance(who, int) else who


def _result(outcome: Any) -> Any:
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome
