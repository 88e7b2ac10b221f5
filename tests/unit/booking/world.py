"""Booking as it runs, on a SQLite store, with the messages of the other services."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.booking.application.saga.driver import Saga
from services.booking.application.saga.recovery import Recovery
from services.booking.bootstrap import build
from services.booking.domain.booking import Booking
from services.booking.neighbours import Wallet
from shared.eventstore import Message
from shared.kernel.callers import Caller
from shared.kernel.errors import Unavailable
from shared.kernel.identifiers import stream_id
from shared.kernel.time import SettableClock, instant_text, parse_instant
from shared.runtime.service import Service
from shared.runtime.settings import Settings
from shared.testing import BusDouble, empty_database
from tests.unit.booking.wallet import WalletDouble

NOON = parse_instant("2021-11-02T12:00:00Z")
OFFERER, VENUE, PRO = 5, 50, 500
YOUNG = 1001
DESK = Caller(PRO, frozenset({"pro"}))
SOFTWARE = Caller(0, frozenset(), OFFERER)


@dataclass
class World:
    """The venue 50 of the structure 5, for which the account 500 works; the persons from 1001 on are beneficiaries."""

    folder: Path
    start: datetime = NOON
    wallet: WalletDouble = field(default_factory=WalletDouble)
    engine: sa.Engine | None = None  # a SQLite file in the folder unless given

    def __post_init__(self) -> None:
        self.clock = SettableClock(self.start)
        self.settings = Settings.from_environment(
            {"STATE_DIR": str(self.folder), "CLOCK": instant_text(self.start), "RANDOM_SEED": "1"}
        )
        self.bus = BusDouble(
            {
                ("wallet", "reserve"): self.wallet.reserve,
                ("wallet", "release"): self.wallet.release,
                ("identity", "people"): self._people,
            }
        )
        self.numbers = itertools.count(1)
        self.names = {YOUNG: "Zoé"}
        if self.engine is None:
            self.engine = empty_database(self.folder, "booking")
        self.restart()
        self.receive("catalog", "VenueOpened", _venue())
        self.receive("identity", "ProAttached", {"accountId": PRO, "offererId": OFFERER, "at": self.now_text()})
        self.welcome(YOUNG)

    def restart(self) -> None:
        """Another process on the same store: nothing that was only in memory is left."""
        assert self.engine is not None
        self.service = build(self.settings, self.clock, self.bus, self.engine)
        self.store = self.service.store
        self.process = self.bus.add(self.service, self.clock)

    def now_text(self) -> str:
        return instant_text(self.clock.now())

    # messages of the other services

    def receive(
        self,
        source: str,
        name: str,
        data: dict[str, Any],
        service: Service | None = None,
        *,
        at: datetime | None = None,
    ) -> None:
        """A message as its publisher would send it, handled by booking or by another service of the test."""
        schema = import_module(f"shared.contracts.{source}").MESSAGES[name, 1]()
        data = schema.load(data)
        number = next(self.numbers)
        now = at or self.clock.now()
        message = Message(f"{source}:{number}", source, name, 1, "", 1, number, number - 1, "", now, now, "", "", data)
        receiver = service or self.service
        receiver.store.run(lambda tx: receiver.reactions.handle(tx, message))

    def move_event(self, stock: int, to: datetime, *, offer: int = 1) -> None:
        moved = {
            "stockId": stock,
            "offerId": offer,
            "beginningAt": instant_text(to),
            "previousBeginningAt": "2021-11-10T12:00:00Z",
            "bookingLimitAt": instant_text(to),
        }
        self.receive("catalog", "EventRescheduled", moved)

    def welcome(self, person_id: int, service: Service | None = None) -> int:
        data = {
            "personId": person_id,
            "kind": "age-18",
            "age": 18,
            "birthDate": None,
            "activatedAt": self.now_text(),
            "departmentCode": "67",
        }
        self.receive("identity", "BeneficiaryActivated", data, service)
        return person_id

    def offer(self, subcategory: str = "LIVRE_PAPIER", *, is_duo: bool = False, url: str | None = None) -> int:
        offer_id = next(self.numbers)
        self.receive(
            "catalog",
            "OfferPublished",
            {
                "offerId": offer_id,
                "venueId": VENUE,
                "offererId": OFFERER,
                "name": f"Offre {offer_id}",
                "subcategory": subcategory,
                "description": "",
                "isDuo": is_duo,
                "isDigital": url is not None,
                "url": url,
                "durationMinutes": None,
                "withdrawalDetails": "À la caisse",
                "bookingEmail": None,
                "tags": [],
                "publishedAt": self.now_text(),
            },
        )
        return offer_id

    def stock(
        self,
        offer_id: int | None = None,
        *,
        price: int = 1_000,
        quantity: int | None = 10,
        begins: datetime | None = None,
        limit: datetime | None = None,
        codes: tuple[str, ...] = (),
    ) -> int:
        stock_id = next(self.numbers)
        if offer_id is None:
            offer_id = self.offer("CONCERT" if begins else "LIVRE_PAPIER")
        self.receive(
            "catalog",
            "StockAdded",
            {
                "stockId": stock_id,
                "offerId": offer_id,
                "venueId": VENUE,
                "offererId": OFFERER,
                "priceCents": price,
                "quantity": quantity,
                "beginningAt": instant_text(begins) if begins else None,
                "bookingLimitAt": instant_text(limit) if limit else None,
                "activationCodes": list(codes),
                "addedAt": self.now_text(),
            },
        )
        return stock_id

    def event(self, after: timedelta, **stock: Any) -> int:
        """A stock of a concert that begins so long from now."""
        return self.stock(begins=self.clock.now() + after, **stock)

    def enter_batch(self, booking_id: int, *, batch: int = 1, line: int = 1, at: datetime | None = None) -> None:
        """``at``: when the batch closed; it is after the use of all that it pays."""
        data = {"bookingId": booking_id, "batchId": batch, "lineId": line}
        self.receive("payout", "BookingEnteredBatch", data, at=at or self.clock.now() + timedelta(days=1))

    def reimburse(self, booking_id: int, *, batch: int = 1) -> None:
        data = {"bookingId": booking_id, "batchId": batch, "at": self.now_text()}
        self.receive("payout", "BookingReimbursed", data)

    # what people do

    def command(
        self, name: str, data: dict[str, Any], caller: Caller | None = None, key: str | None = None
    ) -> dict[str, Any]:
        return self.bus.send_command("booking", name, data, key=key, caller=caller).result

    def query(self, name: str, data: dict[str, Any], caller: Caller | None = None) -> Any:
        return self.bus.send_query("booking", name, data, caller=caller)

    def book(self, stock_id: int, person: int = YOUNG, quantity: int = 1, key: str | None = None) -> dict[str, Any]:
        data = {"stockId": stock_id, "quantity": quantity}
        return self.command("book", data, Caller(person), key or f"key-{next(self.numbers)}")

    def cancel(self, booking_id: int, person: int = YOUNG, key: str | None = None) -> dict[str, Any]:
        return self.command("cancel", {"bookingId": booking_id}, Caller(person), key)

    def seen(self, booking_id: int, person: int = YOUNG) -> dict[str, Any]:
        return self.query("booking", {"bookingId": booking_id}, Caller(person))

    def desk(self, what: str, countermark: str, caller: Caller | None = DESK) -> dict[str, Any]:
        if what == "look-up":
            return self.query("desk-look-up", {"countermark": countermark}, caller)
        return self.command(f"desk-{what}", {"countermark": countermark}, caller)

    def pass_time(self, by: timedelta) -> None:
        self.move_to(self.clock.now() + by)

    def move_to(self, instant: datetime) -> None:
        """As the platform does: every timer at its own instant, then the instant itself."""
        while (due := self._first_due()) is not None and due <= instant:
            if due > self.clock.now():
                self.clock.move_to(due)
            self.process.run_due_timers()
        self.clock.move_to(instant)

    def _first_due(self) -> datetime | None:
        with self.store.reading() as connection:
            found = [timer.next_due(connection) for timer in self.service.timers]
        return min((due for due in found if due is not None), default=None)

    def recover(self) -> None:
        """What a fresh process does once it has seen open requests for longer than its patience."""
        seconds = iter((0.0, 10.0))
        saga = Saga(self.store, Wallet(self.bus), self.settings.randomness())
        recovery = Recovery(self.store, saga, machine_seconds=lambda: next(seconds))
        recovery.run()
        recovery.run()

    # what became of it

    def aggregate(self, booking_id: int) -> Booking:
        with self.store.transaction() as tx:
            booking = tx.get(Booking, stream_id("booking", booking_id))
        assert booking is not None
        return booking

    def messages(self, *names: str) -> list[dict[str, Any]]:
        """The data of what was published, of these names, in order."""
        return [message.data for message in self.store.messages(0, 10_000) if message.name in names]

    def counts(self, stock_id: int) -> tuple[int, int]:
        """(taken, booked)."""
        query = f"SELECT taken, booked FROM stocks WHERE stock_id = {stock_id}"
        with self.store.reading() as connection:
            row = connection.exec_driver_sql(query).one()
        return row.taken, row.booked

    def rows(self, table: str) -> int:
        with self.store.reading() as connection:
            return connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()

    def differences(self) -> list[dict[str, Any]]:
        """Rows that differ from a second fold of the log, and bookings whose events contradict each other."""
        return [
            *self.query("compare-projection", {})["differences"],
            *self.query("ledger", {})["contradictions"],
        ]

    def _people(self, data: dict[str, Any], _caller: Caller | None) -> dict[str, Any]:
        if "identity" in self.bus.away:
            raise Unavailable
        return {
            "people": {
                str(number): {
                    "firstName": self.names.get(number, "Jean"),
                    "lastName": f"Martin{number}",
                    "email": f"young{number}@example.org",
                    "phoneNumber": "+33612345678",
                }
                for number in data["accountIds"]
            }
        }


def _venue() -> dict[str, Any]:
    return {
        "venueId": VENUE,
        "offererId": OFFERER,
        "kind": "siret",
        "name": "Cinéma Star",
        "siret": "34086387400016",
        "comment": None,
        "establishment": "34086387400016",
        "address": "3 rue des Arts",
        "postalCode": "67000",
        "city": "Strasbourg",
        "lat": 48.58,
        "lon": 7.74,
        "bookingEmail": "star@example.org",
        "venueType": "MOVIE",
        "accessibility": {"audio": False, "mental": False, "motor": True, "visual": False},
        "departmentCode": "67",
        "timezone": "Europe/Paris",
    }
