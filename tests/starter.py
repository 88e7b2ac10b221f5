"""Starts ``passculture …`` by forking a process that has imported everything: a start costs a fork, not the imports.

What runs in the child is the command's own entry point, with the arguments, environment and files that it is given.
Asked: ``{"start": arguments, "environment": {…}, "output": path, …}`` → pid, ``{"poll": pid}`` → exit code or null.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.attendant import Attendant, answer
from tests.waiting import PATIENCE_SECONDS

POLL_SECONDS = 0.02


class Child:
    """A process of the starter's, with the interface of a ``Popen``."""

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
                raise subprocess.TimeoutExpired("passculture", timeout or 0)
            time.sleep(POLL_SECONDS)
        return code


class Starter(Attendant):
    """The process that forks. Children are its own: a killed one keeps its number until it was asked about."""

    def __init__(self) -> None:
        super().__init__("starter")

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], output: Path, first: Sequence[str] = ()
    ) -> Child:
        """``output`` is appended to; ``first``: functions (``module:name``) that the child calls before it runs."""
        return self._start(arguments, environment, output, output, Path(os.devnull), first)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """As ``subprocess.run``; ``given`` is what the command reads. Raises subprocess.TimeoutExpired."""
        with tempfile.TemporaryDirectory() as folder:
            output, errors, typed = (Path(folder, name) for name in ("output", "errors", "input"))
            typed.write_text(given)
            child = self._start(arguments, environment, output, errors, typed)
            try:
                code = child.wait(PATIENCE_SECONDS)
            finally:
                if child.returncode is None:
                    os.killpg(child.pid, signal.SIGKILL)
            return subprocess.CompletedProcess(arguments, code, output.read_text(), errors.read_text())

    def _start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        output: Path,
        errors: Path,
        given: Path,
        first: Sequence[str] = (),
    ) -> Child:
        request = {
            "start": list(arguments),
            "environment": dict(environment),
            "files": [str(given), str(output), str(errors)],
            "first": list(first),
        }
        return Child(self, self.ask(request))


@cache
def starter() -> Starter:
    """The one of this process; it and its children end with it."""
    made = Starter()
    atexit.register(made.close)
    return made


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
    """The exit code of the command."""
    from shared import cli, green

    os.setsid()
    for number, (path, flags) in enumerate(
        zip(request["files"], (os.O_RDONLY, *[os.O_WRONLY | os.O_APPEND | os.O_CREAT] * 2), strict=True)
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(request["environment"])
    green.after_fork()
    for name in request["first"]:
        module, _, function = name.partition(":")
        getattr(import_module(module), function)()
    sys.argv = ["passculture", *request["start"]]
    try:
        cli.main()
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
            return 1
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    serve()
