"""The load: clients that book, cancel and have countermarks validated, and retry until they know the outcome."""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from shared import green
from shared.runtime.tokens import access_token
from tests.chaos.fleet import Fleet
from tests.chaos.journal import Entry, Journal
from tests.platform import Answer
from tests.system.scenario import Published, Scenario

PATIENCE_SECONDS = 150.0
"""Who has not learnt the outcome by then never will: the oracle is told so. Nor does a load go on that has brought
nothing about for so long."""
IN_PROGRESS = "request-in-progress"
SCARCE, PLENTY = 4, 10_000
SCARCE_EVERY = 6
DESKS = 5
"""Each with an account and an address of its own, which have few attempts at countermarks open at once: hundreds at one
desk keep each other waiting."""
TOGETHER = 6
"""How many sign up, or are published, at once."""
BOOKING = 0.5
"""How often somebody books, rather than do something about a booking."""
CANCELLING = 0.64
"""Of the latter, so many cancel; the others have it validated."""
CURIOUS = 0.05
"""How often somebody asks for what they may have booked already."""


@dataclass
class Dataset:
    """The data of the load: structures, people with a credit, stocks with their quantities."""

    fleet: Fleet
    pro: int
    venue: int
    """One of those that there are, and whose it is."""
    offer: int
    """One of those that are published."""
    people: list[int]
    quantities: dict[int, int]
    desks: dict[int, int]
    """By stock, who validates its bookings."""

    @classmethod
    def created(cls, fleet: Fleet, people: int, stocks: int, dearest: int, first: int = 1) -> Dataset:
        """Creates the data. One stock in ``SCARCE_EVERY`` is scarce. Prices go from 1 € to ``dearest`` cents.

        ``first``: the first number of its people; the datasets of a platform must not share any.
        """
        scenario = Scenario(fleet, first)
        actors = [scenario.actor(bank=False) for _ in range(DESKS)]
        pros = [_account(fleet, actor.token) for actor in actors]
        pool = green.Pool(TOGETHER)

        def publish(number: int) -> tuple[Published, int]:
            quantity = SCARCE if number % SCARCE_EVERY == 0 else PLENTY
            price = 100 + (number * 37) % (dearest - 99)
            return scenario.publish(actors[number % DESKS], price, quantity, name=f"Livre {number}"), quantity

        published = list(pool.imap(publish, range(stocks)))
        young = pool.imap(lambda _: scenario.young_person(), range(people))
        return cls(
            fleet,
            pros[0],
            scenario.venue(actors[0]),
            published[0][0].offer_id,
            [_account(fleet, person.token) for person in young],
            {one.stock_id: quantity for one, quantity in published},
            {one.stock_id: pros[number % DESKS] for number, (one, _) in enumerate(published)},
        )

    def token(self, account: int, role: str) -> str:
        """Signed as identity would sign it, because tokens of a sign-up expire after a quarter of an hour."""
        return access_token(account, frozenset({role}), (self.fleet.state / "signing.key").read_bytes())


def _account(fleet: Fleet, token: str) -> int:
    number: int = fleet.get("/v1/me", token)["accountId"]
    return number


@dataclass
class Seen:
    """What the clients have observed."""

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    later: Counter[str] = field(default_factory=Counter)
    """Answers that say "ask again": 503, a request still open, a broken connection."""
    slowest: float = 0.0
    """Seconds that a caller waited for one answer, whatever it was."""
    latest: float = 0.0
    """The same, of the answers that say "ask again"."""
    unexpected: list[str] = field(default_factory=list)
    newest: float = field(default_factory=time.monotonic)
    """When the last thing was done, by the machine's clock."""


class Stalled(Exception):
    """Nothing succeeds any more: all credit is spent, or nothing answers."""


Asks = Callable[[], Answer]


class Client:
    """A client that retries. All clients of a person share the person's bookings."""

    def __init__(
        self, dataset: Dataset, person: int, own: list[dict[str, Any]], load: Load, chance: random.Random
    ) -> None:
        self._dataset, self._person, self._own, self._load, self._chance = dataset, person, own, load, chance

    def act(self) -> None:
        """Books, cancels or validates. A booking is taken off the person's list before it is changed, so no other
        client does.
        """
        if self._chance.random() < BOOKING or not self._own:
            self._book()
        else:
            booking = self._own.pop(self._chance.randrange(len(self._own)))
            self._cancel(booking) if self._chance.random() < CANCELLING else self._use(booking)

    def _book(self) -> None:
        held = {booking["stock"]["stockId"] for booking in self._own} | self._load.used[self._person]
        wanted = [stock for stock in self._dataset.quantities if stock not in held]
        if not wanted or self._chance.random() < CURIOUS:
            wanted = list(self._dataset.quantities)
        stock = self._chance.choice(wanted)
        token = self._dataset.token(self._person, "beneficiary")
        key = str(uuid.uuid4())
        known = self._insist(
            "book", key, None, lambda: self._dataset.fleet.post("/v1/bookings", _one(stock), token, key=key)
        )
        if known is not None and known.is_done:
            self._own.append(known.answer)

    def _cancel(self, booking: dict[str, Any]) -> None:
        token = self._dataset.token(self._person, "beneficiary")
        key = str(uuid.uuid4())
        path = f"/v1/me/bookings/{booking['bookingId']}/cancel"
        number = booking["bookingId"]
        self._insist("cancel", key, number, lambda: self._dataset.fleet.post(path, {}, token, key=key))

    def _use(self, booking: dict[str, Any]) -> None:
        desk = self._dataset.desks[booking["stock"]["stockId"]]
        token, source = self._dataset.token(desk, "pro"), f"127.0.1.{desk % 250 + 1}"
        path = f"/v2/bookings/use/token/{booking['countermark']}"
        number = booking["bookingId"]
        self._load.used[self._person].add(booking["stock"]["stockId"])
        self._insist(
            "use", str(number), number, lambda: self._dataset.fleet.call("PATCH", path, token=token, source=source)
        )

    def _insist(self, action: str, key: str, booking: int | None, ask: Asks) -> Entry | None:
        """Repeats the request until the answer is final, and writes that to the journal."""
        until = time.monotonic() + PATIENCE_SECONDS
        tries = 0
        while time.monotonic() < until:
            tries += 1
            answer = self._asked(ask)
            if answer is not None:
                entry = Entry(action, self._person, key, booking, answer.status, _json(answer), tries)
                self._load.journal.write(entry)
                self._load.note(entry)
                return entry
            green.sleep(self._chance.uniform(0.1, 0.4))
        self._load.seen.unexpected.append(f"{action} with key {key} had no outcome within {PATIENCE_SECONDS} s")
        return None

    def _asked(self, ask: Asks) -> Answer | None:
        """None: to be repeated."""
        seen, begun = self._load.seen, time.monotonic()
        try:
            answer = ask()
        except OSError as error:
            seen.later[type(error).__name__] += 1
            return None
        finally:
            waited = time.monotonic() - begun
            seen.slowest = max(seen.slowest, waited)
        if answer.status == 503 or answer.code == IN_PROGRESS:
            seen.later[str(answer.status)] += 1
            seen.latest = max(seen.latest, waited)
            return None
        if answer.status >= 500:
            seen.unexpected.append(str(answer))
            return None
        return answer


class Load:
    """Clients over a dataset. ``journal`` has every answer, ``seen`` the counts since the last reset."""

    def __init__(self, dataset: Dataset, journal: Journal, clients: int, chance: random.Random) -> None:
        self.journal = journal
        self.seen = Seen()
        self.used: dict[int, set[int]] = {person: set() for person in dataset.people}
        self._shelves: dict[int, list[dict[str, Any]]] = {person: [] for person in dataset.people}
        self._clients = [
            Client(dataset, person, self._shelves[person], self, random.Random(chance.random()))
            for person in (dataset.people[number % len(dataset.people)] for number in range(clients))
        ]

    def forget_dataset_state(self) -> Seen:
        """Resets the counts."""
        self.seen = Seen()
        return self.seen

    def note(self, entry: Entry) -> None:
        if entry.is_done:
            self.seen.done[entry.action] += 1
            self.seen.newest = time.monotonic()
        else:
            self.seen.refused[entry.answer.get("code", str(entry.status))] += 1

    def run(self, until: Callable[[Seen], bool], clients: int | None = None, pause: float = 0.0) -> Seen:
        """Runs that many clients, or all, with a pause between two requests; each stops at a final answer once
        ``until`` holds. Each run takes other clients, because credit and places run out. Raises Stalled.
        """
        working = self._clients[:clients]
        self._clients = self._clients[len(working) :] + working
        self.seen.newest = time.monotonic()

        def work(client: Client) -> None:
            while not until(self.seen):
                if time.monotonic() - self.seen.newest > PATIENCE_SECONDS:
                    raise Stalled(f"{dict(self.seen.done)} done, {dict(self.seen.refused)} refused")
                client.act()
                green.sleep(pause)

        pool = green.Pool(len(working))
        for _ in pool.imap(work, working):
            pass
        return self.seen

    @contextmanager
    def going_on(self, clients: int, pause: float) -> Iterator[None]:
        """Runs the load in the background."""
        ends: list[bool] = []
        beside = green.spawn(self.run, lambda _: bool(ends), clients, pause)
        try:
            yield
        finally:
            ends.append(True)
            beside.wait()

    def acknowledged(self, count: int, clients: int = 4) -> Seen:
        """Runs the load until that many more bookings, cancellations and validations succeed."""
        wanted = self.seen.done.total() + count
        return self.run(lambda seen: seen.done.total() >= wanted, clients)


def _one(stock: int) -> Mapping[str, int]:
    return {"stockId": stock, "quantity": 1}


def _json(answer: Answer) -> dict[str, Any]:
    if not answer.body:
        return {}
    found: dict[str, Any] = answer.json
    return found
