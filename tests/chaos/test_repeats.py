"""A command repeated with its key: the same answer, at once and a month later, after a refusal too.

After everything that the load is for: the month lets bookings expire that it still knows.
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
from tests.chaos.journal import Entry, Journal, audit, opened
from tests.chaos.late import LATE, Late
from tests.chaos.load import Town
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


@pytest.mark.parametrize("what", LATE)
def test_a_reservation_told_again_or_too_late_takes_nothing(
    platform: Fleet, town: Town, journal: Journal, what: str
) -> None:
    """Over the bus, as booking tells wallet. What becomes of it without wallet's memory: see ``test_unguarded``.

    Before anything is restored, of which the oracle knows nothing.
    """
    late = LATE[what](Late(platform, town))
    answers = [late.tell() for _ in range(2)]
    assert answers[0] == answers[1]
    platform.wait_idle()
    with opened(platform) as books:
        assert audit(books, journal.entries(), town.quantities) == []


@dataclass(frozen=True)
class Asked:
    """A command as it was asked for first. ``other``: the same with another body, or about something else."""

    ask: Callable[[str], Answer]
    other: Callable[[str], Answer]
    outcome: tuple[int, str]
    key: str = field(default_factory=lambda: str(uuid.uuid4()))


def test_the_same_key_gives_the_same_answer_now_and_in_a_month(
    platform: Fleet, scenario: Scenario, actor: Actor, person: Beneficiary
) -> None:
    """Of what each of those asks for who may ask for something, and of what they are refused."""
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


def of_people(scenario: Scenario, actor: Actor, person: Beneficiary) -> dict[str, Asked]:
    stock, other = scenario.publish(actor, 1_000, 5).stock_id, scenario.publish(actor, 1_000, 5).stock_id
    mine, theirs = (
        scenario.make_booking(person, scenario.publish(actor, 800, 5).stock_id)["bookingId"] for _ in range(2)
    )

    def book(stock_id: int) -> Callable[[str], Answer]:
        return lambda key: scenario.book(person, stock_id, key=key)

    def cancel(booking: int) -> Callable[[str], Answer]:
        return lambda key: scenario.cancel(person, booking, key=key)

    return {
        "book": Asked(book(stock), book(other), (201, "")),
        "book again": Asked(book(stock), book(other), (409, "already-booked")),
        "cancel": Asked(cancel(mine), cancel(theirs), (200, "")),
        "cancel again": Asked(cancel(mine), cancel(theirs), (409, "already-cancelled")),
    }


def of_staff(platform: Fleet, lost: Any, kept: Any, paid: Any) -> dict[str, Asked]:
    def on(booking: Any, verb: str, **more: int) -> Callable[[str], Answer]:
        path, body = f"/v1/staff/bookings/{booking['bookingId']}/{verb}", {"reason": "Rappel", **more}
        return lambda key: platform.post(path, body, platform.token("staff"), key=key)

    return {
        "staff cancels": Asked(on(lost, "cancel"), on(kept, "cancel"), (200, "")),
        "staff cancels again": Asked(on(lost, "cancel"), on(kept, "cancel"), (409, "already-cancelled")),
        "staff restores": Asked(on(lost, "restore"), on(kept, "restore"), (200, "")),
        "staff restores again": Asked(on(lost, "restore"), on(kept, "restore"), (409, "not-cancelled")),
        "staff corrects": Asked(
            on(paid, "correct", reimbursedCents=1_000), on(paid, "correct", reimbursedCents=900), (200, "")
        ),
        "staff corrects what is in no batch": Asked(
            on(kept, "correct", reimbursedCents=1_000), on(kept, "correct", reimbursedCents=900), NO_LINE
        ),
    }


def of_partners(scenario: Scenario, actor: Actor, platform: Fleet) -> dict[str, Asked]:
    offers = f"/v1/pro/venues/{scenario.venue(actor)}/offers"
    stocks = f"/v1/pro/offers/{scenario.publish(actor, 800, 5).offer_id}/stocks"

    def offer(subcategory: str, **more: Any) -> Callable[[str], Answer]:
        body = {"name": "Répété", "subcategory": subcategory, "description": "", **more}
        return lambda key: platform.post(offers, body, actor.token, key=key)

    def stock(price: int, **more: Any) -> Callable[[str], Answer]:
        return lambda key: platform.post(stocks, {"priceCents": price, "quantity": 5, **more}, actor.token, key=key)

    past = {"beginningAt": "2021-01-01T20:00:00Z", "bookingLimitAt": "2021-01-01T20:00:00Z"}
    return {
        "offer": Asked(offer("LIVRE_PAPIER"), offer("CONCERT"), (201, "")),
        "bad offer": Asked(offer("LIVRE_PAPIER", isDuo=True), offer("CONCERT"), BAD_OFFER),
        "stock": Asked(stock(700), stock(600), (201, "")),
        "bad stock": Asked(stock(700, **past), stock(600, **past), BAD_STOCK),
    }


def of_finance(platform: Fleet, finance: Finance, batch: Any, actor: Actor) -> dict[str, Asked]:
    def post(path: str, body: Any) -> Callable[[str], Answer]:
        return lambda key: platform.post(f"/v1/finance/payouts{path}", body, finance.token, key=key)

    def close(cutoff: str) -> Callable[[str], Answer]:
        return post("", {"cutoff": cutoff})

    assert actor.structure.bank is not None
    transfer = finance.transfers(batch).of(actor.structure.bank.iban).end_to_end_id
    sent, answered = f"/{batch['batchId']}/sent", f"/{batch['batchId']}/rejections"
    rejected = {"transfers": [{"endToEndId": transfer, "reason": "AC04 compte clos"}]}
    return {
        "close": Asked(close(batch["cutoff"]), close("2021-10-31"), (201, "")),
        "close too early": Asked(close("2021-06-15"), close("2021-06-30"), (409, "earlier-than-last-batch")),
        "sent": Asked(post(sent, {}), post(sent, {"transfers": [transfer]}), (200, "")),
        "reject what was sent": Asked(post(answered, rejected), post(sent, {}), (409, "transfer-already-answered")),
    }


def test_the_desk_has_no_keys_and_tells_who_asks_again_that_it_is_done(
    platform: Fleet, scenario: Scenario, actor: Actor, person: Beneficiary
) -> None:
    """Its wire format is the partners'; with a key or without, now and in a month, nothing is stored twice."""
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


def test_a_key_that_many_ask_with_at_the_same_time_is_decided_once(
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


def test_without_stored_outcomes_the_oracle_reports_a_double(
    platform: Fleet, scenario: Scenario, actor: Actor, person: Beneficiary
) -> None:
    """The control: a key that is asked for again after a cancellation books again, another body too."""
    stock = scenario.publish(actor, 900, 5).stock_id
    me, key = platform.get("/v1/me", person.token)["accountId"], str(uuid.uuid4())
    told = []
    with platform.forgetting("booking"):
        for _ in range(2):
            answer = scenario.book(person, stock, key=key)
            told.append(Entry("book", me, key, None, answer.status, answer.json))
            assert scenario.cancel(person, answer.json["bookingId"]).status == 200
        other = scenario.publish(actor, 700, 5).stock_id
        assert scenario.book(person, other, key=key).outcome == (201, "")
    platform.wait_idle()
    with opened(platform) as books:
        found = audit(books, told, {})
    assert f"key {key} of person {me} made 3 requests" in found
    assert any(text.startswith(f"key {key} was answered 201") for text in found)
