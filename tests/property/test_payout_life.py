"""After any sequence of validations, corrections and closes, every identity holds."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.payout.domain.batches import AccountDue, net
from services.payout.domain.periods import period_with
from shared.kernel.errors import Refused
from shared.kernel.money import Cents
from shared.kernel.time import PARIS, instant_text, paris_day
from tests.unit.payout.stage import Stage

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("validate"), st.integers(1, 8), st.integers(0, 25_000_00), st.integers(0, 90)),
        st.tuples(st.just("invalidate"), st.integers(1, 8)),
        st.tuples(st.just("correct"), st.integers(1, 8), st.integers(0, 25_000_00)),
        st.tuples(st.just("account"), st.integers(1, 3), st.integers(1, 2)),
        st.tuples(st.just("close")),
        st.tuples(st.just("sent")),
        st.tuples(st.just("rejected")),
    ),
    min_size=4,
    max_size=22,
)


class Life:
    """Three venues of one structure; only the first has bank details at the beginning."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder)
        self.stage.structure()
        for venue in (1, 2, 3):
            self.stage.venue(venue)
        self.stage.accepted_account(1, venue=1)

    def do(self, name: str, *facts: Any) -> None:
        try:
            getattr(self, name)(*facts)
        except Refused as refusal:
            too_much = list(refusal.errors) == ["reimbursedCents"]
            assert refusal.status in (404, 409) or too_much, refusal

    def validate(self, booking: int, cents: int, hours: int) -> None:
        if booking not in self.stage.used:
            used = self.stage.clock.now() - timedelta(hours=hours)
            self.stage.validate(booking, cents, venue=1 + booking % 3, used_at=instant_text(used))

    def invalidate(self, booking: int) -> None:
        if booking in self.stage.used:
            self.stage.invalidate(booking, venue=1 + booking % 3)

    def correct(self, booking: int, cents: int) -> None:
        self.stage.command("correct", {"bookingId": booking, "reason": "wrong", "reimbursedCents": cents})

    def account(self, venue: int, number: int) -> None:
        self.stage.accepted_account(number, venue=venue)

    def close(self) -> None:
        last = period_with(paris_day(self.stage.clock.now()), "fortnight").last
        morning = datetime.combine(last + timedelta(days=1), time(9), PARIS)
        self.stage.close(last.isoformat(), instant_text(morning))

    def sent(self) -> None:
        for batch in self.stage.query("payouts")["items"]:
            self.stage.command("mark-sent", {"batchId": batch["batchId"]})

    def rejected(self) -> None:
        for batch in self.stage.query("payouts")["items"][:1]:
            transfers = self.stage.query("payout", {"batchId": batch["batchId"]})["transferList"][:1]
            answer = [{"endToEndId": one["endToEndId"], "reason": "AC04"} for one in transfers]
            if answer:
                self.stage.command("mark-rejected", {"batchId": batch["batchId"], "transfers": answer})


@settings(max_examples=12, deadline=None)
@given(OPERATIONS)
def test_everything_adds_up_after_any_sequence(operations: list[Any]) -> None:
    with TemporaryDirectory() as folder:
        life = Life(Path(folder))
        for operation in [*operations, ("close",), ("sent",), ("close",)]:
            life.do(*operation)
        life.stage.balanced()
        for batch in life.stage.query("payouts")["items"]:
            assert batch["totalCents"] == batch["transferredCents"] + batch["carriedCents"]
        live = {number for number, line in life.stage.lines().items() if line["corrects"] is None}
        corrected = {line["corrects"] for line in life.stage.lines().values()}
        assert corrected - {None} <= live


DUES = st.lists(
    st.tuples(st.integers(1, 6), st.integers(-(10**6), 10**7), st.integers(-(10**6), 0)), unique_by=lambda due: due[0]
)


@given(DUES)
def test_an_accounts_dues_are_transferred_or_carried_forward(rows: list[tuple[int, int, int]]) -> None:
    dues = [AccountDue(f"FR{n}", "B", "x", "s", 1, Cents(total), Cents(before)) for n, total, before in rows]
    netted = net(4, "label", dues)
    for one in netted:
        assert one.due.lines_total + one.due.brought_forward == one.transferred + one.carried
        assert one.transferred >= 0 >= one.carried
        assert (one.end_to_end_id is not None) is (one.transferred > 0)
    assert netted == net(4, "label", list(reversed(dues))), "the same batch, the same transfers"


@given(st.dates(date(2019, 1, 1), date(2030, 1, 1)), st.sampled_from(["fortnight", "week"]))
def test_every_day_is_in_the_period_that_its_last_day_ends(day: date, kind: Any) -> None:
    period = period_with(day, kind)
    assert period_with(period.last, kind) == period
    assert day <= period.last < day + timedelta(days=17)
    assert period_with(period.last + timedelta(days=1), kind) != period
