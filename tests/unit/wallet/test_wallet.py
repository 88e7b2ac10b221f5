"""The wallet's decisions at their edges, on the aggregate alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.wallet.domain.credit import Credit, Place
from services.wallet.domain.entries import entries
from services.wallet.domain.rules import EXPERIMENT, Kind, grant_rule
from services.wallet.domain.wallet import Reservation, Wallet
from services.wallet.refusals import InconsistentMoney
from shared.kernel.money import Cents

BEFORE_THE_OPENING = datetime(2021, 3, 1, 9, tzinfo=UTC)
IN_2022 = datetime(2022, 3, 1, 9, tzinfo=UTC)
BIRTH_DATE = date(2006, 7, 14)
BIRTHDAY = datetime(2022, 7, 13, 22, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def wallet_of(kind: Kind, age: int, at: datetime) -> Wallet:
    wallet = Wallet.open(at, person_id=7)
    rule = grant_rule(kind, age, at)
    assert rule is not None
    wallet.grant(at, 1, rule, BIRTH_DATE)
    wallet.collect_events()
    return wallet


def reserve(wallet: Wallet, at: datetime, booking: int, amount: int, *caps: str) -> str | None:
    """The code of the refusal."""
    reservation = Reservation(booking, 1, Cents(amount), digital="digital" in caps, physical="physical" in caps)
    refusal = wallet.reserve(at, reservation)
    return refusal and refusal.code


def test_no_credit_at_18_before_the_experiment_of_february_2019() -> None:
    assert datetime(2019, 1, 31, 23, tzinfo=UTC) == EXPERIMENT
    assert grant_rule(Kind.AGE_18, 18, EXPERIMENT - TICK) is None
    assert grant_rule(Kind.AGE_18, 18, EXPERIMENT) is not None


@pytest.mark.parametrize(("cap", "other"), [("digital", "physical"), ("physical", "digital")])
def test_each_cap_of_the_credit_of_500_euros_limits_its_own_bookings(cap: str, other: str) -> None:
    wallet, at = wallet_of(Kind.AGE_18, 18, BEFORE_THE_OPENING), BEFORE_THE_OPENING
    assert reserve(wallet, at, 1, 150_00, cap) is None
    assert reserve(wallet, at, 2, 50_01, cap) == f"{cap}-cap-reached"
    assert reserve(wallet, at, 3, 50_00, cap) is None
    assert reserve(wallet, at, 4, 1, cap) == f"{cap}-cap-reached"
    assert reserve(wallet, at, 5, 200_00, other) is None
    assert reserve(wallet, at, 6, 100_00) is None
    credit = wallet.credits[1]
    assert (credit.available, credit.digital_held, credit.physical_held) == (0, 200_00, 200_00)
    wallet.release(at, (1, 1))
    assert getattr(wallet.credits[1], f"{cap}_remaining")(at) == 150_00
    assert getattr(wallet.credits[1], f"{other}_remaining")(at) == 0


def test_a_cap_that_is_exceeded_leaves_nothing_rather_than_less() -> None:
    amounts = {"granted": Cents(10), "available": Cents(5), "spent": Cents(5), "digital_held": Cents(5)}
    credit = Credit(1, "age-18", IN_2022, IN_2022 + TICK, digital_cap=Cents(4), physical_cap=None, **amounts)
    assert credit.digital_remaining(IN_2022) == 0


def test_a_release_before_the_reservation_bars_that_attempt_only() -> None:
    wallet, at = wallet_of(Kind.AGE_18, 18, IN_2022), IN_2022
    wallet.release(at, (5, 2))
    first, second = (Reservation(5, attempt, Cents(100), digital=False, physical=False) for attempt in (1, 2))
    assert wallet.reserve(at, first) is None
    refusal = wallet.reserve(at, second)
    assert refusal is not None and refusal.code == "released"


@pytest.mark.parametrize(("left", "lapsed"), [(0, []), (1, [1]), (300_00, [300_00])])
def test_what_is_left_at_the_expiry_lapses_and_nothing_is_no_event(left: int, lapsed: list[int]) -> None:
    wallet = wallet_of(Kind.AGE_18, 18, IN_2022)
    reserve(wallet, IN_2022, 1, 300_00 - left)
    expiry = wallet.credits[1].expires_at
    wallet.lapse(expiry - TICK)
    assert wallet.credits[1].lapsed == 0
    wallet.lapse(expiry)
    wallet.lapse(expiry + TICK)
    events = wallet.collect_events()
    assert [event.amount for event in events if isinstance(event, Wallet.Lapsed)] == lapsed


def test_a_birthday_at_the_instant_of_the_activation_adds_nothing() -> None:
    activated_then, activated_before = (wallet_of(Kind.UNDERAGE, 16, at) for at in (BIRTHDAY, BIRTHDAY - TICK))
    for wallet in (activated_then, activated_before):
        wallet.recredit(BIRTHDAY, 16)
    assert activated_then.credits[1].granted == 30_00
    assert activated_before.credits[1].granted == 60_00


def test_a_birthday_without_an_under_age_credit_adds_nothing() -> None:
    wallet = wallet_of(Kind.AGE_18, 18, IN_2022)
    wallet.recredit(BIRTHDAY, 16)
    assert not wallet.collect_events()


def test_the_ledger_counts_recredits_and_undone_validations() -> None:
    wallet = wallet_of(Kind.UNDERAGE, 15, IN_2022)
    wallet.recredit(BIRTHDAY, 16)
    reserve(wallet, BIRTHDAY, 1, 10_00)
    wallet.spend(BIRTHDAY, (1, 1))
    wallet.unspend(BIRTHDAY, (1, 1))
    lines = [(line.kind, line.amount, line.balance) for line in entries(wallet.collect_events(), Cents(20_00))]
    assert lines == [
        ("recredited", 30_00, 50_00),
        ("reserved", -10_00, 40_00),
        ("spent", 0, 40_00),
        ("unspent", 0, 40_00),
    ]


def test_a_wallet_whose_credits_do_not_add_up_is_refused() -> None:
    wallet = wallet_of(Kind.AGE_18, 18, IN_2022)
    wallet.check()
    wallet.put(wallet.credits[1].moved(Cents(1), Place.AVAILABLE, Place.SPENT).grown(Cents(0)))
    wallet.check()
    wallet.put(Credit(**{**{name: getattr(wallet.credits[1], name) for name in Credit.__slots__}, "spent": Cents(2)}))
    with pytest.raises(InconsistentMoney):
        wallet.check()
