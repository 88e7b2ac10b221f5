"""A wallet service on a store of its own, and the messages of other services."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.wallet.bootstrap import build
from shared.eventstore import Message
from shared.kernel.callers import Caller
from shared.kernel.identifiers import stream_id
from shared.kernel.time import SettableClock, instant_text
from shared.runtime.settings import Settings
from shared.testing import BusDouble, empty_database

START = datetime(2021, 11, 2, 9, tzinfo=UTC)
ZOE = 7


class Stage:
    """``identity`` and ``booking`` are played: their messages are numbered and handed over in order."""

    def __init__(self, folder: Path, start: datetime = START) -> None:
        self.clock = SettableClock(start)
        self.bus = BusDouble()
        engine = empty_database(folder, "wallet")
        settings = Settings.from_environment({"STATE_DIR": str(folder)})
        self.service = build(settings, self.clock, self.bus, engine)
        self.process = self.bus.add(self.service, self.clock)
        self.store = self.service.store
        self.logs: dict[str, list[Message]] = {"identity": [], "booking": []}
        self.bus.handlers = {
            (source, "log"): lambda data, _caller, log=log: self._read_log(log, data)
            for source, log in self.logs.items()
        }
        for source in self.logs:
            self.process.catch_up(source)

    @staticmethod
    def _read_log(log: list[Message], data: dict[str, Any]) -> dict[str, Any]:
        later = [message.to_wire() for message in log if message.position > data["after"]]
        return {"epoch": "epoch-of-the-stage", "messages": later[: data["limit"]]}

    def receive(self, source: str, name: str, **data: Any) -> Message:
        """Another service publishes a message, and wallet receives it."""
        message = self.publish(source, name, **data)
        self.process.react(source, [message])
        return message

    def publish(self, source: str, name: str, **data: Any) -> Message:
        log = self.logs[source]
        position = len(log) + 1
        message = Message(
            id=f"{source}:epoch-of:{position}",
            source=source,
            name=name,
            version=1,
            stream=str(stream_id(source, data.get("bookingId", data.get("personId", 0)))),
            stream_version=position,
            position=position,
            previous=position - 1,
            epoch="epoch-of-the-stage",
            occurred_at=self.clock.now(),
            recorded_at=self.clock.now(),
            causation_id="test",
            correlation_id="test",
            data=data,
        )
        log.append(message)
        return message

    def activate(self, person: int = ZOE, *, kind: str = "age-18", age: int = 18, birth: str | None = None) -> None:
        self.receive(
            "identity",
            "BeneficiaryActivated",
            personId=person,
            kind=kind,
            age=age,
            birthDate=birth,
            activatedAt=instant_text(self.clock.now()),
            departmentCode="34",
        )

    def reserve(self, booking: int, amount: int, **more: Any) -> Any:
        data = {"bookingId": booking, "attempt": 1, "personId": ZOE, "digital": False, "physical": False, **more}
        return self.bus.send_command("wallet", "reserve", {"amountCents": amount, **data}).result

    def release(self, booking: int, **more: Any) -> Any:
        return self.bus.send_command(
            "wallet", "release", {"bookingId": booking, "attempt": 1, "personId": ZOE, **more}
        ).result

    def receive_from_booking(self, name: str, booking: int, amount: int, **more: Any) -> None:
        self.receive("booking", name, **self.booking_facts(booking, amount, **more))

    def booking_facts(self, booking: int, amount: int, **more: Any) -> dict[str, Any]:
        times = dict.fromkeys(("usedAt", "invalidatedAt", "cancelledAt", "restoredAt"), instant_text(self.clock.now()))
        return {**times, "bookingId": booking, "attempt": 1, "personId": ZOE, "totalCents": amount, **more}

    def credit(self, person: int = ZOE, **more: Any) -> Any:
        return self.bus.send_query("wallet", "credit", {"personId": person, **more})

    def entries(self, person: int = ZOE, **more: Any) -> Any:
        return self.bus.send_query("wallet", "entries", {"personId": person, **more})

    def ledger(self, **data: Any) -> Any:
        ledger = self.bus.send_query("wallet", "ledger", data)
        totals = ledger["totals"]
        places = (totals[name] for name in ("available", "reserved", "spent", "lapsed"))
        assert totals["granted"] == sum(places)
        return ledger

    def differences(self) -> list[dict[str, Any]]:
        """Rows that differ from a second fold of the log."""
        found: list[dict[str, Any]] = self.bus.send_query("wallet", "compare-projection", {})["differences"]
        return found

    def pass_time(self, **more: float) -> None:
        """The clock moves on, and what falls due is done."""
        self.clock.move_to(self.clock.now() + timedelta(**more))
        self.process.run_due_timers()

    def published(self) -> list[tuple[str, dict[str, Any]]]:
        return [(message.name, message.data) for message in self.store.messages(0, 1000)]


def person(account_id: int, *roles: str) -> Caller:
    return Caller(account_id, frozenset(roles))
