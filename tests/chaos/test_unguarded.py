"""What the platform relies on taken away, one after the other: the oracle must say what went wrong.

The last of the level: what it leaves behind is wrong. Each is held against what was wrong before it.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shared import green
from tests.chaos.fleet import Fleet, again_and_again
from tests.chaos.journal import Journal, audit, opened
from tests.chaos.late import LATE, Late
from tests.chaos.load import SCARCE, Load, Town
from tests.platform import Answer
from tests.waiting import holds_for, wait_until

EVERY_SECONDS = 1.0
MOST_KILLS = 40
ENOUGH = 5
"""Some may have asked twice for what they had."""
OPEN_SECONDS = 6.0
"""The recovery sees a request for three seconds before it takes it up."""
ROUNDS = 10
Complaints = Callable[[], set[str]]


@pytest.fixture(scope="module")
def crowd(platform: Fleet) -> Town:
    return Town.settled(platform, people=8, stocks=24, dearest=300, first=6_000)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    kept = Journal(tmp_path_factory.mktemp("unguarded") / "answers.jsonl")
    yield kept
    kept.close()


@contextmanager
def newly_wrong(platform: Fleet, crowd: Town, told: Journal) -> Iterator[Complaints]:
    """What the oracle says now and did not say before."""

    def found() -> set[str]:
        with opened(platform) as books:
            return set(audit(books, told.entries(), crowd.quantities))

    before = found()
    yield lambda: found() - before


def test_without_stored_outcomes_a_killed_process_leaves_what_the_oracle_reports(
    platform: Fleet, told: Journal
) -> None:
    """The control: whoever asks again after a kill is refused what they have."""
    town = Town.settled(platform, people=8, stocks=24, dearest=300, first=6_500)
    load = Load(town, told, 48, random.Random(1))
    kills = platform.kills["booking"]

    def is_enough() -> bool:
        return refused_again(told) >= ENOUGH or platform.kills["booking"] - kills >= MOST_KILLS

    with newly_wrong(platform, town, told) as complaints:
        kills_go_on = again_and_again(lambda: platform.kill_and_restart("booking"), EVERY_SECONDS)
        with platform.forgetting("booking"), kills_go_on:
            load.run(lambda _: is_enough())
        platform.wait_idle()
        found = complaints()
    assert any(text.endswith("was refused with 409, and confirmed") for text in found), found


def refused_again(journal: Journal) -> int:
    """How many asked again after a lost answer and were told that they have it."""
    told = journal.entries()
    return sum(one.tries > 1 and one.answer.get("code") == "already-booked" for one in told)


@pytest.mark.parametrize("what", LATE)
def test_without_wallet_s_memory_of_attempts_a_late_reservation_takes_credit(
    platform: Fleet, crowd: Town, told: Journal, what: str
) -> None:
    """The control: what is told twice, or after it was given up, holds money."""
    late = LATE[what](Late(platform, crowd))
    with newly_wrong(platform, crowd, told) as complaints:
        with platform.sabotaged("wallet", "forgets_attempts"):
            late.tell()
        found = complaints()
    assert any(late.complaint in text for text in found), found


def test_without_the_count_of_places_more_are_booked_than_there_are(
    platform: Fleet, crowd: Town, told: Journal
) -> None:
    """The control: everybody books what is scarce. The table's own check is away too."""
    stock = next(stock for stock in untouched(platform, crowd) if crowd.quantities[stock] == SCARCE)
    with platform.database("booking").begin() as connection:
        connection.exec_driver_sql("ALTER TABLE stocks DROP CONSTRAINT places")
    with newly_wrong(platform, crowd, told) as complaints:
        with platform.sabotaged("booking", "counts_no_places"):
            assert [answer.status for answer in all_book(crowd, stock)] == [201] * len(crowd.people)
        platform.wait_idle()
        found = complaints()
    assert f"stock {stock}: {len(crowd.people)} of {SCARCE} are booked" in found, found


def test_without_the_lock_on_a_stock_its_counts_are_lost(platform: Fleet, crowd: Town, told: Journal) -> None:
    """The control: what was booked one after the other is cancelled by all at once."""
    stocks = iter([stock for stock in untouched(platform, crowd) if crowd.quantities[stock] != SCARCE])
    with newly_wrong(platform, crowd, told) as complaints, platform.sabotaged("booking", "locks_no_stock"):
        for _ in range(ROUNDS):
            stock = next(stocks)
            booked = all_book(crowd, stock)
            assert [answer.status for answer in booked] == [201] * len(crowd.people)
            at_once(cancel(crowd, person, answer) for person, answer in zip(crowd.people, booked, strict=True))
            platform.wait_idle()
            found = complaints()
            if any(text.startswith(f"stock {stock}: ") and "are counted" in text for text in found):
                return
    pytest.fail(f"nothing was lost: {found}")


def test_without_the_guard_a_person_books_an_offer_twice(platform: Fleet, crowd: Town, told: Journal) -> None:
    """The control: two live bookings of one person and offer."""
    stock = next(stock for stock in untouched(platform, crowd) if crowd.quantities[stock] != SCARCE)
    with newly_wrong(platform, crowd, told) as complaints:
        with platform.sabotaged("booking", "books_twice"):
            assert [book(crowd, crowd.people[0], stock)().status for _ in range(2)] == [201, 201]
        platform.wait_idle()
        found = complaints()
    assert any(text.startswith(f"person {crowd.people[0]} has 2 live bookings of offer") for text in found), found


def test_without_recovery_a_killed_process_s_request_is_held_for_ever(
    platform: Fleet, crowd: Town, told: Journal
) -> None:
    """The control, and what the guard does: nobody asks again for what was open when its process was killed."""
    stock = next(stock for stock in untouched(platform, crowd) if crowd.quantities[stock] != SCARCE)
    with newly_wrong(platform, crowd, told) as complaints:

        def is_held() -> bool:
            return any(text.endswith("its request is held open") for text in complaints())

        with platform.sabotaged("booking", "recovers_nothing"):
            with platform.frozen("wallet"):
                asked = green.spawn(book(crowd, crowd.people[1], stock))
                wait_until(is_held)
                platform.kill_and_restart("booking")
            assert holds_for(is_held, OPEN_SECONDS)
            assert asked.wait().status == 503
        wait_until(lambda: not is_held())  # that process has the guard
        platform.wait_idle()
        assert complaints() == set()


# --- what people do ---------------------------------------------------------------------------------------------------


def untouched(platform: Fleet, crowd: Town) -> list[int]:
    """Stocks of the town of which nothing was ever taken: nobody has booked their offers."""
    with platform.database("booking").connect() as connection:
        taken = set(connection.exec_driver_sql("SELECT stock_id FROM bookings").scalars())
    return [stock for stock in crowd.quantities if stock not in taken]


def book(crowd: Town, person: int, stock: int) -> Callable[[], Answer]:
    body, token = {"stockId": stock, "quantity": 1}, crowd.token(person, "beneficiary")
    key = str(uuid.uuid4())
    return lambda: crowd.fleet.post("/v1/bookings", body, token, key=key)


def cancel(crowd: Town, person: int, booked: Answer) -> Callable[[], Answer]:
    path = f"/v1/me/bookings/{booked.json['bookingId']}/cancel"
    return lambda: crowd.fleet.post(path, {}, crowd.token(person, "beneficiary"))


def all_book(crowd: Town, stock: int) -> list[Answer]:
    return at_once(book(crowd, person, stock) for person in crowd.people)


def at_once(asks: Any) -> list[Answer]:
    return list(green.Pool().imap(lambda ask: ask(), list(asks)))
