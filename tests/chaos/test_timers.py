"""SIGKILL of a random process every second while a day passes in each: what falls due happens once, at its own instant.

On a platform of its own, whose clock goes by itself (``hurry``): each process looks by itself for what has fallen due.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from services.booking.domain.booking import Booking
from services.booking.domain.rules import AUTOMATIC_VALIDATION
from services.booking.domain.states import Means, Reason
from shared.kernel.time import parse_instant
from tests.chaos.conftest import SEED
from tests.chaos.figures import Figures
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.hurry import SETTING, Hurry
from tests.chaos.journal import Books, Entry, audit, backlog, opened
from tests.chaos.scale import Scale
from tests.system.scenario import Actor, Beneficiary, Scenario
from tests.waiting import wait_until

BEGINNING = parse_instant("2022-02-01T09:00:00Z")
SEVENTEEN_SOON = date(2005, 2, 6)
EVERY_SECONDS = 1.0
DAYS = (3, 5, 7, 9)
"""After which events begin. What is undated is a book, which expires after ten."""
PRICE = 300
PEOPLE = 5
ALL_DUE = timedelta(days=14)
"""What is booked now has fallen due."""


@dataclass
class Hurried:
    """A platform, its clock, and what was booked on it."""

    platform: Fleet
    clock: Hurry
    entries: list[Entry] = field(default_factory=list)
    quantities: dict[int, int] = field(default_factory=dict)

    def wrong(self) -> list[str]:
        with opened(self.platform) as books:
            return [*audit(books, self.entries, self.quantities), *_overdue(books)]


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hurried]:
    folder = tmp_path_factory.mktemp("hurried")
    clock = Hurry(folder / "clock", BEGINNING)
    with fleet(folder, CLOCK="real", POOL_SIZE="3", **{SETTING: str(clock.path)}) as started:
        yield Hurried(started, clock)


@pytest.fixture(scope="module")
def scenario(hurried: Hurried) -> Scenario:
    return Scenario(hurried.platform)


@pytest.fixture(scope="module")
def actor(scenario: Scenario) -> Actor:
    return scenario.actor()


@pytest.fixture(scope="module")
def people(scenario: Scenario) -> list[Beneficiary]:
    return [scenario.young_person(SEVENTEEN_SOON), *(scenario.young_person() for _ in range(PEOPLE - 1))]


def booked(
    hurried: Hurried,
    scenario: Scenario,
    actor: Actor,
    people: list[Beneficiary],
    days: Sequence[int] = DAYS,
    books: int = 1,
) -> None:
    """Everybody books of every event, and of every book."""
    now = hurried.clock.now()
    begins = [(now + timedelta(days=after)).replace(microsecond=0) for after in days]
    events = [scenario.publish(actor, PRICE, 50, subcategory="CONCERT", begins=begin).stock_id for begin in begins]
    stocks = [*events, *(scenario.publish(actor, PRICE, 50).stock_id for _ in range(books))]
    hurried.quantities |= dict.fromkeys(stocks, 50)
    for person, stock in product(people, stocks):
        number, key = scenario.account_id(person), str(uuid.uuid4())
        hurried.entries.append(Entry("book", number, key, None, 201, scenario.make_booking(person, stock, key=key)))


def days_pass(hurried: Hurried, span: timedelta = ALL_DUE) -> None:
    end = hurried.clock.now() + span
    with hurried.clock.hurrying():
        wait_until(lambda: hurried.clock.now() >= end)


# --- what must have happened by now -----------------------------------------------------------------------------------


def _overdue(books: Books) -> Iterator[str]:
    """What has not become of a booking what becomes of it by itself, once and at its instant."""
    confirmed: dict[int, Any] = {}
    ends: dict[int, list[Any]] = {}
    for event in books.events("booking"):
        if isinstance(event, Booking.Confirmed):
            confirmed[event.booking_id] = event
        elif isinstance(event, Booking.Validated | Booking.Cancelled):
            ends.setdefault(event.booking_id, []).append(event)
    for number, event in confirmed.items():
        yield from _ended(number, event.terms.beginning_at, ends.get(number, []))
    passed = Counter(event.originator_id for event in books.events("catalog") if type(event).__name__ == "DateElapsed")
    dated = {event.terms.stock_id for event in confirmed.values() if event.terms.beginning_at is not None}
    if sorted(passed.values()) != [1] * len(dated):
        yield f"of {len(dated)} dates {dict(passed)} have passed"


def _ended(number: int, begins: datetime | None, ends: list[Any]) -> Iterator[str]:
    if len(ends) != 1:
        yield f"booking {number} ended {len(ends)} times"
        return
    (end,) = ends
    if begins is None:
        if not (isinstance(end, Booking.Cancelled) and end.reason == Reason.EXPIRED):
            yield f"booking {number} has not expired: {end}"
    elif not (isinstance(end, Booking.Validated) and end.by == Means.AUTOMATIC):
        yield f"booking {number} was not validated by itself: {end}"
    elif end.used_at != begins + AUTOMATIC_VALIDATION:
        yield f"booking {number} was used at {end.used_at}, and its event began at {begins}"


# --- while processes die ----------------------------------------------------------------------------------------------


def test_what_falls_due_while_processes_die_happens_once_and_at_its_instant(
    hurried: Hurried,
    scenario: Scenario,
    actor: Actor,
    people: list[Beneficiary],
    scale: Scale,
    figures: Figures,
) -> None:
    platform, begun = hurried.platform, hurried.clock.now()
    deaths = platform.deaths.copy()
    for _ in range(scale.rounds_of_timers):
        booked(hurried, scenario, actor, people)
        with platform.hunted(random.Random(SEED), EVERY_SECONDS):
            days_pass(hurried)
    with opened(platform) as books:
        wait_until(lambda: not [*backlog(books), *_overdue(books)], hurried.wrong)
    assert hurried.wrong() == []
    assert platform.deaths == deaths, "processes that nobody killed"
    assert platform.command("reconcile").returncode == 0
    days = (hurried.clock.now() - begun).days
    figures.note(
        "Timers",
        f"{platform.kills.total()} kills while {days} days passed: {len(hurried.entries)} bookings validated by "
        "themselves or expired, each once, validated as of 48 h after the start to the microsecond",
    )


def test_a_birthday_that_comes_while_processes_die_is_credited_once(
    hurried: Hurried, scenario: Scenario, people: list[Beneficiary]
) -> None:
    """17 on the fifth day: 30 € more (domain.md R3), beside what was spent."""
    with opened(hurried.platform) as books:
        grown = [event for event in books.events("wallet") if type(event).__name__ == "Recredited"]
    assert [(event.age, event.amount) for event in grown] == [(17, 3_000)]


def test_without_timers_what_falls_due_is_reported(
    hurried: Hurried, scenario: Scenario, actor: Actor, people: list[Beneficiary]
) -> None:
    """The control: a booking service whose timers' loop does nothing; with it, the days catch up."""
    assert hurried.wrong() == []
    with hurried.platform.sabotaged("booking", "sleeps_through"):
        booked(hurried, scenario, actor, people, days=DAYS[:1], books=0)
        days_pass(hurried, timedelta(days=DAYS[0] + 3))
        found = hurried.wrong()
    assert len([text for text in found if text.endswith("ended 0 times")]) == len(people), found
    wait_until(lambda: not hurried.wrong(), hurried.wrong)
