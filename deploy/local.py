"""``make up`` and ``make down``: run one process per service on this machine, with their output in .run/."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from shared.hosting.platform import check_port
from shared.runtime.settings import SERVICES, OperatorError, Settings

RUN = Path(".run")
PASSCULTURE = str(Path(sys.executable).parent / "passculture")
READY_SECONDS = 60
STOP_SECONDS = 15


def main() -> None:
    actions = {"up": up, "down": down}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        sys.exit("usage: python -m deploy.local up|down")
    try:
        actions[sys.argv[1]]()
    except OperatorError as error:
        sys.exit(f"make {sys.argv[1]}: {error}")


def up() -> None:
    settings = Settings.from_environment()
    if not settings.database or settings.embedded_bus:
        sys.exit("make up: needs DATABASE_URL=postgresql+psycopg2://… and AMQP_URI=amqp://… (make run needs neither)")
    if running := [name for name in SERVICES if _pid(name)]:
        sys.exit(f"make up: already running: {', '.join(running)} (make down stops them)")
    check_port("PORT", settings.bind, settings.port)  # another server there would answer instead of the gateway
    if subprocess.run([PASSCULTURE, "migrate"], check=False).returncode:
        sys.exit(1)
    RUN.mkdir(exist_ok=True)
    started = {name: _start(name) for name in SERVICES}
    try:
        _wait_until_ready(f"http://{settings.bind}:{settings.port}", started)
    except BaseException:
        for process in started.values():
            process.terminate()
        _wait_for([process.poll for process in started.values()])
        down()
        raise


def _start(name: str) -> subprocess.Popen[bytes]:
    with (RUN / f"{name}.log").open("wb") as output:
        process = subprocess.Popen(
            [PASSCULTURE, "run", "--service", name], stdout=output, stderr=output, start_new_session=True
        )
    (RUN / f"{name}.pid").write_text(str(process.pid))
    return process


def _wait_until_ready(address: str, started: Mapping[str, subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        # not by `_pid`: a process that was just started has no command line yet
        if dead := [name for name, process in started.items() if process.poll() is not None]:
            tail = (RUN / f"{dead[0]}.log").read_text(errors="replace").strip().splitlines()[-1:]
            sys.exit(f"make up: {dead[0]} did not start: {' '.join(tail)}")
        try:
            with urllib.request.urlopen(f"{address}/health/ready", timeout=2):
                print(f"pass Culture is ready at {address} (logs in {RUN}/, `make down` stops it)")
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    sys.exit(f"make up: not ready within {READY_SECONDS} s; see {RUN}/*.log")


def down() -> None:
    pids = {name: pid for name in SERVICES if (pid := _pid(name))}
    for pid in pids.values():
        os.kill(pid, signal.SIGTERM)
    _wait_for([partial(_has_ended, name) for name in pids])
    for name in pids:
        if pid := _pid(name):
            os.kill(pid, signal.SIGKILL)
    for name in SERVICES:
        (RUN / f"{name}.pid").unlink(missing_ok=True)
    print(f"stopped: {', '.join(pids)}" if pids else "no process of `make up` is running")


def _has_ended(name: str) -> int | None:
    return None if _pid(name) else 0


def _wait_for(ended: Sequence[Callable[[], int | None]]) -> None:
    """Waits until all processes have ended (no function returns None), at most STOP_SECONDS."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and any(end() is None for end in ended):
        time.sleep(0.1)


def _pid(name: str) -> int | None:
    """The process of a service, if `make up` started it and it is alive."""
    try:
        pid = int((RUN / f"{name}.pid").read_text())
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    except (OSError, ValueError):
        return None
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    return pid if b"passculture" in command and name.encode() in command else None


if __name__ == "__main__":
    main()
