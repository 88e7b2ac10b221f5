"""A socket with what was received on it and is not read yet."""

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
        """Waits for more until an instant of ``time.monotonic``; False when the peer sends no more.

        Raises TimeoutError, OSError.
        """
        self._set_deadline(deadline)
        data = self._socket.recv(RECEIVE_BYTES)
        self.received += data
        if len(data) == RECEIVE_BYTES:
            green.sleep(0)  # a fast sender takes turns with the others
        return bool(data)

    def send(self, data: bytes, deadline: float) -> None:
        """Raises TimeoutError, OSError."""
        rest = memoryview(data)
        while rest:
            self._set_deadline(deadline)
            rest = rest[self._socket.send(rest) :]

    def end(self, deadline: float, max_bytes: int) -> None:
        """Says that nothing more is sent, and waits for the peer to close (RFC 9112 §9.6): closed at once, the system
        would reset the connection over unread bytes, and the peer might lose the last response."""
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
