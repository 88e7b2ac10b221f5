"""What becomes due while processes are killed happens once, as of its own instant.

On a platform of its own with a fast clock: each process notices by itself what has become due.
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
from tests.chaos.fast_clock import SETTING, FastClockFile
from tests.chaos.figures import Figures
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.journal import Entry, Stores, audit, backlog, opened_stores
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
class FastPlatform:
    """A platform, its clock, and its bookings."""

    platform: Fleet
    clock: FastClockFile
    entries: list[Entry] = field(default_factory=list)
    quantities: dict[int, int] = field(default_factory=dict)

    def wrong(self) -> list[str]:
        with opened_stores(self.platform) as stores:
            return [*audit(stores, self.entries, self.quantities), *_overdue(stores)]


@pytest.fixture(scope="module")
def fast_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastPlatform]:
    folder = tmp_path_factory.mktemp("fast-platform")
    clock = FastClockFile(folder / "clock", BEGINNING)
    with fleet(folder, CLOCK="real", POOL_SIZE="3", **{SETTING: str(clock.path)}) as started:
        yield FastPlatform(started, clock)


@pytest.fixture(scope="module")
def scenario(fast_platform: FastPlatform) -> Scenario:
    return Scenario(fast_platform.platform)


@pytest.fixture(scope="module")
def actor(scenario: Scenario) -> Actor:
    return scenario.actor()


@pytest.fixture(scope="module")
def people(scenario: Scenario) -> list[Beneficiary]:
    return [scenario.young_person(SEVENTEEN_SOON), *(scenario.young_person() for _ in range(PEOPLE - 1))]


def booked(
    fast_platform: FastPlatform,
    scenario: Scenario,
    actor: Actor,
    people: list[Beneficiary],
    days: Sequence[int] = DAYS,
    stores: int = 1,
) -> None:
    """Everybody books every event, and every copy of a book."""
    now = fast_platform.clock.now()
    begins = [(now + timedelta(days=after)).replace(microsecond=0) for after in days]
    events = [scenario.publish(actor, PRICE, 50, subcategory="CONCERT", begins=begin).stock_id for begin in begins]
    stocks = [*events, *(scenario.publish(actor, PRICE, 50).stock_id for _ in range(stores))]
    fast_platform.quantities |= dict.fromkeys(stocks, 50)
    for person, stock in product(people, stocks):
        number, key = scenario.account_id(person), str(uuid.uuid4())
        fast_platform.entries.append(
            Entry("book", number, key, None, 201, scenario.make_booking(person, stock, key=key))
        )


def days_pass(fast_platform: FastPlatform, span: timedelta = ALL_DUE) -> None:
    end = fast_platform.clock.now() + span
    with fast_platform.clock.running_fast():
        wait_until(lambda: fast_platform.clock.now() >= end)


# --- what must have happened by now -----------------------------------------------------------------------------------


def _overdue(stores: Stores) -> Iterator[str]:
    """Bookings that did not end once and as of their due instant."""
    confirmed: dict[int, Any] = {}
    ends: dict[int, list[Any]] = {}
    for event in stores.events("booking"):
        if isinstance(event, Booking.Confirmed):
            confirmed[event.booking_id] = event
        elif isinstance(event, Booking.Validated | Booking.Cancelled):
            ends.setdefault(event.booking_id, []).append(event)
    for number, event in confirmed.items():
        yield from _ended(number, event.terms.beginning_at, ends.get(number, []))
    passed = Counter(event.originator_id for event in stores.events("catalog") if type(event).__name__ == "DateElapsed")
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


def test_due_actions_happen_once_and_as_of_their_instant_despite_crashes(
    fast_platform: FastPlatform,
    scenario: Scenario,
    actor: Actor,
    people: list[Beneficiary],
    scale: Scale,
    figures: Figures,
) -> None:
    platform, begun = fast_platform.platform, fast_platform.clock.now()
    deaths = platform.deaths.copy()
    for _ in range(scale.rounds_of_timers):
        booked(fast_platform, scenario, actor, people)
        with platform.killing_at_random(random.Random(SEED), EVERY_SECONDS):
            days_pass(fast_platform)
    with opened_stores(platform) as stores:
        wait_until(lambda: not [*backlog(stores), *_overdue(stores)], fast_platform.wrong)
    assert fast_platform.wrong() == []
    assert platform.deaths == deaths, "processes that nobody killed"
    assert platform.command("reconcile").returncode == 0
    days = (fast_platform.clock.now() - begun).days
    figures.note(
        "Timers",
        f"{platform.kills.total()} kills while {days} days passed: {len(fast_platform.entries)} bookings validated by "
        "themselves or expired, each once, validated as of 48 h after the start to the microsecond",
    )


def test_birthday_is_credited_once_despite_crashes(
    fast_platform: FastPlatform, scenario: Scenario, people: list[Beneficiary]
) -> None:
    """17 on the fifth day: 30 € more (domain.md R3)."""
    with opened_stores(fast_platform.platform) as stores:
        grown = [event for event in stores.events("wallet") if type(event).__name__ == "Recredited"]
    assert [(event.age, event.amount) for event in grown] == [(17, 3_000)]


def test_without_timers_overdue_actions_are_detected(
    fast_platform: FastPlatform, scenario: Scenario, actor: Actor, people: list[Beneficiary]
) -> None:
    """The control: booking's timers do nothing; once they run again, they catch up."""
    assert fast_platform.wrong() == []
    with fast_platform.platform.without_guard("booking", "ignore_outages"):
        booked(fast_platform, scenario, actor, people, days=DAYS[:1], stores=0)
        days_pass(fast_platform, timedelta(days=DAYS[0] + 3))
        found = fast_platform.wrong()
    assert len([text for text in found if text.endswith("ended 0 times")]) == len(people), found
    wait_until(lambda: not fast_platform.wrong(), fast_platform.wrong)
