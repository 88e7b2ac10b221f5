"""``/health/live``, ``/health/ready`` and ``/metrics`` of a process, on ``OPS_PORT``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import orjson

from shared import green
from shared.observability import metrics

Answer = tuple[str, str, bytes]


class Healthy(Protocol):
    def health(self) -> dict[str, str]:
        """The trouble of each background loop that has some; empty when all is well."""

    def lives(self) -> bool:
        """False when only a restart of the process would help."""


def answer(path: str, processes: Mapping[str, Healthy]) -> Answer:
    """Status line, media type and body for a path of the operators."""
    if path == "/metrics":
        return "200 OK", "text/plain; version=0.0.4; charset=utf-8", b"".join(metrics.exposition())
    if path == "/health/live":
        lives = all(process.lives() for process in processes.values())
        return _state(lives), "application/json", orjson.dumps({"live": lives})
    if path == "/health/ready":
        trouble = {part: why for process in processes.values() for part, why in process.health().items()}
        ready = bool(processes) and not trouble
        return _state(ready), "application/json", orjson.dumps({"ready": ready, "trouble": trouble})
    return "404 Not Found", "application/json", b'{"code":"not-found"}'


def _state(well: bool) -> str:
    return "200 OK" if well else "503 Service Unavailable"


def serve(bind: str, port: int, processes: Mapping[str, Healthy]) -> None:
    """Serves requests in the caller's green thread. Does not return."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, media_type, body = answer(environ["PATH_INFO"], processes)
        start_response(status, [("Content-Type", media_type), ("Content-Length", str(len(body)))])
        return [body]

    green.wsgi.server(green.listen((bind, port)), application, log_output=False)
