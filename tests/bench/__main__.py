"""``make bench``: what the platform does in a second, over HTTP, in both modes; a bare loop of the driver beside it.

Runs of each kind are interleaved and their medians shown. Every booking that was acknowledged is looked for afterwards,
in booking's read model and among wallet's reservations: a figure whose bookings are not all there is no figure.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg2
import sqlalchemy as sa

from demo.client import Mailbox
from shared.runtime.settings import SETTINGS
from tests.bench import crowd, load, logs, machine
from tests.bench.report import Figures
from tests.platform import MODES, Platform
from tests.servers import DATABASE
from tests.system.scenario import Published, Scenario

OFFERS = 20
PRICE = 100
PLENTY = 1_000_000
CROWDS = (1, 16, 64)


class Bench:
    """A platform on the real clock with its people and offers, and the requests that are made of them."""

    def __init__(self, platform: Platform, people: int) -> None:
        self.platform = platform
        self.scenario = Scenario(platform)
        self.actor = self.scenario.actor()
        self.tokens = crowd.tokens(platform, crowd.beneficiaries(platform, people))
        self._key = self.scenario.api_key(self.actor)
        self.offers = [self._offer() for _ in range(OFFERS)]
        self.acknowledged = 0
        self._many = self._bookings_of_many()

    def _offer(self) -> Published:
        return self.scenario.publish(self.actor, PRICE, PLENTY)

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
        before = machine.cpu_seconds(self.platform)
        run = load.drive(self.platform.port, requests, clients=clients, seconds=seconds)
        run.cpu_seconds = machine.cpu_seconds(self.platform) - before
        assert not run.refusals, run.refusals
        self.acknowledged += run.statuses[201]
        return run

    def count(self) -> str:
        """Raises AssertionError when an acknowledged booking is missing, or its credit was not taken once."""
        with self.platform.database("booking").connect() as connection:
            confirmed = connection.execute(sa.text("SELECT count(*) FROM bookings")).scalar_one()
        with self.platform.database("wallet").connect() as connection:
            taken = connection.execute(
                sa.text("SELECT count(*) FROM stored_events WHERE topic = 'Wallet.Reserved'")
            ).scalar_one()
        return counted(confirmed, taken, self.acknowledged)


def counted(confirmed: int, taken: int, acknowledged: int) -> str:
    assert confirmed == taken == acknowledged, (confirmed, taken, acknowledged)
    return f"{acknowledged} bookings acknowledged, {confirmed} confirmed, {taken} credits taken"


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


@contextmanager
def at_work(mode: str) -> Iterator[Platform]:
    """As in production, but for its mails: they become files in memory.

    To make a file takes some file systems as long as a booking; a mail server would have its own processors.
    """
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory(dir=memory) as mails,
        MODES[mode](
            Path(folder),
            executed=True,
            CLOCK="real",
            LOG_LEVEL="warning",
            MAIL_URL=f"file:{mails}",
            POOL_SIZE=SETTINGS["POOL_SIZE"][0],
        ) as platform,
    ):
        platform.mailbox = Mailbox(Path(mails), platform.state / "sms")
        yield platform


def measure(mode: str, given: argparse.Namespace, figures: Figures) -> None:
    """Everything that is measured in one mode, on one platform."""
    with at_work(mode) as platform:
        if mode == "embedded":
            figures.start(*_start(platform))
        bench = Bench(platform, given.people)
        _interleaved(mode, bench, given, figures)
        if mode == "embedded":
            figures.memory_after(machine.resident_megabytes(platform.pid()))
        else:
            figures.log(logs.live(platform, given.people), logs.fold(platform))
        figures.counted(mode, bench.count())


def _interleaved(mode: str, bench: Bench, given: argparse.Namespace, figures: Figures) -> None:
    kinds: list[tuple[str, Callable[[], Iterator[bytes]], int]] = [
        *[("bookings, many stocks", bench.many, clients) for clients in CROWDS],
        *[("bookings, one hot stock", bench.hot, clients) for clients in CROWDS],
        ("`GET /v1/offers/{id}`", bench.offer, 16),
        ("desk, look-ups", bench.look_ups, 16),
        ("desk, validations", bench.validations, 16),
    ]
    runs: dict[tuple[str, int], list[load.Run]] = {(name, clients): [] for name, _, clients in kinds}
    bare: list[float] = []
    for _ in range(given.rounds):
        for name, requests, clients in kinds:
            runs[name, clients].append(bench.run(requests(), clients, given.seconds))
        if mode == "distributed":
            bare.append(bare_loop(given.seconds))
    for (name, clients), of_kind in runs.items():
        figures.rate(mode, name, clients, of_kind)
    if bare:
        figures.bare_loop(statistics.median(bare))


def measure_long_logs(given: argparse.Namespace, figures: Figures) -> None:
    """The same bookings on two platforms, in turns: one whose logs are new, one whose logs have a million events."""
    with ExitStack() as stack:
        benches = {}
        for name in ("short", "long"):
            benches[name] = Bench(stack.enter_context(at_work("distributed")), given.people // 2)
            benches[name].run(benches[name].many(), 1, 1.0)
        logs.lengthen(benches["long"].platform)
        runs: dict[str, list[load.Run]] = {name: [] for name in benches}
        lengths = {name: [logs.length(bench.platform)] for name, bench in benches.items()}
        for _ in range(given.rounds):
            for name, bench in benches.items():
                runs[name].append(bench.run(bench.many(), 16, given.seconds))
        for name, bench in benches.items():
            lengths[name].append(logs.length(bench.platform))
            bench.count()
        figures.long_logs(runs, lengths)


def _start(platform: Platform) -> tuple[float, float, float]:
    """How many seconds from the command to the first answer, where there is nothing yet and where the stores are there;
    and the megabytes of the process then."""
    platform.stop()
    shutil.rmtree(platform.state)
    first = _first_answer(platform)
    platform.stop()
    again = _first_answer(platform)
    return first, again, machine.resident_megabytes(platform.pid())


def _first_answer(platform: Platform) -> float:
    begin = time.perf_counter()
    platform.start_process()
    while True:
        try:
            platform.call("GET", "/v1/settings")
            break
        except OSError:
            time.sleep(0.01)
    seconds = time.perf_counter() - begin
    platform.wait_until_ready()
    return seconds


def main() -> None:
    arguments = argparse.ArgumentParser(prog="make bench", description=__doc__)
    arguments.add_argument("--modes", nargs="+", choices=sorted(MODES), default=["embedded", "distributed"])
    arguments.add_argument("--people", type=int, default=9000, help="each may book each of the offers once")
    arguments.add_argument("--seconds", type=float, default=5.0, help="of each run")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--report", type=Path, help="where to write what was measured")
    given = arguments.parse_args()
    figures = Figures(f"{given.rounds} interleaved runs of {given.seconds:g} s each", machine.described())
    for mode in given.modes:
        measure(mode, given, figures)
    if "distributed" in given.modes:
        measure_long_logs(given, figures)
    if given.report:
        given.report.write_text(figures.page())


if __name__ == "__main__":
    main()
