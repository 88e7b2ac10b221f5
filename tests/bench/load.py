"""HTTP clients that cost little themselves: each keeps a connection and sends its next request when answered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

SILENCE_SECONDS = 60.0
"""A client that hears nothing for so long ends the run."""


@dataclass
class Run:
    """What came of the requests that were sent within a time; every one of them was answered."""

    clients: int
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    refusals: list[bytes] = field(default_factory=list)
    """The first few bodies that were no success."""
    cpu_seconds: Counter[str] = field(default_factory=Counter)
    """What the processes took meanwhile, by their names."""

    @property
    def per_second(self) -> float:
        return sum(count for status, count in self.statuses.items() if status < 300) / self.seconds

    def milliseconds(self, percent: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000


def request(method: str, path: str, token: str = "", body: Any = None, key: str = "") -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"Idempotency-Key: {key}"] if key else []
    content = b"" if body is None else orjson.dumps(body)
    lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"] if body is not None else []
    return "\r\n".join([*lines, "", ""]).encode() + content


def drive(port: int, requests: Iterator[bytes], *, clients: int, seconds: float) -> Run:
    """``clients`` at once for so long. Raises AssertionError when there are not enough requests."""
    return asyncio.run(_drive(port, requests, clients, seconds))


async def _drive(port: int, requests: Iterator[bytes], clients: int, seconds: float) -> Run:
    run = Run(clients)
    loop = asyncio.get_running_loop()
    begin = time.perf_counter()
    ended = [loop.create_future() for _ in range(clients)]
    for future in ended:
        await loop.create_connection(lambda end=future: _Client(run, requests, begin + seconds, end), "127.0.0.1", port)
    await asyncio.wait_for(asyncio.gather(*ended), seconds + SILENCE_SECONDS)
    run.seconds = time.perf_counter() - begin
    return run


class _Client(asyncio.Protocol):
    def __init__(self, run: Run, requests: Iterator[bytes], deadline: float, ended: asyncio.Future[None]) -> None:
        self._run, self._requests, self._deadline, self._ended = run, requests, deadline, ended
        self._received = b""
        self._length = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        if self._sent >= self._deadline:
            self._transport.close()
            self._ended.set_result(None)
            return
        following = next(self._requests, None)
        if following is None:
            self._ended.set_exception(AssertionError("there are no requests left: make more of them"))
            self._transport.close()
            return
        self._transport.write(following)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) < length:
            return
        status = int(head[9:12])
        self._run.latencies.append(time.perf_counter() - self._sent)
        self._run.statuses[status] += 1
        if status >= 300 and len(self._run.refusals) < 5:
            self._run.refusals.append(body)
        self._received = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_exception(exc or ConnectionError("the server closed the connection"))
