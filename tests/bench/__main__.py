"""``make bench``: what the platform does in a second, over HTTP, in both modes; a bare loop of the driver beside it.

Runs of each kind are interleaved and the median is shown. Every booking that was acknowledged is looked for afterwards,
in booking's read model and among wallet's reservations: a figure whose bookings are not all there is no figure.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import sqlalchemy as sa

from tests.bench import crowd, load, logs
from tests.platform import MODES, Platform
from tests.servers import DATABASE
from tests.system.stage import Published, Stage

OFFERS = 20
PRICE = 100
PLENTY = 1_000_000
SETTLINGS = 20
"""Of half a minute each, at most."""


class Bench:
    """A platform on the real clock with its people and offers, and the requests that are made of them."""

    def __init__(self, platform: Platform, people: int) -> None:
        self.platform = platform
        self.stage = Stage(platform)
        self.actor = self.stage.actor()
        self.tokens = crowd.tokens(platform, crowd.beneficiaries(platform, people))
        self._key = self.stage.api_key(self.actor)
        self.offers = [self._offer() for _ in range(OFFERS)]
        self.acknowledged = 0
        self._many = self._bookings_of_many()

    def _offer(self) -> Published:
        return self.stage.publish(self.actor, PRICE, PLENTY)

    def _bookings_of_many(self) -> Iterator[bytes]:
        """Each person books each offer once, everybody another one at a time."""
        for turn in range(OFFERS):
            for number, token in enumerate(self.tokens):
                yield booking(token, self.offers[(turn + number) % OFFERS], number)

    def many(self) -> Iterator[bytes]:
        return self._many

    def hot(self) -> Iterator[bytes]:
        offer = self._offer()
        return (booking(token, offer, number) for number, token in enumerate(self.tokens))

    def offer(self) -> Iterator[bytes]:
        return itertools.repeat(load.request("GET", f"/v1/offers/{self.offers[0].offer_id}"))

    def look_ups(self) -> Iterator[bytes]:
        return itertools.cycle([load.request("GET", f"/v2/bookings/token/{mark}", self._key) for mark in self._marks()])

    def validations(self) -> Iterator[bytes]:
        """Each booking once."""
        for mark in self._marks():
            yield load.request("PATCH", f"/v2/bookings/use/token/{mark}", self._key)

    def _marks(self) -> list[str]:
        with self.platform.database("booking").connect() as connection:
            confirmed = "SELECT countermark FROM bookings WHERE status = 'confirmed' ORDER BY booking_id"
            return list(connection.execute(sa.text(confirmed)).scalars())

    def run(self, requests: Iterator[bytes], clients: int, seconds: float) -> load.Run:
        run = load.drive(self.platform.port, requests, clients=clients, seconds=seconds)
        assert not run.refusals, run.refusals
        self.acknowledged += run.statuses[201]
        return run

    def count(self) -> None:
        """Raises AssertionError when an acknowledged booking is missing, or its credit was not taken once."""
        _settled(self.platform)
        with self.platform.database("booking").connect() as connection:
            confirmed = connection.execute(sa.text("SELECT count(*) FROM bookings")).scalar_one()
        with self.platform.database("wallet").connect() as connection:
            taken = connection.execute(
                sa.text("SELECT count(*) FROM stored_events WHERE topic = 'Wallet.Reserved'")
            ).scalar_one()
        assert confirmed == taken == self.acknowledged, (confirmed, taken, self.acknowledged)
        print(f"  counted: {confirmed} bookings, {taken} reservations, {self.acknowledged} acknowledged")


def _settled(platform: Platform) -> None:
    """Mails are written behind the bookings' backs, so many a second: they take longer than one waiting allows."""
    for _ in range(SETTLINGS):
        if platform.call("POST", "/v1/ops/settle", {}, platform.token("operator")).status == 200:
            return
    raise AssertionError("it never comes to rest")


def booking(token: str, offer: Published, number: int) -> bytes:
    body = {"stockId": offer.stock_id, "quantity": 1}
    return load.request("POST", "/v1/bookings", token, body, f"bench-{offer.stock_id}-{number}")


def bare_loop(seconds: float) -> float:
    """Bookings per second of three single-row commits each, with nothing around them."""
    connection = psycopg2.connect(DATABASE.replace("+psycopg2", ""))
    try:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS pc_bench_bare (id bigserial PRIMARY KEY, body text NOT NULL)")
            connection.commit()
            begin, count = time.perf_counter(), 0
            while time.perf_counter() - begin < seconds:
                for _ in range(3):
                    cursor.execute("INSERT INTO pc_bench_bare (body) VALUES (%s)", ("x" * 200,))
                    connection.commit()
                count += 1
            rate = count / (time.perf_counter() - begin)
            cursor.execute("DROP TABLE pc_bench_bare")
            connection.commit()
            return rate
    finally:
        connection.close()


def measure(mode: str, people: int, seconds: float, rounds: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        MODES[mode](Path(folder), CLOCK="real", LOG_LEVEL="warning") as platform,
    ):
        if mode == "embedded":
            _start(platform)
        bench = Bench(platform, people)
        print(f"{mode}: {rounds} interleaved runs of {seconds:g} s each, medians", flush=True)
        _interleaved(bench, seconds, rounds, with_bare_loop=mode == "distributed")
        if mode == "distributed":
            print(f"  {'live, log to read models':26} {logs.live(platform, people):18.0f} events/s")
            print(f"  {'a log read into a fold':26} {logs.fold(platform):18.0f} events/s", flush=True)
            _long_logs(bench, seconds, rounds)
        bench.count()


def _interleaved(bench: Bench, seconds: float, rounds: int, *, with_bare_loop: bool) -> None:
    kinds: list[tuple[str, Callable[[], Iterator[bytes]], int]] = [
        ("bookings, many stocks", bench.many, 1),
        ("bookings, many stocks", bench.many, 16),
        ("bookings, many stocks", bench.many, 64),
        ("bookings, one hot stock", bench.hot, 64),
        ("GET /v1/offers/{id}", bench.offer, 16),
        ("desk, look-ups", bench.look_ups, 16),
        ("desk, validations", bench.validations, 16),
    ]
    runs: dict[tuple[str, int], list[load.Run]] = {(name, clients): [] for name, _, clients in kinds}
    bare: list[float] = []
    for _ in range(rounds):
        for name, requests, clients in kinds:
            runs[name, clients].append(bench.run(requests(), clients, seconds))
        if with_bare_loop:
            bare.append(bare_loop(seconds))
    for (name, clients), of_kind in runs.items():
        print(f"  {name:26} {clients:3} clients  {_shown(of_kind)}", flush=True)
    if bare:
        print(f"  {'bare psycopg2 loop':26} {1:3} client   {statistics.median(bare):7.0f}/s", flush=True)


def _long_logs(bench: Bench, seconds: float, rounds: int) -> None:
    """The same bookings with the logs as they are, and with a million events in booking's and in wallet's."""
    short = [bench.run(bench.many(), 16, seconds) for _ in range(rounds)]
    lengths = [
        logs.lengthen(bench.platform, service, topic)
        for service, topic in (("booking", "Booking.%"), ("wallet", "Wallet.%"))
    ]
    long = [bench.run(bench.many(), 16, seconds) for _ in range(rounds)]
    print(f"  {'bookings before':26} {16:3} clients  {_shown(short)}")
    print(f"  {'with a million events':26} {16:3} clients  {_shown(long)}  ({lengths} in the logs)", flush=True)


def _start(platform: Platform) -> None:
    """How long from the command to the first answer, and the memory of the process then."""
    platform.stop()
    begin = time.perf_counter()
    platform.start_process()
    while True:
        try:
            platform.call("GET", "/v1/settings")
            break
        except OSError:
            time.sleep(0.01)
    first = time.perf_counter() - begin
    platform.wait_until_ready()
    status = Path(f"/proc/{platform.pid()}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    print(f"embedded: first answer after {first:.2f} s, {resident / 1024:.0f} MB", flush=True)


def _shown(runs: list[load.Run]) -> str:
    rate = statistics.median(run.per_second for run in runs)
    p50, p95, p99 = (statistics.median(run.milliseconds(percent) for run in runs) for percent in (50, 95, 99))
    return f"{rate:7.0f}/s  p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  p99 {p99:6.1f} ms"


def main() -> None:
    arguments = argparse.ArgumentParser(prog="make bench", description=__doc__)
    arguments.add_argument("--modes", nargs="+", choices=sorted(MODES), default=["embedded", "distributed"])
    arguments.add_argument("--people", type=int, default=6000, help="each may book each of the offers once")
    arguments.add_argument("--seconds", type=float, default=5.0, help="of each run")
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    for mode in given.modes:
        measure(mode, given.people, given.seconds, given.rounds)


if __name__ == "__main__":
    main()
