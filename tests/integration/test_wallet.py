"""Wallet on PostgreSQL: concurrent calls on the same wallets neither lose an amount nor deadlock."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.wallet.bootstrap import build
from services.wallet.domain.wallet import Wallet
from shared import green
from shared.eventstore import Conflict, Message
from shared.eventstore.outcomes import Call
from shared.kernel.errors import DomainError
from shared.kernel.identifiers import stream_id
from shared.kernel.time import SettableClock, instant_text
from shared.runtime.process import Process
from shared.runtime.settings import Settings
from shared.testing import BusDouble
from tests.integration.conftest import Empty
from tests.waiting import TIMEOUT_SECONDS

NOW = datetime(2021, 11, 2, 9, tzinfo=UTC)
PEOPLE = range(1, 21)


@pytest.fixture
def wallet(empty: Empty, tmp_path: Path) -> Process:
    """Twenty beneficiaries with 300 € each."""
    bus, clock = BusDouble(), SettableClock(NOW)
    for source in ("identity", "booking"):
        bus.handlers[source, "log"] = lambda _data, _caller: {"epoch": "e", "messages": []}
    service = build(Settings.from_environment({"STATE_DIR": str(tmp_path)}), clock, bus, empty("wallet"))
    process = bus.add(service, clock)
    activations = [
        message("identity", "BeneficiaryActivated", person, personId=person, **ACTIVATED) for person in PEOPLE
    ]
    process.react("identity", activations)
    return process


ACTIVATED = {"kind": "age-18", "age": 18, "birthDate": None, "activatedAt": instant_text(NOW), "departmentCode": "34"}


def message(source: str, name: str, position: int, **data: Any) -> Message:
    return Message(
        id=f"{source}:e:{position}",
        source=source,
        name=name,
        version=1,
        stream=str(stream_id(source, position)),
        stream_version=1,
        position=position,
        previous=position - 1,
        epoch="e",
        occurred_at=NOW,
        recorded_at=NOW,
        causation_id="test",
        correlation_id="test",
        data=data,
    )


def reserve(booking: int, person: int, amount: int) -> Call:
    numbers = {"bookingId": booking, "attempt": 1, "personId": person, "amountCents": amount}
    return Call("reserve", {**numbers, "digital": False, "physical": False})


def ledger(wallet: Process) -> Any:
    answer, compared = wallet.answer([Call("ledger", {}), Call("compare-projection", {})])
    assert not isinstance(answer, DomainError)
    assert answer["contradictions"] == compared["differences"] == []
    return answer


def test_concurrent_reservations_never_exceed_the_credit(wallet: Process) -> None:
    def one(booking: int) -> Any:
        return wallet.decide([reserve(booking, 1, 25_00)])[0][0]

    outcomes = list(green.Pool(10).imap(one, range(100, 130)))
    assert outcomes.count({}) == 12
    assert {outcome.code for outcome in outcomes if outcome != {}} == {"insufficient-credit"}
    assert ledger(wallet)["totals"]["reserved"] == 300_00


def test_concurrent_repetitions_of_a_reservation_count_once(wallet: Process) -> None:
    def one(_: int) -> Any:
        return wallet.decide([reserve(100, 1, 25_00)])[0][0]

    assert list(green.Pool(10).imap(one, range(10))) == [{}] * 10
    assert ledger(wallet)["totals"]["reserved"] == 25_00


def test_concurrent_batches_and_messages_over_the_same_wallets_do_not_deadlock(wallet: Process) -> None:
    chance = random.Random(1)
    reservations = [reserve(1000 + number, 1 + number % 20, 1_00) for number in range(200)]
    assert [outcome for outcome, _, _ in wallet.decide(reservations)] == [{}] * 200
    chance.shuffle(reservations)
    used = [
        message(
            "booking",
            "CountermarkValidated",
            position,
            **{name: call.data[name] for name in ("bookingId", "attempt", "personId")},
            totalCents=1_00,
            usedAt=instant_text(NOW),
        )
        for position, call in enumerate(reservations, 1)
    ]

    def batch(number: int) -> list[Any]:
        calls = [reserve(5000 + 100 * number + person, person, 1_00) for person in PEOPLE]
        chance.shuffle(calls)
        return [outcome for outcome, _, _ in wallet.decide(calls)]

    pool = green.Pool(10)
    consumer = pool.spawn(wallet.react, "booking", used)
    with green.Timeout(TIMEOUT_SECONDS):
        for outcomes in pool.imap(batch, range(30)):
            assert outcomes == [{}] * 20
        consumer.wait()
    totals = ledger(wallet)["totals"]
    assert (totals["spent"], totals["reserved"]) == (200_00, 600_00)


def test_optimistic_lock_rejects_the_second_of_two_decisions_on_the_same_state(wallet: Process) -> None:
    """The version of the stream is a second guard, behind the row lock."""
    store = wallet.store

    def decide_on_the_current_state() -> Wallet:
        with store.transaction() as tx:
            found = tx.get(Wallet, stream_id("wallet", 1))
        assert found is not None
        found.release(NOW, (77, 1))
        return found

    first, second = decide_on_the_current_state(), decide_on_the_current_state()
    with store.transaction() as tx:
        tx.save(first)
    with pytest.raises(Conflict), store.transaction() as tx:
        tx.save(second)
