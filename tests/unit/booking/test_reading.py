"""Queries: a person's bookings, counters, the recap, an offer's bookings, the ledger."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import orjson
import pytest

from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.kernel.time import parse_instant
from tests.unit.booking.world import DESK, NOON, OFFERER, VENUE, YOUNG, World

OTHER_PRO, STAFF = Caller(999, frozenset({"pro"})), Caller(1, frozenset({"staff"}))


def listed(world: World, **query: object) -> list[int]:
    return [item["bookingId"] for item in world.query("bookings", query, Caller(YOUNG))["items"]]


def test_ongoing_and_ended(world: World) -> None:
    film = world.book(world.stock(world.offer("VOD", url="https://example.org")))
    book, other = world.book(world.stock()), world.book(world.stock())
    future = world.book(world.event(timedelta(hours=30)))
    code = world.book(world.stock(world.offer("VOD", url="https://example.org"), codes=("A",)))
    for used in (film, book, future):
        world.desk("use", used["countermark"])
    world.cancel(other["bookingId"])
    ended = [other["bookingId"], book["bookingId"]]
    ongoing = [code["bookingId"], future["bookingId"], film["bookingId"]]
    assert listed(world, status="ended") == ended
    assert listed(world, status="ongoing") == ongoing
    assert listed(world) == sorted(ended + ongoing, reverse=True)
    assert listed(world, status="cancelled") == [other["bookingId"]]
    world.pass_time(timedelta(hours=31))
    assert future["bookingId"] in listed(world, status="ended")


def test_a_cursor_continues_its_list_with_its_filter(world: World) -> None:
    numbers = [world.book(world.stock(price=0))["bookingId"] for _ in range(5)]
    world.cancel(numbers[2])
    first = world.query("bookings", {"status": "ongoing", "limit": 2}, Caller(YOUNG))
    second = world.query("bookings", {"status": "ongoing", "cursor": first["nextCursor"], "limit": 2}, Caller(YOUNG))
    found = [item["bookingId"] for page in (first, second) for item in page["items"]]
    assert found == [numbers[4], numbers[3], numbers[1], numbers[0]]
    assert second["nextCursor"] is None


@pytest.mark.parametrize("cursor", ["", "x", "%00%ff", "e30", "W10", 5, "eyJiZWZvcmUiOiJ4In0", "é"])
def test_an_invalid_cursor_is_refused(world: World, cursor: object) -> None:
    for name, caller in (("bookings", Caller(YOUNG)), ("recap", DESK)):
        with pytest.raises(DomainError) as refused:
            world.query(name, {"cursor": cursor}, caller)
        assert refused.value.status == 422


def test_an_unknown_state_is_refused(world: World) -> None:
    with pytest.raises(DomainError) as refused:
        listed(world, status="lost")
    assert refused.value.status == 422


def test_a_past_event_has_no_qr_code(world: World) -> None:
    booked = world.book(world.event(timedelta(hours=30)))
    world.pass_time(timedelta(hours=30))
    assert world.seen(booked["bookingId"])["qrCode"] is not None
    world.pass_time(timedelta(seconds=1))
    assert world.seen(booked["bookingId"])["qrCode"] is None


def test_counters_of_a_venue(world: World) -> None:
    duo = world.stock(world.offer("CONCERT", is_duo=True), begins=NOON + timedelta(days=9), quantity=2)
    world.book(duo, quantity=2)
    used, cancelled = world.book(world.stock()), world.book(world.stock())
    world.desk("use", used["countermark"])
    world.cancel(cancelled["bookingId"])
    world.book(world.stock())
    counters = world.query("counters", {"venueIds": [VENUE, 999]}, DESK)
    assert counters == {str(VENUE): {"ongoingBookings": 3, "validatedBookings": 1, "soldOutOffers": 1}}
    world.pass_time(timedelta(hours=48))
    counters = world.query("counters", {"venueIds": [VENUE]}, None)
    assert counters == {str(VENUE): {"ongoingBookings": 1, "validatedBookings": 3, "soldOutOffers": 1}}
    assert world.query("counters", {"venueIds": [VENUE]}, OTHER_PRO) == {}


def test_an_offer_with_a_place_in_another_stock_is_not_sold_out(world: World) -> None:
    offer = world.offer()
    world.stock(offer, quantity=0)
    assert world.query("counters", {"venueIds": [VENUE]}, DESK)[str(VENUE)]["soldOutOffers"] == 1
    world.stock(offer, quantity=None)
    assert world.query("counters", {"venueIds": [VENUE]}, DESK)[str(VENUE)]["soldOutOffers"] == 0


def test_the_recap_masks_unused_countermarks_and_lists_a_duo_twice(world: World) -> None:
    duo = world.book(world.stock(world.offer("CONCERT", is_duo=True), begins=NOON + timedelta(days=9)), quantity=2)
    thing, used = world.book(world.stock()), world.book(world.stock())
    world.desk("use", used["countermark"])
    recap = world.query("recap", {"periodFrom": "2021-11-01", "periodTo": "2021-11-30"}, DESK)
    shown = [(row["bookingId"], row["countermark"], row["status"]) for row in recap["items"]]
    assert shown == [
        (used["bookingId"], used["countermark"], "validated"),
        (thing["bookingId"], None, "booked"),
        (duo["bookingId"], duo["countermark"], "booked"),
        (duo["bookingId"], duo["countermark"], "booked"),
    ]
    assert recap["total"] == 4
    first = recap["items"][0]
    assert (first["firstName"], first["lastName"], first["email"]) == ("Zoé", "Martin1001", "young1001@example.org")
    assert [step["status"] for step in first["statusHistory"]] == ["booked", "validated"]
    world.pass_time(timedelta(hours=48))
    recap = world.query("recap", {"periodFrom": "2021-11-01", "periodTo": "2021-11-30"}, DESK)
    assert recap["items"][-1]["status"] == "confirmed"


@pytest.mark.parametrize(
    "period",
    [
        {"periodFrom": "2021-01-01", "periodTo": "2200-12-31"},
        {"periodFrom": "1900-01-01", "periodTo": "2021-12-31"},
        {"periodTo": "2200-12-31", "periodFrom": "1900-01-01"},
    ],
    ids=str,
)
def test_the_longest_period_of_the_calendar_is_read(world: World, period: dict[str, str]) -> None:
    booked = world.book(world.stock())
    assert [row["bookingId"] for row in world.query("recap", period, DESK)["items"]] == [booked["bookingId"]]


@pytest.mark.parametrize("day", ["2200-12-31", "1900-01-01"])
def test_a_day_at_the_end_of_the_calendar_has_no_bookings(world: World, day: str) -> None:
    world.book(world.event(timedelta(days=9)))
    for query in ({"periodFrom": day, "periodTo": day}, {"periodTo": "2021-12-31", "eventDate": day}):
        assert world.query("recap", query, DESK)["total"] == 0


@pytest.mark.parametrize(
    "instant", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "2021-11-02T12:00:00", 5, None], ids=str
)
def test_a_cursor_without_an_instant_is_refused(world: World, instant: Any) -> None:
    cursor = base64.urlsafe_b64encode(orjson.dumps({"bookedAt": instant, "before": 3})).decode().rstrip("=")
    with pytest.raises(DomainError) as refused:
        world.query("recap", {"cursor": cursor}, DESK)
    assert (refused.value.status, refused.value.code) == (422, "cursor-invalid")


@pytest.mark.parametrize("name", ["a\x00b", "\ud800", "a" * 501, 5], ids=ascii)
def test_a_name_that_is_not_text_is_refused(world: World, name: Any) -> None:
    outcome = world.process.answer([Call("recap", {"offerName": name}, None, DESK)])[0]
    assert isinstance(outcome, DomainError)
    assert outcome.status == 422


def test_the_days_of_the_recap_are_those_of_the_venues_time_zone(world: World) -> None:
    world.clock.move_to(parse_instant("2021-11-02T23:30:00Z"))
    booked = world.book(world.stock())

    def found(day: str) -> list[int]:
        recap = world.query("recap", {"periodFrom": day, "periodTo": day}, DESK)
        return [row["bookingId"] for row in recap["items"]]

    assert found("2021-11-02") == []
    assert found("2021-11-03") == [booked["bookingId"]]


def test_the_recap_covers_sixty_days_by_default(world: World) -> None:
    def total(moment: str, **period: str) -> int:
        world.clock.move_to(parse_instant(moment))
        found: int = world.query("recap", period, DESK)["total"]
        return found

    world.clock.move_to(parse_instant("2021-11-03T12:00:00Z"))
    world.book(world.stock())
    assert total("2021-11-03T12:00:01Z") == 1
    assert total("2022-01-01T22:59:59Z") == 1, "1 January is the sixtieth day in Paris"
    assert total("2022-01-01T23:00:00Z") == 0, "2 January the sixty-first"
    assert total("2022-03-01T12:00:00Z", periodTo="2022-01-01") == 1
    assert total("2022-03-01T12:00:01Z", periodTo="2022-01-02") == 0


def test_the_recap_filters_and_pages(world: World) -> None:
    begins = NOON + timedelta(days=9)
    concerts = [world.book(world.stock(world.offer("CONCERT"), begins=begins))["bookingId"] for _ in range(3)]
    world.book(world.stock())
    filters = {"eventDate": "2021-11-11", "limit": 2}
    first = world.query("recap", filters, DESK)
    second = world.query("recap", {"cursor": first["nextCursor"], "limit": 2}, DESK)
    assert [row["bookingId"] for row in first["items"] + second["items"]] == concerts[::-1]
    named = world.query("recap", {"offerName": "oFFre"}, DESK)
    assert named["total"] == 4
    assert world.query("recap", {"offerName": "%"}, DESK)["total"] == 0
    assert world.query("recap", {"venueIds": [VENUE]}, OTHER_PRO)["items"] == []


def test_the_recap_has_no_names_while_identity_does_not_answer(world: World) -> None:
    world.book(world.stock())
    world.bus.away.add("identity")
    (row,) = world.query("recap", {}, DESK)["items"]
    assert row["lastName"] == ""


@pytest.mark.parametrize(
    "data", [{"periodFrom": "2021-13-01"}, {"periodFrom": "2021-12-01", "periodTo": "2021-11-01"}, {"venueIds": "1"}]
)
def test_an_invalid_query_of_the_recap_is_refused(world: World, data: dict[str, object]) -> None:
    with pytest.raises(DomainError) as refused:
        world.query("recap", data, DESK)
    assert refused.value.status == 422


def test_the_ledger_is_folded_from_the_log_up_to_a_position(world: World) -> None:
    first, second = world.book(world.stock()), world.book(world.stock(price=2_000))
    world.desk("use", first["countermark"])
    position = world.store.published_head()
    world.pass_time(timedelta(days=1))
    world.desk("use", second["countermark"])
    world.desk("keep", first["countermark"])
    then, now = world.query("ledger", {"position": position}), world.query("ledger", {})
    assert then["position"] == position
    assert then["totals"] == {"validated": 1_000}
    assert then["bookings"] == {str(first["bookingId"]): 1_000}
    assert now["days"] == {"2021-11-02": {"validated": 0}, "2021-11-03": {"validated": 2_000}}
    assert now["totals"] == {"validated": 2_000}
    assert then["contradictions"] == now["contradictions"] == world.differences() == []


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("UPDATE bookings SET unit_price = unit_price + 1", "unit_price"),
        ("UPDATE bookings SET status = 'used'", "status"),
        ("UPDATE stocks SET booked = 0", "booked"),
    ],
)
def test_the_ledger_finds_an_altered_row(world: World, change: str, column: str) -> None:
    world.book(world.stock())
    with world.store.transaction() as tx:
        tx.connection.exec_driver_sql(change)
    (difference,) = world.differences()
    live, folded = difference["live"], difference["folded"]
    assert [name for name in live if live[name] != folded[name]] == [column]


def test_the_ledger_finds_a_missing_row(world: World) -> None:
    world.book(world.stock())
    with world.store.transaction() as tx:
        tx.connection.exec_driver_sql("DELETE FROM bookings")
    assert len(world.differences()) == 1


def test_a_rebuild_gives_the_same_rows(world: World) -> None:
    """Every read model and guard, emptied and folded from the first event on, is what the use cases had written."""
    stock = world.event(timedelta(days=8), quantity=3)
    codes = world.stock(world.offer("VOD", url="https://example.org"), codes=("A", "B"))
    booked, coded = world.book(stock), world.book(codes)
    world.book(stock, world.welcome(2002))
    world.cancel(booked["bookingId"])
    world.command("staff-restore", {"bookingId": booked["bookingId"], "reason": "collected"}, STAFF, "r")
    with pytest.raises(DomainError):
        world.book(world.stock(price=50_000))
    world.bus.away.add("wallet")
    with pytest.raises(DomainError):
        world.book(world.stock(price=1))
    world.enter_batch(coded["bookingId"])
    tables = [table for projection in world.store.projections for table in projection.tables]

    def contents() -> dict[str, set[tuple[object, ...]]]:
        with world.store.reading() as connection:
            return {table.name: {tuple(row) for row in connection.execute(table.select())} for table in tables}

    before = contents()
    with world.store.transaction() as tx:
        for table in tables:
            tx.connection.execute(table.delete())
        events = [event for _, _, event in world.store.log.events(tx.connection)]
        for projection in world.store.projections:
            projection.apply(tx.connection, events, live=False)
    assert contents() == before


def of_offer(world: World, offer_id: int, caller: Caller | None = DESK, **more: object) -> list[int]:
    items = world.query("offer-bookings", {"offerId": offer_id, **more}, caller)["items"]
    return [item["bookingId"] for item in items]


def test_an_offers_bookings_are_paged_by_number(world: World) -> None:
    offer = world.offer()
    stock, other = world.stock(offer), world.stock(offer, price=0)
    people = [YOUNG + number for number in range(4)]
    for person in people[1:]:
        world.welcome(person)
    numbers = [world.book(stock, people[0])["bookingId"], world.book(other, people[1])["bookingId"]]
    numbers += [world.book(stock, people[2])["bookingId"], world.book(stock, people[3])["bookingId"]]
    world.book(world.stock())
    world.cancel(numbers[2], people[2])
    assert of_offer(world, offer) == numbers
    assert of_offer(world, offer, limit=2) == numbers[:2]
    assert of_offer(world, offer, firstIndex=numbers[1] + 1, limit=2) == numbers[2:]
    assert of_offer(world, offer, stockId=other) == [numbers[1]]
    assert of_offer(world, offer, status="cancelled") == [numbers[2]]
    assert of_offer(world, offer, beginningAt="2021-12-01T00:00:00Z") == []
    first = world.query("offer-bookings", {"offerId": offer, "limit": 1}, DESK)["items"][0]
    assert first["personId"] == people[0]


def test_an_offers_bookings_are_filtered_by_the_start_of_the_event(world: World) -> None:
    stock = world.event(timedelta(days=5))
    booked = world.book(stock)
    begins = booked["stock"]["beginningAt"]
    assert of_offer(world, booked["offer"]["offerId"], beginningAt=begins) == [booked["bookingId"]]


def test_only_its_structure_reads_an_offers_bookings(world: World) -> None:
    offer = world.offer()
    assert of_offer(world, offer, Caller(0, offerer_id=OFFERER)) == []
    for stranger in (Caller(YOUNG), Caller(0, offerer_id=OFFERER + 1)):
        with pytest.raises(DomainError) as refused:
            of_offer(world, offer, stranger)
        assert (refused.value.status, refused.value.extra["key"]) == (403, "user")
    with pytest.raises(DomainError) as nobody:
        of_offer(world, offer, None)
    assert nobody.value.status == 401
    with pytest.raises(DomainError) as unknown:
        of_offer(world, 9999)
    assert (unknown.value.status, unknown.value.extra["key"]) == (404, "offer")


@pytest.mark.parametrize(
    "wrong", [{"offerId": 0}, {"firstIndex": 0}, {"stockId": "x"}, {"status": "lost"}, {"beginningAt": "soon"}], ids=str
)
def test_an_invalid_query_of_an_offers_bookings_is_refused(world: World, wrong: dict[str, object]) -> None:
    with pytest.raises(DomainError) as refused:
        world.query("offer-bookings", {"offerId": world.offer(), **wrong}, DESK)
    assert refused.value.status == 422
