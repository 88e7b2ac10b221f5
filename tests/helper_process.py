"""A helper process of the tests: reads one JSON request per line, writes one JSON reply per line."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


class HelperProcess:
    """Runs a module of the tests as a process, which ends when its standard input is closed."""

    def __init__(self, module: str) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", f"tests.{module}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def request(self, request: Any) -> Any:
        """Waits for the reply. Concurrent requests wait for each other."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def reply(value: Any) -> None:
    """Called by the helper process."""
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()
