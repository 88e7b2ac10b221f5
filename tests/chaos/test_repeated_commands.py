"""A command repeated with its key gets the same answer, at once, a month later, and after a refusal.

This file runs after those with the load: in a month, bookings of the load expire.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from shared import green
from tests.chaos.fleet import Fleet
from tests.chaos.journal import Entry, Journal, audit, opened_stores
from tests.chaos.late_commands import LATE_COMMANDS, LateCommand
from tests.chaos.load import Dataset
from tests.platform import Answer
from tests.system.money_files import Finance
from tests.system.scenario import Actor, Beneficiary, Scenario

MONTH = timedelta(days=31)
REUSED = (422, "idempotency-key-reused")
IN_PROGRESS = (409, "request-in-progress")
NO_LINE = (404, "line-not-found")
BAD_OFFER = (422, "invalid")
BAD_STOCK = (422, "invalid")
AT_ONCE = 8
EVENTS_OF_A_BOOKING = 2
"""It is requested, and confirmed."""


@pytest.fixture(scope="module")
def scenario(platform: Fleet) -> Scenario:
    return Scenario(platform, first=5_000)


@pytest.fixture(scope="module")
def actor(scenario: Scenario) -> Actor:
    return scenario.actor()


@pytest.fixture(scope="module")
def person(scenario: Scenario) -> Beneficiary:
    return scenario.young_person()


@pytest.mark.parametrize("what", LATE_COMMANDS)
def test_repeated_or_late_reservation_takes_no_credit(
    platform: Fleet, dataset: Dataset, journal: Journal, what: str
) -> None:
    """Over the bus, as booking sends it. For wallet without recorded attempts see ``test_without_guards``.

    Before anything is restored, which the oracle does not follow.
    """
    late = LATE_COMMANDS[what](LateCommand(platform, dataset))
    answers = [late.tell() for _ in range(2)]
    assert answers[0] == answers[1]
    platform.wait_idle()
    with opened_stores(platform) as stores:
        assert audit(stores, journal.entries(), dataset.quantities) == []


@dataclass(frozen=True)
class Command:
    """A command and its first outcome. ``other``: with another body, or for another resource."""

    ask: Callable[[str], Answer]
    other: Callable[[str], Answer]
    outcome: tuple[int, str]
    key: str = field(default_factory=lambda: str(uuid.uuid4()))


def test_same_key_gives_the_same_answer_now_and_in_a_month(
    platform: Fleet, scenario: Scenario, actor: Actor, person: Beneficiary
) -> None:
    """For a command of every kind of caller, accepted and refused."""
    finance = Finance(platform)
    stocks = [scenario.publish(actor, price, 5).stock_id for price in (1_000, 1_100, 1_200)]
    paid = scenario.make_booking(person, stocks[0])
    scenario.use_at_desk(actor, paid)
    batch = finance.close_fortnight()
    lost, kept = (scenario.make_booking(person, stock) for stock in stocks[1:])
    asked = {
        **of_people(scenario, actor, person),
        **of_staff(platform, lost, kept, paid),
        **of_partners(scenario, actor, platform),
        **of_finance(platform, finance, batch, actor),
    }
    first: dict[str, Answer] = {}
    for name, one in asked.items():  # in this order: some bring about what the next ones are refused for
        first[name] = one.ask(one.key)
        assert first[name].outcome == one.outcome, (name, first[name])
    platform.wait_idle()
    for wait in (timedelta(0), MONTH):
        if wait:
            platform.advance(wait)
        stored = platform.event_counts()
        for name, one in asked.items():
            answer = one.ask(one.key)
            assert (answer.status, answer.json) == (first[name].status, first[name].json), name
            assert answer.headers["Idempotency-Replayed"] == "true", name
            assert one.other(one.key).outcome == REUSED, name
        assert platform.event_counts() == stored


def of_people(scenario: Scenario, actor: Actor, person: Beneficiary) -> dict[str, Command]:
    stock, other = scenario.publish(actor, 1_000, 5).stock_id, scenario.publish(actor, 1_000, 5).stock_id
    mine, theirs = (
        scenario.make_booking(person, scenario.publish(actor, 800, 5).stock_id)["bookingId"] for _ in range(2)
    )

    def book(stock_id: int) -> Callable[[str], Answer]:
        return lambda key: scenario.book(person, stock_id, key=key)

    def cancel(booking: int) -> Callable[[str], Answer]:
        return lambda key: scenario.cancel(person, booking, key=key)

    return {
        "book": Command(book(stock), book(other), (201, "")),
        "book again": Command(book(stock), book(other), (409, "already-booked")),
        "cancel": Command(cancel(mine), cancel(theirs), (200, "")),
        "cancel again": Command(cancel(mine), cancel(theirs), (409, "already-cancelled")),
    }


def of_staff(platform: Fleet, lost: Any, kept: Any, paid: Any) -> dict[str, Command]:
    def on(booking: Any, verb: str, **more: int) -> Callable[[str], Answer]:
        path, body = f"/v1/staff/bookings/{booking['bookingId']}/{verb}", {"reason": "Rappel", **more}
        return lambda key: platform.post(path, body, platform.token("staff"), key=key)

    return {
        "staff cancels": Command(on(lost, "cancel"), on(kept, "cancel"), (200, "")),
        "staff cancels again": Command(on(lost, "cancel"), on(kept, "cancel"), (409, "already-cancelled")),
        "staff restores": Command(on(lost, "restore"), on(kept, "restore"), (200, "")),
        "staff restores again": Command(on(lost, "restore"), on(kept, "restore"), (409, "not-cancelled")),
        "staff corrects": Command(
            on(paid, "correct", reimbursedCents=1_000), on(paid, "correct", reimbursedCents=900), (200, "")
        ),
        "staff corrects what is in no batch": Command(
            on(kept, "correct", reimbursedCents=1_000), on(kept, "correct", reimbursedCents=900), NO_LINE
        ),
    }


def of_partners(scenario: Scenario, actor: Actor, platform: Fleet) -> dict[str, Command]:
    offers = f"/v1/pro/venues/{scenario.venue(actor)}/offers"
    stocks = f"/v1/pro/offers/{scenario.publish(actor, 800, 5).offer_id}/stocks"

    def offer(subcategory: str, **more: Any) -> Callable[[str], Answer]:
        body = {"name": "Répété", "subcategory": subcategory, "description": "", **more}
        return lambda key: platform.post(offers, body, actor.token, key=key)

    def stock(price: int, **more: Any) -> Callable[[str], Answer]:
        return lambda key: platform.post(stocks, {"priceCents": price, "quantity": 5, **more}, actor.token, key=key)

    past = {"beginningAt": "2021-01-01T20:00:00Z", "bookingLimitAt": "2021-01-01T20:00:00Z"}
    return {
        "offer": Command(offer("LIVRE_PAPIER"), offer("CONCERT"), (201, "")),
        "bad offer": Command(offer("LIVRE_PAPIER", isDuo=True), offer("CONCERT"), BAD_OFFER),
        "stock": Command(stock(700), stock(600), (201, "")),
        "bad stock": Command(stock(700, **past), stock(600, **past), BAD_STOCK),
    }


def of_finance(platform: Fleet, finance: Finance, batch: Any, actor: Actor) -> dict[str, Command]:
    def post(path: str, body: Any) -> Callable[[str], Answer]:
        return lambda key: platform.post(f"/v1/finance/payouts{path}", body, finance.token, key=key)

    def close(cutoff: str) -> Callable[[str], Answer]:
        return post("", {"cutoff": cutoff})

    assert actor.structure.bank is not None
    transfer = finance.transfers(batch).of(actor.structure.bank.iban).end_to_end_id
    sent, answered = f"/{batch['batchId']}/sent", f"/{batch['batchId']}/rejections"
    rejected = {"transfers": [{"endToEndId": transfer, "reason": "AC04 compte clos"}]}
    return {
        "close": Command(close(batch["cutoff"]), close("2021-10-31"), (201, "")),
        "close too early": Command(close("2021-06-15"), close("2021-06-30"), (409, "earlier-than-last-batch")),
        "sent": Command(post(sent, {}), post(sent, {"transfers": [transfer]}), (200, "")),
        "reject what was sent": Command(post(answered, rejected), post(sent, {}), (409, "transfer-already-answered")),
    }


def test_repeated_desk_request_is_answered_as_already_done(
    platform: Fleet, scenario: Scenario, actor: Actor, person: Beneficiary
) -> None:
    """The wire format of partners has no keys; with or without one, now and in a month, nothing is stored twice."""
    booking, key = scenario.make_booking(person, scenario.publish(actor, 900, 5).stock_id), str(uuid.uuid4())
    path = f"/v2/bookings/use/token/{booking['countermark']}"

    def use() -> Answer:
        return platform.call("PATCH", path, token=scenario.api_key(actor), key=key)

    assert use().status == 204
    platform.wait_idle()
    for wait in (timedelta(0), MONTH):
        platform.advance(wait)
        stored = platform.event_counts()["booking"]
        assert use().status == 410
        assert platform.event_counts()["booking"] == stored


def test_concurrent_requests_with_one_key_are_decided_once(
    platform: Fleet, scenario: Scenario, actor: Actor, person: Beneficiary
) -> None:
    stock, key = scenario.publish(actor, 800, 5).stock_id, str(uuid.uuid4())
    stored = platform.event_counts()["booking"]
    pool = green.Pool(AT_ONCE)
    answers = list(pool.imap(lambda _: scenario.book(person, stock, key=key), range(AT_ONCE)))
    assert {answer.outcome for answer in answers} <= {(201, ""), IN_PROGRESS}
    decided = [answer.json for answer in answers if answer.status == 201]
    assert decided and all(one == decided[0] for one in decided)
    assert platform.event_counts()["booking"] == stored + EVENTS_OF_A_BOOKING
    assert scenario.book(person, stock, key=key).json == decided[0]


def test_without_stored_outcomes_a_command_is_executed_twice(
    platform: Fleet, scenario: Scenario, actor: Actor, person: Beneficiary
) -> None:
    """The control: a key that is repeated after a cancellation books again, with another body too."""
    stock = scenario.publish(actor, 900, 5).stock_id
    me, key = platform.get("/v1/me", person.token)["accountId"], str(uuid.uuid4())
    told = []
    with platform.storing_no_outcomes("booking"):
        for _ in range(2):
            answer = scenario.book(person, stock, key=key)
            told.append(Entry("book", me, key, None, answer.status, answer.json))
            assert scenario.cancel(person, answer.json["bookingId"]).status == 200
        other = scenario.publish(actor, 700, 5).stock_id
        assert scenario.book(person, other, key=key).outcome == (201, "")
    platform.wait_idle()
    with opened_stores(platform) as stores:
        found = audit(stores, told, {})
    assert f"key {key} of person {me} made 3 requests" in found
    assert any(text.startswith(f"key {key} was answered 201") for text in found)
