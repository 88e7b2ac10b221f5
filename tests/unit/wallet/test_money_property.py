"""Whatever the calls, their order and their repetitions, no cent is lost and nothing goes below zero."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from services.wallet.reactions import REACTIONS
from services.wallet.refusals import InconsistentMoney
from shared.kernel.errors import Refused
from tests.unit.wallet.stage import ZOE, Stage

PEOPLE = st.sampled_from([ZOE, 8])
BOOKINGS = st.integers(1, 6)
ATTEMPTS = st.integers(1, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("activate"), PEOPLE),
        st.tuples(
            st.just("reserve"), BOOKINGS, ATTEMPTS, st.sampled_from([0, 1, 49_99, 100_00, 300_00]), st.booleans()
        ),
        st.tuples(st.just("release"), BOOKINGS, ATTEMPTS),
        st.tuples(
            st.sampled_from(["CountermarkValidated", "CountermarkInvalidated", "BookingCancelled", "BookingRestored"]),
            BOOKINGS,
            ATTEMPTS,
        ),
        st.tuples(st.just("wait"), st.sampled_from([1, 200, 400])),
    ),
    max_size=25,
)


def owner(booking: int) -> int:
    return ZOE if booking % 3 else 8


def do(stage: Stage, step: tuple) -> None:
    """Messages reach the reactions directly: twice or out of order, as no consumer would hand them over."""
    name, *arguments = step
    if name == "activate":
        stage.activate(arguments[0])
    elif name == "reserve":
        booking, attempt, amount, digital = arguments
        stage.reserve(booking, amount, attempt=attempt, personId=owner(booking), digital=digital)
    elif name == "release":
        stage.release(arguments[0], attempt=arguments[1], personId=owner(arguments[0]))
    elif name == "wait":
        stage.pass_time(days=arguments[0])
    else:
        booking, attempt = arguments
        message = stage.publish(
            "booking", name, **stage.booking_facts(booking, 1, attempt=attempt, personId=owner(booking))
        )
        with stage.store.transaction() as tx:
            REACTIONS.handle(tx, message)


def check(stage: Stage) -> None:
    ledger = stage.ledger()
    assert stage.differences() == ledger["contradictions"] == []
    assert min(ledger["totals"].values()) >= 0
    for person in (ZOE, 8):
        credits, items = stage.credit(person)["credits"], stage.entries(person, limit=100)["items"]
        assert all(item["balanceCents"] >= 0 for item in items)
        places = ("remainingCents", "reservedCents", "spentCents", "lapsedCents")
        assert all(credit["grantedCents"] == sum(credit[place] for place in places) for credit in credits)
        assert sum(item["amountCents"] for item in items) == sum(credit["remainingCents"] for credit in credits)
        for credit in credits:
            if credit["digital"]:
                assert 0 <= credit["digital"]["remainingCents"] <= credit["digital"]["capCents"]


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_every_cent_is_in_one_place(steps: list[tuple]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        for step in [("activate", ZOE), *steps]:
            try:
                do(stage, step)
            except InconsistentMoney as inconsistent:
                assert "was never reserved" in str(inconsistent)
            except Refused as refused:
                assert refused.code in ("insufficient-credit", "digital-cap-reached", "released", "reservation-differs")
        check(stage)
        stage.store.engine.dispose()
