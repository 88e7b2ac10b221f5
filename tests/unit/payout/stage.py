"""A payout service on a store of its own; stubs answer for identity, catalog, booking and wallet."""

from __future__ import annotations

import base64
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.payout.bootstrap import build
from shared.eventstore import Message
from shared.kernel.callers import Caller
from shared.kernel.errors import NotFound, Refused
from shared.kernel.identifiers import stream_id
from shared.kernel.time import SettableClock, instant_text, paris_day, parse_instant
from shared.runtime.process import Process
from shared.runtime.service import Service
from shared.runtime.settings import Settings
from shared.testing import BusDouble, empty_database

START = datetime(2021, 11, 2, 9, tzinfo=UTC)
EPOCH = "epoch-of-the-stage"
SARAH = Caller(90, frozenset({"pro"}))
STRANGER = Caller(91, frozenset({"pro"}))
OFFICE = Caller(92, frozenset({"staff", "finance"}))
"""The finance team and staff: the default caller."""
SIREN = "800000014"


def iban(number: int) -> str:
    """A valid French IBAN."""
    account = f"{number:011d}"
    key = 97 - (89 * 30004 + 15 * 1 + 3 * int(account)) % 97
    bban = f"3000400001{account}{key:02d}"
    return f"FR{98 - int(bban + '152700') % 97:02d}{bban}"


class Stage:
    def __init__(
        self, folder: Path, start: datetime = START, *, engine: sa.Engine | None = None, **settings: str
    ) -> None:
        self.clock = SettableClock(start)
        self.engine = engine or empty_database(folder, "payout")
        self.settings = Settings.from_environment({"STATE_DIR": str(folder), **settings})
        self.bus, self.service, self.process = self.replica()
        self.store = self.service.store
        self.logs: dict[str, list[Message]] = {"identity": [], "catalog": [], "booking": []}
        self.used: dict[int, tuple[int, str]] = {}
        self.wallet_position = 3
        self.bus.handlers = {
            (source, "log"): lambda data, _caller, log=log: self._read_log(log, data)
            for source, log in self.logs.items()
        } | {
            ("booking", "validate-due"): lambda _data, _caller: {"position": len(self.logs["booking"])},
            ("booking", "ledger"): lambda data, _caller: self._booking_ledger(),
            ("booking", "compare-projection"): lambda _data, _caller: {"differences": []},
            ("catalog", "offer"): lambda data, _caller: self._offer(data),
            ("wallet", "reached"): lambda _data, _caller: {"reached": True},
            ("wallet", "balances"): lambda data, _caller: self._wallet_balances(data),
            ("wallet", "ledger"): lambda data, _caller: self._wallet_ledger(),
            ("wallet", "compare-projection"): lambda _data, _caller: {"differences": []},
            ("identity", "people"): lambda data, _caller: {
                "people": {
                    str(number): {"firstName": "Zoé", "lastName": f"Martin {number}", "email": "", "phoneNumber": ""}
                    for number in data["accountIds"]
                }
            },
        }
        for source in self.logs:
            self.process.catch_up(source)

    def copy(self, folder: Path) -> Stage:
        """Another stage with the same stored rows, messages and validations."""
        with closing(sqlite3.connect(folder / "payout.sqlite")) as stored:
            self.engine.raw_connection().driver_connection.backup(stored)
        made = Stage(folder, self.clock.now())
        for source, log in self.logs.items():
            made.logs[source] += log
        made.used |= self.used
        return made

    def replica(self) -> tuple[BusDouble, Service, Process]:
        """Another process of payout on the same database."""
        bus = BusDouble()
        service = build(self.settings, self.clock, bus, self.engine)
        return bus, service, bus.add(service, self.clock)

    @staticmethod
    def _read_log(log: list[Message], data: dict[str, Any]) -> dict[str, Any]:
        later = [message.to_wire() for message in log if message.position > data["after"]]
        return {"epoch": EPOCH, "messages": later[: data["limit"]]}

    def _booking_ledger(self) -> dict[str, Any]:
        days: Counter[str] = Counter()
        for cents, day in self.used.values():
            days[day] += cents
        return {
            "position": len(self.logs["booking"]),
            "days": {day: {"validated": cents} for day, cents in days.items()},
            "totals": {"validated": sum(days.values())},
            "bookings": {str(number): cents for number, (cents, _) in self.used.items()},
            "contradictions": [],
        }

    def _wallet_ledger(self) -> dict[str, Any]:
        booking = self._booking_ledger()
        spent = booking["totals"]["validated"]
        return {
            "position": 1,
            "sources": {"booking": booking["position"], "identity": 0},
            "days": {day: {"spent": sums["validated"]} for day, sums in booking["days"].items()},
            "totals": {"granted": spent + 5, "available": 5, "reserved": 0, "spent": spent, "lapsed": 0},
            "bookings": booking["bookings"],
            "contradictions": [],
        }

    def _offer(self, data: dict[str, Any]) -> dict[str, Any]:
        """Catalog knows offers 1 to 9."""
        if data["offerId"] > 9:
            raise NotFound("There is no such offer.")
        return {"offerId": data["offerId"]}

    def _wallet_balances(self, data: dict[str, Any]) -> dict[str, Any]:
        """Two people on two pages; the position in the query decides their balances."""
        position = data.get("position") or self.wallet_position
        first = data.get("cursor") is None
        person, cents = (7, 100 * position) if first else (8, 0)
        item = {"personId": person, "theoreticalCents": cents, "actualCents": cents + 1}
        return {"position": position, "items": [item], "nextCursor": "8" if first else None}

    def message(self, source: str, kind: str, /, **data: Any) -> Message:
        """Another service publishes; payout has not received it yet."""
        log = self.logs[source]
        position = len(log) + 1
        number = data.get("bookingId", data.get("venueId", data.get("offererId", 0)))
        log.append(
            Message(
                id=f"{source}:epoch-of:{position}",
                source=source,
                name=kind,
                version=1,
                stream=str(stream_id(source, number)),
                stream_version=position,
                position=position,
                previous=position - 1,
                epoch=EPOCH,
                occurred_at=self.clock.now(),
                recorded_at=self.clock.now(),
                causation_id="test",
                correlation_id="test",
                data=data,
            )
        )
        return log[-1]

    def receive(self, source: str, kind: str, /, **data: Any) -> None:
        self.process.react(source, [self.message(source, kind, **data)])

    def structure(self, offerer: int = 1, siren: str = SIREN, pro: int = SARAH.account_id) -> None:
        self.receive(
            "identity",
            "OffererRegistered",
            offererId=offerer,
            siren=siren,
            name=f"Structure {offerer}",
            address="1 rue de la Paix",
            postalCode="67000",
            city="Strasbourg",
            registeredAt=instant_text(START),
        )
        self.receive("identity", "ProAttached", accountId=pro, offererId=offerer, at=instant_text(START))

    def venue(self, number: int = 1, offerer: int = 1) -> None:
        self.receive(
            "catalog",
            "VenueOpened",
            venueId=number,
            offererId=offerer,
            kind="siret",
            name=f"Lieu {number}",
            siret=f"{SIREN}{number:05d}",
            establishment=self.establishment(number),
            address="3 rue des Arts",
            postalCode="67000",
            city="Strasbourg",
        )

    @staticmethod
    def establishment(venue: int) -> str:
        return f"{SIREN}{venue:05d}"

    def set_up(self) -> None:
        """One structure with one venue, paid on an accepted account."""
        self.structure()
        self.venue()
        self.accepted_account()

    def accepted_account(self, number: int = 1, *, venue: int | None = None, offerer: int = 1) -> int:
        owner = {"offererId": offerer} if venue is None else {"venueId": venue}
        data = {**owner, "iban": iban(number), "bic": "BNPAFRPP", "holder": f"Star {number}"}
        submitted = self.command("submit-bank-details", data, caller=SARAH)
        self.command("accept-bank-details", {"bankDetailsId": submitted["bankDetailsId"]})
        return int(submitted["bankDetailsId"])

    def submitted(self, number: int = 5) -> int:
        """Bank details of Sarah's structure that await a decision."""
        data = {"offererId": 1, "iban": iban(number), "bic": "BNPAFRPP", "holder": "Star"}
        return int(self.command("submit-bank-details", data, caller=SARAH)["bankDetailsId"])

    def add_document(self, details: int, content: bytes, kind: str = "rib", caller: Caller | None = SARAH) -> Any:
        data = {"bankDetailsId": details, "kind": kind, "content": base64.b64encode(content).decode()}
        return self.command("add-document", data, caller=caller)

    def validation(self, booking: int, cents: int, *, used_at: str | None = None, venue: int = 1, **more: Any) -> Any:
        """The data of a CountermarkValidated, recorded for the ledgers of booking and wallet."""
        used = used_at or instant_text(self.clock.now())
        data = {
            "bookingId": booking,
            "attempt": 1,
            "personId": 7,
            "stockId": 1,
            "offerId": 1,
            "offerName": "Concert",
            "venueId": venue,
            "offererId": 1,
            "establishment": self.establishment(venue),
            "subcategory": "CONCERT",
            "countermark": "ABC234",
            "quantity": 1,
            "unitPriceCents": cents,
            "totalCents": cents * more.get("quantity", 1),
            "bookedAt": instant_text(START - timedelta(days=1)),
            "beginningAt": None,
            "usedAt": used,
            "by": "desk",
            **more,
        }
        self.used[booking] = (data["totalCents"], paris_day(parse_instant(used)).isoformat())
        return data

    def validate(self, booking: int, cents: int, **more: Any) -> None:
        self.receive("booking", "CountermarkValidated", **self.validation(booking, cents, **more))

    def invalidate(self, booking: int, *, venue: int = 1) -> None:
        cents, _ = self.used.pop(booking)
        now = instant_text(self.clock.now())
        self.receive(
            "booking",
            "CountermarkInvalidated",
            bookingId=booking,
            attempt=1,
            personId=7,
            venueId=venue,
            establishment=self.establishment(venue),
            totalCents=cents,
            usedAt=now,
            invalidatedAt=now,
        )

    def command(
        self, name: str, data: dict[str, Any], *, key: str | None = None, caller: Caller | None = OFFICE
    ) -> Any:
        return self.bus.send_command("payout", name, data, key=key, caller=caller).result

    def query(self, name: str, data: dict[str, Any] | None = None, *, caller: Caller | None = OFFICE) -> Any:
        return self.bus.send_query("payout", name, data or {}, caller=caller)

    def lines(self, **data: Any) -> dict[int, dict[str, Any]]:
        """Sarah's lines by number."""
        return {line["lineId"]: line for line in self.query("reimbursements", data, caller=SARAH)["items"]}

    def close(self, cutoff: str = "2021-11-15", at: str = "2021-11-16T09:00:00Z", key: str | None = None) -> Any:
        if parse_instant(at) > self.clock.now():
            self.clock.move_to(parse_instant(at))
        return self.command("close", {"cutoff": cutoff}, key=key)

    def published(self, *names: str) -> list[dict[str, Any]]:
        published = self.store.messages(0, 10_000)
        return [{"name": one.name, **one.data} for one in published if not names or one.name in names]

    def balanced(self) -> None:
        answer = self.query("reconciliation")
        assert answer["differences"] == []
        assert answer["balanced"] is True


__all__ = ["SARAH", "STRANGER", "Stage", "iban"]


def refused(stage: Stage, name: str, data: dict[str, Any], **more: Any) -> str:
    with pytest.raises(Refused) as caught:
        stage.command(name, data, **more)
    return caught.value.code
