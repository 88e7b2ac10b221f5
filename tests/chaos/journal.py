"""The journal of acknowledged answers, and the oracle that compares the services' stores with it.

A client's answer is on disk before its next request. ``audit`` returns a sentence for each violation. It reads logs and
tables through one connection per service, so that a test can corrupt something in a transaction and pass it on.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.booking.domain.booking import Booking
from services.booking.storage.tables import live_bookings, mail_progress, open_requests
from services.booking.storage.tables import stocks as places
from services.gateway.projections.catalogue.tables import stocks as shown_stocks
from services.wallet.domain.wallet import Wallet
from services.wallet.storage.tables import credits
from shared.cli.access import StoreAccess
from shared.eventstore import Store
from shared.eventstore.tables import dead_letters, relay, tracking
from shared.hosting.platform import service_class, sources_of
from shared.notifications.storage import notifications
from shared.runtime.settings import SERVICES, Settings
from tests.platform import Platform

DONE = {"book": 201, "cancel": 200, "use": 204}
REFUSED = {"book": {409}, "cancel": {409}, "use": set()}
"""What a caller may be told who asks for the right thing: places and credits do run out."""
USED_ALREADY = 410
"""Validating has no key: whoever asks again after a lost answer is told so."""


@dataclass(frozen=True)
class Entry:
    """One acknowledged answer. ``tries``: the number of requests until the client had it."""

    action: str
    person: int
    key: str
    booking: int | None
    status: int
    answer: dict[str, Any]
    tries: int = 1

    @property
    def is_done(self) -> bool:
        return self.status == DONE[self.action] or (
            self.action == "use" and self.tries > 1 and self.status == USED_ALREADY
        )


class Journal:
    """A file of entries; each is on disk when ``write`` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, entry: Entry) -> None:
        os.write(self._file, json.dumps(asdict(entry)).encode() + b"\n")
        os.fsync(self._file)

    def entries(self) -> list[Entry]:
        return [Entry(**json.loads(line)) for line in self._path.read_text().splitlines()]

    def close(self) -> None:
        os.close(self._file)


@dataclass
class Stores:
    """The stores of all services, each read through one connection."""

    by_service: Mapping[str, Store]
    connections: dict[str, sa.Connection]

    def events(self, service: str) -> Iterator[Any]:
        for _, _, event in self.by_service[service].log.events(self.connections[service]):
            yield event

    def rows(self, service: str, table: sa.Table) -> Sequence[Any]:
        return self.connections[service].execute(sa.select(table)).all()

    def head(self, service: str) -> int:
        return self.by_service[service].log.published_head(self.connections[service])


@contextmanager
def opened_stores(platform: Platform) -> Iterator[Stores]:
    """Changes through these connections are rolled back at the end."""
    stores = {
        name: process.store
        for name, process in StoreAccess(Settings.from_environment(platform.environment)).processes.items()
    }
    with ExitStack() as stack:
        for store in stores.values():
            stack.callback(store.engine.dispose)
        connections = {name: stack.enter_context(store.engine.connect()) for name, store in stores.items()}
        yield Stores(stores, connections)


# --- what the logs say ------------------------------------------------------------------------------------------------


@dataclass
class History:
    """The logs of booking and wallet, folded by code of the tests' own."""

    requested: dict[int, Booking.Requested] = field(default_factory=dict)
    keys: Counter[tuple[int | None, str | None]] = field(default_factory=Counter)
    confirmed: defaultdict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    money: defaultdict[tuple[str, int], list[Any]] = field(default_factory=lambda: defaultdict(list))
    granted: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, stores: Stores) -> History:
        history = cls()
        for event in stores.events("booking"):
            if isinstance(event, Booking.Requested):
                history.requested[event.booking_id] = event
                history.keys[event.asked.account_id, event.asked.key] += 1
            elif isinstance(event, Booking.Confirmed):
                history.confirmed[event.booking_id].append(event)
            if isinstance(event, Booking.Event):
                history.counts[type(event).__name__, event.booking_id] += 1
        for event in stores.events("wallet"):
            if isinstance(event, Wallet.Moved):
                history.money[type(event).__name__, event.booking_id].append(event)
            elif isinstance(event, Wallet.Granted | Wallet.Recredited):
                history.granted[event.person_id] += event.amount
        return history

    def is_live(self, booking: int) -> bool:
        return self.counts["Confirmed", booking] > self.counts["Cancelled", booking]

    def live(self) -> list[Any]:
        return [self.confirmed[booking][0] for booking in self.confirmed if self.is_live(booking)]


# --- the oracle -------------------------------------------------------------------------------------------------------


def audit(stores: Stores, entries: Sequence[Entry], quantities: Mapping[int, int]) -> list[str]:
    """All violations, as sentences. ``quantities``: the quantity of each stock."""
    history = History.of(stores)
    return [
        *_unexpected(entries),
        *_told(entries, history),
        *_asked_once(history),
        *_sagas(stores, history),
        *_money(stores, history),
        *_places(stores, history, quantities),
        *backlog(stores),
    ]


def _unexpected(entries: Sequence[Entry]) -> Iterator[str]:
    answers: dict[tuple[str, int, str], Entry] = {}
    for entry in entries:
        if not entry.is_done and entry.status not in REFUSED[entry.action]:
            yield f"{entry.action} was answered {entry.status}: {entry.answer}"
        first = answers.setdefault((entry.action, entry.person, entry.key), entry)
        if (first.status, first.answer) != (entry.status, entry.answer):
            yield f"key {entry.key} was answered {first.status} {first.answer}, then {entry.status} {entry.answer}"


def _told(entries: Sequence[Entry], history: History) -> Iterator[str]:
    """Each acknowledged booking is in the log once, and so is its cancellation or validation; no refused one is."""
    accepted = {event.asked.key for booking, event in history.requested.items() if history.confirmed[booking]}
    for entry in entries:
        if entry.action == "book" and entry.is_done:
            yield from _booked(entry, history)
        elif entry.action == "book" and entry.key in accepted:
            yield f"booking with key {entry.key} was refused with {entry.status}, and confirmed"
        elif entry.action != "book" and entry.is_done and entry.booking is not None:
            kind = "Cancelled" if entry.action == "cancel" else "Validated"
            if (found := history.counts[kind, entry.booking]) != 1:
                yield f"booking {entry.booking}: {entry.action} was acknowledged, and is {found} times in the log"


def _booked(entry: Entry, history: History) -> Iterator[str]:
    number = entry.answer["bookingId"]
    found = history.confirmed[number]
    if len(found) != 1:
        yield f"booking {number} was acknowledged, and is {len(found)} times in the log"
        return
    event, asked = found[0], history.requested[number].asked
    told = (entry.person, entry.key, entry.answer["stock"]["stockId"], entry.answer["countermark"])
    if (event.person_id, asked.key, event.terms.stock_id, event.countermark) != told:
        yield f"booking {number} was acknowledged as {told}, and is another one in the log"


def _asked_once(history: History) -> Iterator[str]:
    for (person, key), times in history.keys.items():
        if times > 1:
            yield f"key {key} of person {person} made {times} requests"


def _sagas(stores: Stores, history: History) -> Iterator[str]:
    for booking in history.requested:
        ends = history.counts["Confirmed", booking] + history.counts["Rejected", booking]
        if ends != 1:
            yield f"booking {booking}: its request ended {ends} times"
    for row in stores.rows("booking", open_requests):
        yield f"booking {row.booking_id}: its request is held open"
    live = sorted(event.booking_id for event in history.live())
    if sorted(row.booking_id for row in stores.rows("booking", live_bookings)) != live:
        yield "the live bookings are not those of the log"
    of_an_offer = Counter((event.person_id, event.terms.offer_id) for event in history.live())
    for (person, offer), times in of_an_offer.items():
        if times > 1:
            yield f"person {person} has {times} live bookings of offer {offer}"


def _money(stores: Stores, history: History) -> Iterator[str]:
    for booking, event in history.requested.items():
        times = {kind: len(history.money[kind, booking]) for kind in ("Reserved", "Released", "Spent", "Unspent")}
        was_booked = bool(history.confirmed[booking])
        paid = was_booked and event.terms.total > 0
        if times["Reserved"] > 1:
            yield f"booking {booking}: its credit was taken {times['Reserved']} times"
        if paid and times["Reserved"] == 0:
            yield f"booking {booking}: its credit was never taken"
        held = times["Reserved"] - times["Released"]
        if held != int(history.is_live(booking) and event.terms.total > 0):
            yield f"booking {booking}: its credit is held {held} times, and it is {_word(history, booking)}"
        used = history.counts["Validated", booking] - history.counts["Invalidated", booking]
        if event.terms.total and times["Spent"] - times["Unspent"] != used:
            yield f"booking {booking}: used {used} times, its credit spent {times['Spent'] - times['Unspent']} times"
        for move in history.money["Reserved", booking]:
            if (move.person_id, move.amount) != (event.person_id, event.terms.total):
                yield f"booking {booking}: {move.amount} cents of person {move.person_id} were taken"
    known = set(history.requested)
    for booking in {number for _, number in history.money if history.money[_, number]} - known:
        yield f"credit is held for booking {booking}, which there is not"
    yield from _balances(stores, history)


def _balances(stores: Stores, history: History) -> Iterator[str]:
    held: Counter[int] = Counter()
    for event in history.live():
        held[event.person_id] += event.terms.total
    available: Counter[int] = Counter()
    for row in stores.rows("wallet", credits):
        available[row.person_id] += row.available + row.lapsed
    for person, granted in history.granted.items():
        if available[person] != granted - held[person]:
            yield f"person {person} has {available[person]} cents left of {granted}, and bookings of {held[person]}"


def _word(history: History, booking: int) -> str:
    if not history.confirmed[booking]:
        return "rejected" if history.counts["Rejected", booking] else "open"
    return "live" if history.is_live(booking) else "cancelled"


def _places(stores: Stores, history: History, quantities: Mapping[int, int]) -> Iterator[str]:
    booked: Counter[int] = Counter()
    for event in history.live():
        booked[event.terms.stock_id] += event.terms.quantity
    rows = {row.stock_id: row for row in stores.rows("booking", places)}
    time_shown = {row.stock_id: row.remaining for row in stores.rows("gateway", shown_stocks)}
    for stock, quantity in quantities.items():
        row = rows[stock]
        if booked[stock] > quantity:
            yield f"stock {stock}: {booked[stock]} of {quantity} are booked"
        if (row.taken, row.booked) != (booked[stock], booked[stock]):
            yield f"stock {stock}: {booked[stock]} are booked, {row.booked} are counted and {row.taken} are taken"
        if time_shown[stock] != quantity - booked[stock]:
            yield f"stock {stock}: {quantity - booked[stock]} are left, and {time_shown[stock]} are shown"


def backlog(stores: Stores) -> list[str]:
    """What is still under way: messages to send or to handle, requests, mails; and what could not be handled.

    Positions are read before the heads of the logs. A position that is not behind a head that was read later shows that
    nothing was published between the two.
    """
    found = []
    sent = {service: stores.rows(service, relay)[0].position for service in SERVICES}
    followed = {service: {row.source: row.position for row in stores.rows(service, tracking)} for service in SERVICES}
    (written,) = stores.rows("booking", mail_progress)
    for service in SERVICES:
        for letter in stores.rows(service, dead_letters):
            if letter.state in ("failed", "parked"):
                found.append(f"{service} could not handle {letter.source} {letter.position}: {letter.error}")
    waiting = len(stores.rows("booking", open_requests))
    if waiting:
        found.append(f"{waiting} requests of bookings are open")
    for service in ("booking", "identity"):
        unsent = [row for row in stores.rows(service, notifications) if row.state == "waiting"]
        if unsent:
            found.append(f"{service} has {len(unsent)} notifications to send")
    heads = {service: stores.head(service) for service in SERVICES}
    for service in SERVICES:
        if sent[service] < heads[service]:
            found.append(f"{service} has sent up to {sent[service]} of {heads[service]}")
        for source in sources_of(service_class(service)):
            if (position := followed[service].get(source, 0)) < heads[source]:
                found.append(f"{service} has followed {source} up to {position} of {heads[source]}")
    last = stores.by_service["booking"].log.head(stores.connections["booking"])
    if written.position < last:
        found.append(f"booking has written mails up to {written.position} of {last}")
    return found
