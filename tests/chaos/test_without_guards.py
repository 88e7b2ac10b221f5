"""Without any one of its guards, the platform does what the oracle reports.

The last file of the level, because it leaves wrong data. Each test compares with what was reported before it.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shared import green
from tests.chaos.fleet import Fleet, repeating
from tests.chaos.journal import Journal, audit, opened_stores
from tests.chaos.late_commands import LATE_COMMANDS, LateCommand
from tests.chaos.load import SCARCE, Dataset, Load
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
def data(platform: Fleet) -> Dataset:
    return Dataset.created(platform, people=8, stocks=24, dearest=300, first=6_000)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    kept = Journal(tmp_path_factory.mktemp("without-guards") / "answers.jsonl")
    yield kept
    kept.close()


@contextmanager
def new_complaints(platform: Fleet, data: Dataset, told: Journal) -> Iterator[Complaints]:
    """What the oracle reports in addition to what it reported before."""

    def found() -> set[str]:
        with opened_stores(platform) as stores:
            return set(audit(stores, told.entries(), data.quantities))

    before = found()
    yield lambda: found() - before


def test_without_stored_outcomes_a_retry_after_a_kill_is_refused(platform: Fleet, told: Journal) -> None:
    """The control: a client that retries after a kill is refused what it already has."""
    dataset = Dataset.created(platform, people=8, stocks=24, dearest=300, first=6_500)
    load = Load(dataset, told, 48, random.Random(1))
    kills = platform.kills["booking"]

    def is_enough() -> bool:
        return refused_again(told) >= ENOUGH or platform.kills["booking"] - kills >= MOST_KILLS

    with new_complaints(platform, dataset, told) as complaints:
        kills_go_on = repeating(lambda: platform.kill_and_restart("booking"), EVERY_SECONDS)
        with platform.storing_no_outcomes("booking"), kills_go_on:
            load.run(lambda _: is_enough())
        platform.wait_idle()
        found = complaints()
    assert any(text.endswith("was refused with 409, and confirmed") for text in found), found


def refused_again(journal: Journal) -> int:
    """The number of retries after a lost answer that were refused as already booked."""
    told = journal.entries()
    return sum(one.tries > 1 and one.answer.get("code") == "already-booked" for one in told)


@pytest.mark.parametrize("what", LATE_COMMANDS)
def test_without_recorded_attempts_a_late_reservation_takes_credit(
    platform: Fleet, data: Dataset, told: Journal, what: str
) -> None:
    """The control: a reservation that arrives twice, or after its release, takes credit."""
    late = LATE_COMMANDS[what](LateCommand(platform, data))
    with new_complaints(platform, data, told) as complaints:
        with platform.without_guard("wallet", "forget_attempts"):
            late.tell()
        found = complaints()
    assert any(late.complaint in text for text in found), found


def test_without_the_count_of_places_a_stock_is_oversold(platform: Fleet, data: Dataset, told: Journal) -> None:
    """The control: everybody books a scarce stock; the constraint of the table is removed too."""
    stock = next(stock for stock in unbooked_stocks(platform, data) if data.quantities[stock] == SCARCE)
    with platform.database("booking").begin() as connection:
        connection.exec_driver_sql("ALTER TABLE stocks DROP CONSTRAINT places")
    with new_complaints(platform, data, told) as complaints:
        with platform.without_guard("booking", "count_no_places"):
            assert [answer.status for answer in all_book(data, stock)] == [201] * len(data.people)
        platform.wait_idle()
        found = complaints()
    assert f"stock {stock}: {len(data.people)} of {SCARCE} are booked" in found, found


def test_without_the_lock_on_a_stock_updates_are_lost(platform: Fleet, data: Dataset, told: Journal) -> None:
    """The control: bookings are cancelled concurrently."""
    stocks = iter([stock for stock in unbooked_stocks(platform, data) if data.quantities[stock] != SCARCE])
    with (
        new_complaints(platform, data, told) as complaints,
        platform.without_guard("booking", "lock_no_stock"),
    ):
        for _ in range(ROUNDS):
            stock = next(stocks)
            booked = all_book(data, stock)
            assert [answer.status for answer in booked] == [201] * len(data.people)
            at_once(cancel(data, person, answer) for person, answer in zip(data.people, booked, strict=True))
            platform.wait_idle()
            found = complaints()
            if any(text.startswith(f"stock {stock}: ") and "are counted" in text for text in found):
                return
    pytest.fail(f"nothing was lost: {found}")


def test_without_the_uniqueness_check_a_person_books_an_offer_twice(
    platform: Fleet, data: Dataset, told: Journal
) -> None:
    """The control: two live bookings of one person and offer."""
    stock = next(stock for stock in unbooked_stocks(platform, data) if data.quantities[stock] != SCARCE)
    with new_complaints(platform, data, told) as complaints:
        with platform.without_guard("booking", "allow_second_booking"):
            assert [book(data, data.people[0], stock)().status for _ in range(2)] == [201, 201]
        platform.wait_idle()
        found = complaints()
    assert any(text.startswith(f"person {data.people[0]} has 2 live bookings of offer") for text in found), found


def test_without_recovery_a_killed_process_leaves_its_request_open(
    platform: Fleet, data: Dataset, told: Journal
) -> None:
    """The control, and the guard: no client retries the request that was open when its process was killed."""
    stock = next(stock for stock in unbooked_stocks(platform, data) if data.quantities[stock] != SCARCE)
    with new_complaints(platform, data, told) as complaints:

        def is_held() -> bool:
            return any(text.endswith("its request is held open") for text in complaints())

        with platform.without_guard("booking", "recover_nothing"):
            with platform.suspended_process("wallet"):
                asked = green.spawn(book(data, data.people[1], stock))
                wait_until(is_held)
                platform.kill_and_restart("booking")
            assert holds_for(is_held, OPEN_SECONDS)
            assert asked.wait().status == 503
        wait_until(lambda: not is_held())  # that process has the guard
        platform.wait_idle()
        assert complaints() == set()


# --- what people do ---------------------------------------------------------------------------------------------------


def unbooked_stocks(platform: Fleet, data: Dataset) -> list[int]:
    """Stocks that were never booked, so that anybody may book their offers."""
    with platform.database("booking").connect() as connection:
        taken = set(connection.exec_driver_sql("SELECT stock_id FROM bookings").scalars())
    return [stock for stock in data.quantities if stock not in taken]


def book(data: Dataset, person: int, stock: int) -> Callable[[], Answer]:
    body, token = {"stockId": stock, "quantity": 1}, data.token(person, "beneficiary")
    key = str(uuid.uuid4())
    return lambda: data.fleet.post("/v1/bookings", body, token, key=key)


def cancel(data: Dataset, person: int, booked: Answer) -> Callable[[], Answer]:
    path = f"/v1/me/bookings/{booked.json['bookingId']}/cancel"
    return lambda: data.fleet.post(path, {}, data.token(person, "beneficiary"))


def all_book(data: Dataset, stock: int) -> list[Answer]:
    return at_once(book(data, person, stock) for person in data.people)


def at_once(asks: Any) -> list[Answer]:
    return list(green.Pool().imap(lambda ask: ask(), list(asks)))
