"""Whatever people do in whatever order, with a wallet that is away or whose answers are lost now and then: places,
credits and live bookings never go wrong. Booking and wallet are the real ones, on SQLite."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.wallet.bootstrap import build as build_wallet
from shared.eventstore.engines import make_engine
from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError, OutcomePending
from shared.messaging.bus import Answer
from shared.runtime.migrations import upgrade
from tests.unit.booking.world import DESK, World

PEOPLE = (1001, 1002, 1003)
STAFF = Caller(1, frozenset({"staff"}))
CREDIT = 300_00


@dataclass
class Platform:
    """Booking's test world with the real wallet in it."""

    folder: Path
    world: World = field(init=False)
    stocks: list[int] = field(default_factory=list)
    offers: dict[int, int] = field(default_factory=dict)
    booked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[tuple[str, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = World(self.folder)
        engine = make_engine(f"sqlite:///{self.folder / 'wallet.sqlite'}")
        upgrade(engine, "wallet")
        self.wallet = build_wallet(self.world.settings, self.world.clock, self.world.bus, engine)
        self.wallet_process = self.world.bus.add(self.wallet, self.world.clock)
        del self.world.bus.handlers["wallet", "reserve"], self.world.bus.handlers["wallet", "release"]
        for person in PEOPLE:
            self.world.welcome(person)
            self.world.welcome(person, self.wallet)
        self._open_stocks()

    def _open_stocks(self) -> None:
        world = self.world
        duo = world.offer("CONCERT", is_duo=True)
        shared = world.offer()
        for offer, terms in (
            (duo, {"begins": world.clock.now() + timedelta(days=6), "quantity": 3, "price": 80_00}),
            (shared, {"quantity": 1, "price": 120_00}),
            (shared, {"quantity": None, "price": 10_00}),
            (world.offer(), {"quantity": 2, "price": 0}),
            (world.offer("VOD", url="https://example.org"), {"codes": ("A", "B"), "price": 60_00}),
        ):
            stock = world.stock(offer, **terms)
            self.stocks.append(stock)
            self.offers[stock] = offer

    # what happens

    def book(self, person: int, stock: int, quantity: int) -> None:
        key = f"k{len(self.keys)}"
        self.keys.append((key, person, stock))
        self._book(key, person, stock, quantity)

    def _book(self, key: str, person: int, stock: int, quantity: int) -> None:
        call = Call("book", {"stockId": self._stock(stock), "quantity": quantity}, key, Caller(self._person(person)))
        outcome = self.world.process.decide([call])[0][0]
        if isinstance(outcome, dict):
            self.booked.append(outcome | {"person": self._person(person)})

    def cancel(self, which: int) -> None:
        self._on(which, lambda one: self.world.cancel(one["bookingId"], one["person"]))

    def use(self, which: int) -> None:
        self._on(which, lambda one: self.world.desk("use", one["countermark"], DESK))

    def keep(self, which: int) -> None:
        self._on(which, lambda one: self.world.desk("keep", one["countermark"], DESK))

    def desk_cancel(self, which: int) -> None:
        self._on(which, lambda one: self.world.desk("cancel", one["countermark"], DESK))

    def staff_cancel(self, which: int) -> None:
        data = {"reason": "BACKOFFICE"}
        self._on(which, lambda one: self.world.command("staff-cancel", data | {"bookingId": one["bookingId"]}, STAFF))

    def restore(self, which: int) -> None:
        data = {"reason": "collected"}
        self._on(which, lambda one: self.world.command("staff-restore", data | {"bookingId": one["bookingId"]}, STAFF))

    def resize(self, stock: int, quantity: int) -> None:
        self._try(lambda: self.world.command("set-quantity", {"stockId": self._stock(stock), "quantity": quantity}))

    def withdraw(self, stock: int) -> None:
        number = self._stock(stock)
        facts = {"stockId": number, "offerId": self.offers[number], "withdrawnAt": self.world.now_text()}
        self.world.receive("catalog", "StockWithdrawn", facts)

    def suspend(self, person: int) -> None:
        facts = {"personId": self._person(person), "reason": "FRAUD", "at": self.world.now_text()}
        self.world.receive("identity", "BeneficiarySuspended", facts)
        self.world.receive("identity", "BeneficiaryUnsuspended", facts)

    def wallet_leaves(self) -> None:
        self.world.bus.away.add("wallet")

    def wallet_returns(self) -> None:
        self.world.bus.away.discard("wallet")
        self.world.bus.handlers.pop(("wallet", "reserve"), None)

    def answers_get_lost(self) -> None:
        def reserve(data: Any, _caller: Any) -> Answer:
            self.wallet_process.decide([Call("reserve", data)])
            raise OutcomePending

        self.world.bus.handlers["wallet", "reserve"] = reserve

    def deliver(self) -> None:
        self.world.bus.deliver()

    def recover(self) -> None:
        self.world.recover()

    def restart(self) -> None:
        self.world.restart()

    def hours_pass(self, hours: int) -> None:
        self.world.pass_time(timedelta(hours=hours))

    def _stock(self, number: int) -> int:
        return self.stocks[number % len(self.stocks)]

    @staticmethod
    def _person(number: int) -> int:
        return PEOPLE[number % len(PEOPLE)]

    def _on(self, which: int, act: Callable[[dict[str, Any]], Any]) -> None:
        if self.booked:
            self._try(lambda: act(self.booked[which % len(self.booked)]))

    @staticmethod
    def _try(act: Callable[[], Any]) -> None:
        try:
            act()
        except DomainError as refusal:
            assert refusal.status < 500 or refusal.code == "outcome-pending", refusal.code

    # what must hold

    def check_places(self) -> None:
        """At every moment."""
        with self.world.store.reading() as connection:
            stocks = connection.exec_driver_sql("SELECT stock_id, quantity, taken, booked FROM stocks").all()
            live = connection.exec_driver_sql(
                "SELECT stock_id, offer_id, person_id, quantity FROM bookings WHERE status <> 'cancelled'"
            ).all()
        booked: Counter[int] = Counter()
        for one in live:
            booked[one.stock_id] += one.quantity
        for stock in stocks:
            assert stock.booked == booked[stock.stock_id]
            assert stock.booked <= stock.taken
            assert stock.quantity is None or stock.taken <= stock.quantity
        pairs = Counter((one.person_id, one.offer_id) for one in live)
        assert all(count == 1 for count in pairs.values())
        assert self.world.rows("live_bookings") == len(live) + self.world.rows("open_requests")

    def check_settled(self) -> None:
        """Once wallet is back, everything that was open is finished and every message has arrived."""
        self.wallet_returns()
        self.recover()
        self.deliver()
        assert self.world.rows("open_requests") == 0
        mine, theirs = self.world.query("ledger", {}), self.world.bus.send_query("wallet", "ledger", {})
        assert mine["contradictions"] == theirs["contradictions"] == self.world.differences() == []
        assert self.world.bus.send_query("wallet", "compare-projection", {})["differences"] == []
        assert {number: cents for number, cents in mine["bookings"].items() if cents} == {
            number: cents for number, cents in theirs["bookings"].items() if cents
        }
        assert mine["totals"]["validated"] == theirs["totals"]["spent"]
        with self.world.store.reading() as connection:
            live = connection.exec_driver_sql(
                "SELECT person_id, sum(unit_price * quantity) AS held FROM bookings"
                " WHERE status <> 'cancelled' GROUP BY person_id"
            ).all()
        held = {row.person_id: row.held for row in live}
        for person in PEOPLE:
            credit = self.world.bus.send_query("wallet", "credit", {"personId": person})["current"]
            assert credit["remainingCents"] == CREDIT - held.get(person, 0)


small = st.integers(0, 4)
BOOK = st.tuples(st.just("book"), small, small, st.sampled_from([1, 1, 1, 2]))
CHANGE = st.tuples(
    st.sampled_from(["cancel", "use", "keep", "desk_cancel", "staff_cancel", "restore"]), st.integers(0, 30)
)
RARE = st.one_of(
    st.tuples(st.just("resize"), small, st.integers(0, 4)),
    st.tuples(st.sampled_from(["withdraw", "suspend"]), small),
    st.tuples(st.sampled_from(["wallet_leaves", "answers_get_lost"])),
    st.tuples(st.just("restart")),
    st.tuples(st.just("hours_pass"), st.sampled_from([1, 24, 60, 300])),
)
USUAL = st.tuples(st.sampled_from(["wallet_returns", "deliver", "recover"]))
STEPS = st.one_of(BOOK, BOOK, BOOK, CHANGE, CHANGE, CHANGE, USUAL, RARE)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(BOOK, min_size=4, max_size=8), st.lists(STEPS, min_size=10, max_size=40))
def test_nothing_goes_wrong_whatever_is_done(bookings: list[Any], steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(Path(folder))
        for name, *arguments in [*bookings, *steps]:
            getattr(platform, name)(*arguments)
            platform.check_places()
        platform.check_settled()
        platform.check_places()
