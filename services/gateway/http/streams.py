"""A socket with a receive buffer and deadlines."""

from __future__ import annotations

import socket
import time
from typing import Any

from shared import green

RECEIVE_BYTES = 64 * 1024


class Stream:
    def __init__(self, sock: Any) -> None:
        self._socket = sock
        self.received = bytearray()

    def receive(self, deadline: float) -> bool:
        """Receives more until an instant of ``time.monotonic``; False at the end of the peer's stream.

        Raises TimeoutError, OSError.
        """
        self._set_deadline(deadline)
        data = self._socket.recv(RECEIVE_BYTES)
        self.received += data
        if len(data) == RECEIVE_BYTES:
            green.sleep(0)  # lets other connections run
        return bool(data)

    def send(self, data: bytes, deadline: float) -> None:
        """Raises TimeoutError, OSError."""
        rest = memoryview(data)
        while rest:
            self._set_deadline(deadline)
            rest = rest[self._socket.send(rest) :]

    def end(self, deadline: float, max_bytes: int) -> None:
        """Half-closes, and waits for the peer to close (RFC 9112 §9.6): an immediate close with unread bytes would
        reset the connection, and the peer might lose the last response."""
        self._socket.shutdown(socket.SHUT_WR)
        while max_bytes > 0:
            self.received.clear()
            if not self.receive(deadline):
                return
            max_bytes -= len(self.received)

    def _set_deadline(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
