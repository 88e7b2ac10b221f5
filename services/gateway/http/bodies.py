"""Request bodies of a known length (RFC 9112 §6.3), read from the connection while the application asks for them."""

from __future__ import annotations

import io
import time
from typing import Any

from services.gateway.http.refusals import BadRequest, RequestTimeout
from services.gateway.http.streams import Stream

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestBody(io.RawIOBase):
    def __init__(self, stream: Stream, length: int, seconds: float, *, expects_continue: bool) -> None:
        """``seconds``: from the first read to the last.

        ``expects_continue``: the client may wait for a 100 before it sends the body (RFC 9110 §10.1.1).
        """
        self._stream, self._seconds = stream, seconds
        self._deadline: float | None = None
        self.unread = length
        self.expects_continue = expects_continue and length > 0
        self.failed = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises BadRequest when the peer ends the body early, RequestTimeout."""
        if not self.unread:
            return 0
        received = self._stream.received
        if not received:
            self._receive()
        self.expects_continue = False
        size = min(len(buffer), self.unread, len(received))
        buffer[:size] = received[:size]
        del received[:size]
        self.unread -= size
        return size

    def discard(self, deadline: float) -> None:
        """Reads what the application left unread. Raises like ``readinto``."""
        self._deadline = deadline
        scratch = bytearray(64 * 1024)
        while self.readinto(scratch):
            pass

    def _receive(self) -> None:
        if self._deadline is None:
            self._deadline = time.monotonic() + self._seconds
        try:
            if self.expects_continue:
                self._stream.send(CONTINUE, self._deadline)
            more = self._stream.receive(self._deadline)
        except TimeoutError:
            self.failed = True
            raise RequestTimeout("Le contenu n’est pas arrivé à temps.") from None
        except OSError:
            more = False
        if not more:
            self.failed = True
            raise BadRequest("Le contenu s’arrête avant la longueur annoncée.")
