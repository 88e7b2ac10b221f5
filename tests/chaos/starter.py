"""Starts processes of services by forking one that has imported everything: a start costs a fork, not the imports.

What runs in the child is ``passculture run --service NAME``. Asked: ``{"start": service, "environment": {…}, "output":
path, "without": guards}`` → pid, ``{"poll": pid}`` → exit code or null.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.chaos import hurry
from tests.chaos.attendant import Attendant, answer
from tests.chaos.sabotage import GUARDS

POLL_SECONDS = 0.02


class Child:
    """A process of the starter's, with the face of a ``Popen``."""

    def __init__(self, starter: Starter, pid: int) -> None:
        self._starter = starter
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._starter.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired("a service", timeout or 0)
            time.sleep(POLL_SECONDS)
        return code


class Starter(Attendant):
    """The process that forks. Children are its own: a killed one keeps its number until it was asked about."""

    def __init__(self) -> None:
        super().__init__("starter")

    def start(self, service: str, environment: Mapping[str, str], output: Path, without: Sequence[str] = ()) -> Child:
        """``without``: names of guards, from ``sabotage``."""
        request = {
            "start": service,
            "environment": dict(environment),
            "output": str(output),
            "without": list(without),
        }
        return Child(self, self.ask(request))


def serve() -> None:
    from shared.cli import green  # noqa: F401  # before anything else: the patch
    from shared.hosting.platform import service_class
    from shared.runtime.settings import SERVICES

    for name in SERVICES:
        service_class(name)
    gc.collect()
    gc.freeze()
    codes: dict[int, int | None] = {}
    try:
        for line in sys.stdin.buffer:
            request = json.loads(line)
            if "start" in request:
                pid = _fork(request)
                codes[pid] = None
                answer(pid)
            else:
                answer(_code(codes, request["poll"]))
    finally:  # whoever asked is gone: nothing of it stays behind
        for pid in codes:
            if _code(codes, pid) is None:
                os.kill(pid, signal.SIGKILL)


def _code(codes: dict[int, int | None], pid: int) -> int | None:
    """The exit code of a child that has ended."""
    if codes[pid] is None:
        ended, status = os.waitpid(pid, os.WNOHANG)
        codes[pid] = os.waitstatus_to_exitcode(status) if ended else None
    return codes[pid]


def _fork(request: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        code = _run(request)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(request: dict[str, Any]) -> int:
    from shared import green
    from shared.cli import application
    from shared.runtime.settings import OneLine

    os.setsid()
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.dup2(1, 2)
    os.environ.clear()
    os.environ.update(request["environment"])
    green.after_fork()
    if hurry.SETTING in os.environ:
        hurry.hurry()
    for guard in request["without"]:
        GUARDS[guard]()
    try:
        application.run(request["start"])
    except OneLine as error:
        sys.stderr.write(f"passculture: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    serve()
