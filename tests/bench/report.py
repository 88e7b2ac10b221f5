"""What was measured, told as it comes and written as `docs/benchmarks.md`, beside what is promised."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.load import Run
from tests.bench.machine import ORDER

HEAD = """# Benchmarks

Written by `make bench`; run it on a machine with nothing else to do. The load, PostgreSQL, RabbitMQ and the platform
share its cores, so ratios within a run say more than the figures. `distributed` is a process per service on PostgreSQL
and RabbitMQ; `embedded` is all of them in one process on SQLite. Relays, consumers and mails are at work all the time;
mails become files in memory, since to make a file on disk takes some file systems as long as a booking.
Afterwards the harness counts: every booking that was acknowledged stands in booking's read model, and its credit was
taken once in wallet's log.
"""
FOOT = Path(__file__).with_name("where_the_time_goes.md").read_text()


@dataclass
class Figures:
    """``settings`` and ``machine`` in words."""

    settings: str
    machine: str
    rates: dict[tuple[str, str, int], Sequence[Run]] = field(default_factory=dict)
    bare: float = 0.0
    lines: dict[str, list[str]] = field(default_factory=lambda: {"embedded": [], "distributed": []})

    def rate(self, mode: str, name: str, clients: int, runs: Sequence[Run]) -> None:
        self.rates[mode, name, clients] = runs
        p50, p95, p99 = (milliseconds(runs, percent) for percent in (50, 95, 99))
        said = f"{per_second(runs):7.0f}/s  p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  p99 {p99:6.1f} ms"
        print(f"{mode:12} {name:26} {clients:3} clients  {said}", flush=True)

    def bare_loop(self, rate: float) -> None:
        self.bare = rate
        ratio = self._per_second("bookings, many stocks", 64) / rate
        self._say("distributed", f"a bare psycopg2 loop of three single-row commits a booking: {rate:.0f} per second;")
        self._say("distributed", f"at 64 clients the platform makes {ratio:.2f} times as many (promised: as many)")
        hot = self._per_second("bookings, one hot stock", 64) / self._per_second("bookings, many stocks", 64)
        self._say("distributed", f"one hot stock against many, at 64 clients: {hot:.2f} (promised: 0.75)")

    def start(self, empty: float, again: float, megabytes: float) -> None:
        self._say("embedded", f"first answer {again:.2f} s after the command (promised: 2 s)")
        self._say("embedded", f"the very first one, for which the stores are made, {empty:.2f} s")
        self._say("embedded", f"{megabytes:.0f} MB once it is ready (promised: under 150 MB)")

    def memory_after(self, megabytes: float) -> None:
        self._say("embedded", f"{megabytes:.0f} MB after all of this load")

    def log(self, live: float, fold: float) -> None:
        self._say(
            "distributed", f"log to relay to consumers to read models, live: {live:.0f} events per second (1,500)"
        )
        self._say("distributed", f"a log read into a fold: {fold:.0f} events per second (promised: 60,000)")

    def long_logs(self, runs: Mapping[str, Sequence[Run]], lengths: Mapping[str, Sequence[int]]) -> None:
        short, long = (per_second(runs[name]) for name in ("short", "long"))
        self._say(
            "distributed",
            f"16 clients in turns on two platforms: {short:.0f} bookings per second with {_from_to(lengths['short'])} "
            f"events in booking's log, {long:.0f} with {_from_to(lengths['long'])}: {long / short:.2f} (promised: 0.8)",
        )

    def counted(self, mode: str, said: str) -> None:
        self._say(mode, f"counted afterwards: {said}")

    def _say(self, mode: str, text: str) -> None:
        self.lines[mode].append(text)
        print(f"{mode:12} {text}", flush=True)

    def _per_second(self, name: str, clients: int) -> float:
        return per_second(self.rates["distributed", name, clients])

    def page(self) -> str:
        day = datetime.now(UTC).date().isoformat()
        parts = [HEAD, f"`make bench` on {day}: medians of {self.settings}, on {self.machine}.\n"]
        for mode in ("distributed", "embedded"):
            if self.lines[mode]:
                parts += [f"## {mode.capitalize()}\n", self._table(mode), _listed(self.lines[mode])]
        parts += ["## What a booking takes of the processors, in milliseconds\n", self._spent(), FOOT]
        return "\n".join(parts)

    def _table(self, mode: str) -> str:
        rows = [
            "| What | Clients | Per second | p50 ms | p95 ms | p99 ms | Promised |",
            "|---|---|---|---|---|---|---|",
        ]
        for (of, name, clients), runs in self.rates.items():
            if of == mode:
                times = " | ".join(f"{milliseconds(runs, percent):.1f}" for percent in (50, 95, 99))
                promised = PROMISES.get((mode, name, clients), "")
                rows.append(f"| {name} | {clients} | {per_second(runs):,.0f} | {times} | {promised} |")
        return "\n".join([*rows, ""])

    def _spent(self) -> str:
        booked = {
            (mode, clients): _spent_each(runs)
            for (mode, name, clients), runs in self.rates.items()
            if name == "bookings, many stocks"
        }
        names = [name for name in ORDER if any(name in spent for spent in booked.values())]
        rows = [f"| Mode | Clients | {' | '.join(names)} | together |", f"|---|---|{'---|' * len(names)}---|"]
        for (mode, clients), spent in booked.items():
            each = " | ".join(f"{spent[name]:.2f}" if name in spent else "" for name in names)
            rows.append(f"| {mode} | {clients} | {each} | {sum(spent.values()):.2f} |")
        return "\n".join([*rows, ""])


PROMISES = {
    ("distributed", "bookings, many stocks", 1): "under 20 ms",
    ("distributed", "bookings, many stocks", 16): "350, p99 150",
    ("distributed", "bookings, many stocks", 64): "800, p99 150",
    ("distributed", "`GET /v1/offers/{id}`", 16): "4,000",
    ("distributed", "desk, look-ups", 16): "500",
    ("distributed", "desk, validations", 16): "400",
    ("embedded", "bookings, many stocks", 16): "500",
}


def per_second(runs: Sequence[Run]) -> float:
    return statistics.median(run.per_second for run in runs)


def milliseconds(runs: Sequence[Run], percent: float) -> float:
    return statistics.median(run.milliseconds(percent) for run in runs)


def _spent_each(runs: Sequence[Run]) -> dict[str, float]:
    """Milliseconds of a processor by process, a booking."""
    names = {name for run in runs for name in run.cpu_seconds}
    return {
        name: statistics.median(1000 * run.cpu_seconds[name] / len(run.latencies) for run in runs) for name in names
    }


def _from_to(lengths: Sequence[int]) -> str:
    return f"{lengths[0]:,} to {lengths[-1]:,}"


def _listed(lines: Sequence[str]) -> str:
    return "\n".join([*(f"- {line}" for line in lines), ""])
