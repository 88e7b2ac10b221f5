"""Lines in order, priced and re-priced: prices do not depend on the order of arrival."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.payout.domain.custom_rules import CustomRule
from services.payout.domain.establishment_year import Correction, Entry, EstablishmentYear, Validation
from services.payout.domain.pricing import price
from shared.kernel.money import Cents

NOW = datetime(2021, 11, 16, 9, tzinfo=UTC)
START = datetime(2021, 8, 30, tzinfo=UTC)
SIRET = "34086387400024"


def booking(number: int, cents: int, *, hours: float = 0, subcategory: str = "CONCERT", **more: Any) -> Validation:
    facts = {
        "booking_id": number, "attempt": 1, "person_id": 1, "stock_id": 1, "offer_id": 1, "offer_name": "Concert",
        "venue_id": 1, "offerer_id": 1, "subcategory": subcategory, "countermark": "ABCDEF", "quantity": 1,
        "unit_price": Cents(cents), "booked_at": START, "begins_at": None, "used_at": START + timedelta(hours=hours),
    }  # fmt: skip
    return Validation(**(facts | more))


def year() -> EstablishmentYear:
    return EstablishmentYear.begin(NOW, SIRET, 2021)


def prices(one: EstablishmentYear) -> list[tuple[int, int, str | None, int]]:
    """(booking, revenue, rate, reimbursed) of the open lines, in order."""
    return [
        (
            line.booking.booking_id,
            one.revenue_before(line.sort_key) + line.entering,
            line.price.rate,
            line.price.reimbursed,
        )
        for line in one.open_lines()
    ]


def test_the_revenue_with_the_booking_decides_the_rate_of_all_of_it() -> None:
    one = year()
    one.validate(NOW, 1, booking(1, 19_990_00), ())
    one.validate(NOW, 2, booking(2, 20_00, hours=1), ())
    assert prices(one) == [(1, 1999000, "1", 1999000), (2, 2001000, "0.95", 1900)]


def test_a_late_validation_reprices_the_bookings_after_it() -> None:
    one = year()
    one.validate(NOW, 1, booking(1, 100_00, hours=2), ())
    one.collect_events()
    one.validate(NOW, 2, booking(2, 20_000_00, hours=1), ())
    assert [type(event).__name__ for event in one.collect_events()] == ["Priced", "Voided", "Priced"]
    assert prices(one) == [(2, 2000000, "1", 2000000), (1, 2010000, "0.95", 9500)]


def test_a_revenue_that_moves_within_its_step_is_recorded_when_its_line_enters_a_batch() -> None:
    one = year()
    one.validate(NOW, 1, booking(1, 100_00, hours=2), ())
    one.collect_events()
    one.validate(NOW, 2, booking(2, 50_00, hours=1), ())
    assert [type(event).__name__ for event in one.collect_events()] == ["Priced"]
    assert (one.open[1].price.revenue, dict(one.open_revenues())) == (10000, {2: 5000, 1: 15000})
    one.enter(NOW, 1, [Entry(2, 2, False, "FR", "B"), Entry(1, 1, False, "FR", "B")], ())
    entered, voided, priced, last = one.collect_events()
    assert [type(event).__name__ for event in (entered, voided, priced, last)] == [
        "BookingEntered", "Voided", "Priced", "BookingEntered"
    ]  # fmt: skip
    assert (priced.price.revenue, priced.price.reimbursed) == (15000, 10000)
    assert one.fixed_revenue == one.revenue == 15000


def test_only_lines_that_cross_a_threshold_are_repriced() -> None:
    one = year()
    for number in range(1, 401):
        one.validate(NOW, number, booking(number, 100_00, hours=number), ())
    one.collect_events()
    one.validate(NOW, 999, booking(999, 250_00, hours=0), ())
    voided = [event for event in one.collect_events() if isinstance(event, EstablishmentYear.Voided)]
    assert [event.line_id for event in voided] == [198, 199, 200, 398, 399, 400]


def test_a_revenue_that_fell_is_recorded_before_the_batch_too() -> None:
    one = year()
    one.validate(NOW, 1, booking(1, 50_00, hours=1), ())
    one.validate(NOW, 2, booking(2, 100_00, hours=2), ())
    one.invalidate(NOW, 1, "invalidated", ())
    one.collect_events()
    one.enter(NOW, 1, [Entry(2, 2, False, "FR", "B")], ())
    priced = [event for event in one.collect_events() if isinstance(event, EstablishmentYear.Priced)]
    assert [event.price.revenue for event in priced] == [10000]


def test_an_open_line_that_a_batch_leaves_out_is_priced_after_it() -> None:
    one = year()
    one.validate(NOW, 1, booking(1, 100_00, hours=1), ())
    one.validate(NOW, 2, booking(2, 19_950_00, hours=2), ())
    one.validate(NOW, 3, booking(3, 100_00, hours=3), ())
    one.enter(NOW, 1, [Entry(2, 2, False, "FR", "B"), Entry(3, 3, False, "FR", "B")], ())
    assert prices(one) == [(1, 2015000, "0.95", 9500)]


def test_a_late_booking_that_crosses_a_threshold_reprices_the_lines_after_it() -> None:
    one = year()
    one.validate(NOW, 1, booking(1, 19_500_00, hours=1), ())
    one.validate(NOW, 2, booking(2, 100_00, hours=3), ())
    one.validate(NOW, 3, booking(3, 600_00, hours=2), ())
    assert prices(one) == [(1, 1950000, "1", 1950000), (3, 2010000, "0.95", 57000), (2, 2020000, "0.95", 9500)]


def test_frozen_lines_keep_their_prices_and_come_first() -> None:
    one = year()
    one.validate(NOW, 1, booking(1, 15_000_00, hours=1), ())
    one.validate(NOW, 2, booking(2, 10_000_00, hours=2), ())
    one.enter(NOW, 1, [Entry(2, 2, False, "FR", "B")], ())
    # booking 2 was paid at 95 %, with booking 1 before it; booking 1, still open, now comes after it
    assert prices(one) == [(1, 2500000, "0.95", 1425000)]
    one.validate(NOW, 3, booking(3, 100_00, hours=0), ())
    assert [row[:3] for row in prices(one)] == [(3, 1010000, "1"), (1, 2510000, "0.95")]


def test_an_invalidation_reprices_the_later_lines() -> None:
    one = year()
    one.validate(NOW, 1, booking(1, 20_000_00), ())
    one.validate(NOW, 2, booking(2, 100_00, hours=1), ())
    one.invalidate(NOW, 1, "invalidated", ())
    assert prices(one) == [(2, 10000, "1", 10000)]


def test_a_correction_lowers_the_revenue_of_the_open_lines() -> None:
    one = year()
    first = booking(1, 20_000_00)
    one.validate(NOW, 1, first, ())
    one.enter(NOW, 1, [Entry(1, 1, False, "FR", "B")], ())
    one.validate(NOW, 2, booking(2, 100_00, hours=1), ())
    assert prices(one)[0][2] == "0.95"
    back = Correction(3, 1, Cents(-2000000), Cents(-2000000), Cents(-2000000), "invalidated")
    one.correct(NOW, first, back, ())
    assert prices(one) == [(2, 10000, "1", 10000)]
    assert one.revenue == 10000


def test_a_correction_reprices_every_open_line() -> None:
    one = year()
    first = booking(1, 20_000_00)
    one.validate(NOW, 1, first, ())
    one.enter(NOW, 1, [Entry(1, 1, False, "FR", "B")], ())
    for number in (2, 3, 4):
        one.validate(NOW, number, booking(number, 100_00, hours=number), ())
    assert {row[2] for row in prices(one)} == {"0.95"}
    back = Correction(5, 1, Cents(-2000000), Cents(-2000000), Cents(-2000000), "invalidated")
    one.correct(NOW, first, back, ())
    assert prices(one) == [(2, 10000, "1", 10000), (3, 20000, "1", 10000), (4, 30000, "1", 10000)]


def test_a_batch_reprices_every_open_line_that_now_comes_after_it() -> None:
    one = year()
    for number in (1, 2, 3):
        one.validate(NOW, number, booking(number, 100_00, hours=number), ())
    one.validate(NOW, 4, booking(4, 20_000_00, hours=4), ())
    one.enter(NOW, 1, [Entry(4, 4, False, "FR", "B")], ())
    assert [row[:3] for row in prices(one)] == [(1, 2010000, "0.95"), (2, 2020000, "0.95"), (3, 2030000, "0.95")]


def test_each_place_of_a_booking_counts() -> None:
    one = year()
    one.validate(NOW, 1, booking(1, 150_00, quantity=2), ())
    assert prices(one) == [(1, 300_00, "1", 300_00)]


def test_free_and_unreimbursed_bookings_do_not_move_the_others() -> None:
    one = year()
    one.validate(NOW, 1, booking(1, 100_00, hours=2), ())
    one.collect_events()
    one.validate(NOW, 2, booking(2, 0, hours=1), ())
    one.validate(NOW, 3, booking(3, 500_00, hours=1, subcategory="VOD"), ())
    assert [type(event).__name__ for event in one.collect_events()] == ["Priced", "Priced"]
    assert [row[3] for row in prices(one)] == [0, 0, 10000]


AMOUNTS = st.integers(0, 30_000_00)
BOOKINGS = st.lists(
    st.tuples(AMOUNTS, st.integers(0, 60), st.sampled_from(["CONCERT", "LIVRE_PAPIER", "VOD"])), min_size=1, max_size=14
)
RULES = (CustomRule(start=START, end=START + timedelta(hours=20), offer_id=2, rate="0.80", rule_id=1),)


def made(rows: list[tuple[int, int, str]]) -> list[Validation]:
    return [
        booking(number, cents, hours=hours, subcategory=kind, offer_id=1 + number % 2)
        for number, (cents, hours, kind) in enumerate(rows, 1)
    ]


@settings(max_examples=150, deadline=None)
@given(BOOKINGS, st.randoms())
def test_any_order_of_arrival_gives_the_prices_of_the_sorted_order(rows: list[Any], random: Any) -> None:
    bookings = made(rows)
    in_order, shuffled = year(), year()
    for one in sorted(bookings, key=lambda one: (one.used_at, one.booking_id)):
        in_order.validate(NOW, one.booking_id, one, RULES)
    random.shuffle(bookings)
    for one in bookings:
        shuffled.validate(NOW, one.booking_id, one, RULES)
    assert prices(in_order) == prices(shuffled)


@settings(max_examples=150, deadline=None)
@given(BOOKINGS, st.randoms(), st.data())
def test_a_validation_and_its_invalidation_leave_no_trace(rows: list[Any], random: Any, data: Any) -> None:
    bookings = made(rows)
    removed = set(data.draw(st.lists(st.sampled_from([one.booking_id for one in bookings]), unique=True)))
    kept, both = year(), year()
    for one in bookings:
        both.validate(NOW, one.booking_id, one, RULES)
        if one.booking_id not in removed:
            kept.validate(NOW, one.booking_id, one, RULES)
    leaving = sorted(removed)
    random.shuffle(leaving)
    for number in leaving:
        both.invalidate(NOW, number, "invalidated", RULES)
    assert prices(kept) == prices(both)


@settings(max_examples=150, deadline=None)
@given(BOOKINGS, st.data())
def test_sums_add_up_and_the_fold_of_the_stream_is_the_state(rows: list[Any], data: Any) -> None:
    one = year()
    bookings = made(rows)
    frozen = data.draw(st.lists(st.sampled_from(bookings), unique_by=lambda b: b.booking_id))
    for each in bookings:
        one.validate(NOW, each.booking_id, each, RULES)
    one.enter(NOW, 1, [Entry(b.booking_id, b.booking_id, False, "FR", "B") for b in frozen], RULES)
    assert one.revenue == sum(each.entering for each in bookings)
    running = one.fixed_revenue
    assert running == sum(b.entering for b in frozen)
    for line in one.open_lines():
        running += line.booking.entering
        assert line.price.pays_like(price(line.booking.priceable(), running, RULES))
        assert line.price.reimbursed + line.price.contribution == line.booking.total
    folded: Any = None
    for event in one.collect_events():
        folded = event.mutate(folded)
    restored = EstablishmentYear.restore(
        SIRET,
        2021,
        version=one.version,
        fixed_revenue=one.fixed_revenue,
        revenue=one.revenue,
        lines=list(one.open.values()),
        at=NOW,
    )
    for other in (folded, restored):
        assert (other.id, other.version, list(other.open_lines()), other.fixed_revenue, other.revenue) == (
            one.id, one.version, list(one.open_lines()), one.fixed_revenue, one.revenue
        )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(BOOKINGS, AMOUNTS, st.integers(0, 60), st.integers(0, 60))
def test_a_decision_needs_only_the_later_lines(rows: list[Any], cents: int, hours: int, earlier: int) -> None:
    whole, bookings = year(), made(rows)
    for each in bookings:
        whole.validate(NOW, each.booking_id, each, RULES)
    since = START + timedelta(hours=hours)
    partial = EstablishmentYear.restore(
        SIRET,
        2021,
        version=whole.version,
        fixed_revenue=whole.fixed_revenue,
        revenue=whole.revenue,
        lines=[line for line in whole.open.values() if line.booking.used_at >= since],
        at=NOW,
        since=since,
    )
    hidden = [line for line in whole.open.values() if line.booking.used_at < since]
    for one in (whole, partial):
        one.validate(NOW, 99, booking(99, cents, hours=hours), RULES)
    assert prices(partial) == prices(whole)[len(hidden) :]
    before = START + timedelta(hours=min(earlier, hours))
    shown = [line for line in hidden if line.booking.used_at >= before]
    partial.load_earlier(shown, before)
    assert prices(partial) == prices(whole)[len(hidden) - len(shown) :]
    assert partial.revenue == whole.revenue
