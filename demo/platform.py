"""Runs the embedded platform in a separate process, with a simulated clock and its state in a given folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from subprocess import Popen

from shared.runtime.settings import SETTINGS

COMMAND = str(Path(sys.executable).parent / "passculture")
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 15
ROLES = ("staff", "finance", "operator")


class NotStarted(Exception):
    """The platform did not become ready; the message has the end of its log."""


@dataclass(frozen=True)
class Platform:
    base_url: str
    tokens: dict[str, str]
    mail: Path
    sms: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A ``passculture`` command with this platform's settings, its output captured."""
        return subprocess.run([COMMAND, *arguments], env=self.environment, capture_output=True, text=True, check=False)


@contextmanager
def running(folder: Path, clock: str) -> Iterator[Platform]:
    """A ready platform on an empty ``folder/state``, whose clock starts at ``clock``. It is stopped at the end."""
    port = _free_port()
    platform = Platform(
        base_url=f"http://127.0.0.1:{port}",
        tokens={},
        mail=folder / "mails",
        sms=folder / "text-messages",
        environment=_environment(folder, port, clock),
    )
    log_path = folder / "platform.log"
    with log_path.open("wb") as log:
        process = Popen([COMMAND, "run"], env=platform.environment, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_until_ready(port, process, log_path)
            platform.tokens.update(_tokens(platform))
            yield platform
        finally:
            _stop(process)


def _environment(folder: Path, port: int, clock: str) -> dict[str, str]:
    # one process on SQLite, whatever the settings of another platform on this machine
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return inherited | {
        "PORT": str(port),
        "STATE_DIR": str(folder / "state"),
        "MAIL_URL": f"file:{folder / 'mails'}",
        "SMS_URL": f"file:{folder / 'text-messages'}",
        "CLOCK": clock,
        "DEMO": "0",
        "RANDOM_SEED": "founding document",
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until_ready(port: int, process: Popen[bytes], log_path: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if _is_ready(port):
            return
        time.sleep(0.1)
    raise NotStarted(log_path.read_text(errors="replace")[-2000:] or "the platform wrote no log")


def _is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _tokens(platform: Platform) -> dict[str, str]:
    """A token for each role. The commands run in parallel, because starting takes most of their time."""
    with ThreadPoolExecutor(len(ROLES)) as pool:
        return dict(zip(ROLES, pool.map(lambda role: _token(platform, role), ROLES), strict=True))


def _token(platform: Platform, role: str) -> str:
    made = platform.command("token", role)
    if made.returncode != 0 or not made.stdout.strip():
        raise NotStarted(f"no token for {role}: {made.stderr.strip()}")
    return made.stdout.strip().splitlines()[-1]


def _stop(process: Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
