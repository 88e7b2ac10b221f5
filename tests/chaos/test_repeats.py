"""A command repeated with its key: the same answer, at once and a month later, after a refusal too.

After everything that the load is for: the month lets bookings expire that it still knows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import eventlet
import pytest

from tests.chaos.fleet import Fleet
from tests.chaos.journal import Entry, audit, opened
from tests.platform import Answer
from tests.system.stage import Actor, Beneficiary, Stage

MONTH = timedelta(days=31)
REUSED = (422, "idempotency-key-reused")
IN_PROGRESS = (409, "request-in-progress")
AT_ONCE = 8
EVENTS_OF_A_BOOKING = 2
"""It is requested, and confirmed."""


@pytest.fixture(scope="module")
def stage(platform: Fleet) -> Stage:
    return Stage(platform, first=5_000)


@pytest.fixture(scope="module")
def actor(stage: Stage) -> Actor:
    return stage.actor()


@pytest.fixture(scope="module")
def person(stage: Stage) -> Beneficiary:
    return stage.young_person()


def test_the_same_key_gives_the_same_answer_now_and_in_a_month(
    platform: Fleet, stage: Stage, actor: Actor, person: Beneficiary
) -> None:
    stock, other = stage.publish(actor, 1_000, 5).stock_id, stage.publish(actor, 1_000, 5).stock_id
    keys = {name: str(uuid.uuid4()) for name in ("book", "again", "cancel", "too late", "offer", "bad offer")}
    offers = f"/v1/pro/venues/{stage.venue(actor)}/offers"

    def cancel(key: str) -> Callable[[], Answer]:
        return lambda: stage.cancel(person, booking, key=keys[key])

    def offer(key: str, subcategory: str) -> Callable[[], Answer]:
        body = {"name": "Répété", "subcategory": subcategory, "description": ""}
        return lambda: platform.post(offers, body, actor.token, key=keys[key])

    def book(key: str) -> Callable[[], Answer]:
        return lambda: stage.book(person, stock, key=keys[key])

    booking = book("book")().json["bookingId"]
    calls = {
        "book": book("book"),
        "again": book("again"),
        "cancel": cancel("cancel"),
        "too late": cancel("too late"),
        "offer": offer("offer", "LIVRE_PAPIER"),
    }
    first = {name: call() for name, call in calls.items()}
    assert {name: answer.outcome for name, answer in first.items()} == {
        "book": (201, ""),
        "again": (409, "already-booked"),
        "cancel": (200, ""),
        "too late": (409, "already-cancelled"),
        "offer": (201, ""),
    }
    stored = platform.logs()
    for wait in (timedelta(0), MONTH):
        if wait:
            platform.advance(wait)
            stored = platform.logs()
        for name, call in calls.items():
            answer = call()
            assert (answer.status, answer.json) == (first[name].status, first[name].json), name
            assert answer.headers["Idempotency-Replayed"] == "true", name
        assert stage.book(person, other, key=keys["book"]).outcome == REUSED
        assert stage.book(person, other, key=keys["again"]).outcome == REUSED
        assert platform.logs() == stored


def test_a_key_that_many_ask_with_at_the_same_time_is_decided_once(
    platform: Fleet, stage: Stage, actor: Actor, person: Beneficiary
) -> None:
    stock, key = stage.publish(actor, 800, 5).stock_id, str(uuid.uuid4())
    stored = platform.logs()["booking"]
    pool = eventlet.GreenPool(AT_ONCE)
    answers = list(pool.imap(lambda _: stage.book(person, stock, key=key), range(AT_ONCE)))
    assert {answer.outcome for answer in answers} <= {(201, ""), IN_PROGRESS}
    decided = [answer.json for answer in answers if answer.status == 201]
    assert decided and all(one == decided[0] for one in decided)
    assert platform.logs()["booking"] == stored + EVENTS_OF_A_BOOKING
    assert stage.book(person, stock, key=key).json == decided[0]


def test_without_stored_outcomes_the_oracle_reports_a_double(
    platform: Fleet, stage: Stage, actor: Actor, person: Beneficiary
) -> None:
    """The control: a key that is asked for again after a cancellation books again, another body too."""
    stock = stage.publish(actor, 900, 5).stock_id
    me, key = platform.get("/v1/me", person.token)["accountId"], str(uuid.uuid4())
    told = []
    with platform.forgetting("booking"):
        for _ in range(2):
            answer = stage.book(person, stock, key=key)
            told.append(Entry("book", me, key, None, answer.status, answer.json))
            assert stage.cancel(person, answer.json["bookingId"]).status == 200
        other = stage.publish(actor, 700, 5).stock_id
        assert stage.book(person, other, key=key).outcome == (201, "")
    platform.settle()
    with opened(platform) as books:
        found = audit(books, told, {})
    assert f"key {key} of person {me} made 3 requests" in found
    assert any(text.startswith(f"key {key} was answered 201") for text in found)
