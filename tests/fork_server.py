"""A fork server: starts ``passculture …`` by forking a process that has imported all modules, to save that time.

The child runs the command's entry point with the requested arguments, environment and files.
Requests: ``{"start": arguments, "environment": {…}, "files": […], …}`` → pid, ``{"poll": pid}`` → exit code or null.
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

from tests.helper_process import HelperProcess, reply
from tests.waiting import TIMEOUT_SECONDS

POLL_SECONDS = 0.02


class Child:
    """A process started by the fork server, with the interface of ``Popen``."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server = server
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._server.request({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired("passculture", timeout or 0)
            time.sleep(POLL_SECONDS)
        return code


class ForkServer(HelperProcess):
    """It is the parent of all processes it starts: an ended one stays a zombie, with its pid, until it is polled."""

    def __init__(self) -> None:
        super().__init__("fork_server")

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], output: Path, hooks: Sequence[str] = ()
    ) -> Child:
        """Appends to ``output``. ``hooks``: functions (``module:name``) that the child calls before the command."""
        return self._start(arguments, environment, output, output, Path(os.devnull), hooks)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Like ``subprocess.run``. Raises subprocess.TimeoutExpired."""
        with tempfile.TemporaryDirectory() as folder:
            output, errors, typed = (Path(folder, name) for name in ("output", "errors", "input"))
            typed.write_text(stdin)
            child = self._start(arguments, environment, output, errors, typed)
            try:
                code = child.wait(TIMEOUT_SECONDS)
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
        stdin: Path,
        hooks: Sequence[str] = (),
    ) -> Child:
        request = {
            "start": list(arguments),
            "environment": dict(environment),
            "files": [str(stdin), str(output), str(errors)],
            "hooks": list(hooks),
        }
        return Child(self, self.request(request))


@cache
def fork_server() -> ForkServer:
    """The fork server of this process; it and all processes it has started end with this process."""
    server = ForkServer()
    atexit.register(server.close)
    return server


def serve() -> None:
    from shared.cli import green  # noqa: F401  # monkey-patches before other imports
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
                reply(pid)
            else:
                reply(_code(codes, request["poll"]))
    finally:  # the tests have ended: leave no process behind
        for pid in codes:
            if _code(codes, pid) is None:
                os.kill(pid, signal.SIGKILL)


def _code(codes: dict[int, int | None], pid: int) -> int | None:
    """The exit code of a child; None while it runs."""
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
    for name in request["hooks"]:
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
