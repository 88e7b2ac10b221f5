"""A process beside the tests that does as it is told: one JSON object a line, one answer a line."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


class Attendant:
    """Runs a module of the tests. It ends when nothing can be asked of it any more."""

    def __init__(self, module: str) -> None:
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", f"tests.{module}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def ask(self, request: Any) -> Any:
        """Waits for the answer; who asks meanwhile waits too."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def answer(value: Any) -> None:
    """What the attendant says."""
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()
