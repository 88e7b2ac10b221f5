"""Writes responses (RFC 9112 §4, §6). Each has a length, so the connection can be reused."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response that does not come from the application."""

    status: int
    headers: Headers
    body: bytes

    @property
    def status_line(self) -> str:
        return f"{self.status} {HTTPStatus(self.status).phrase}"


def encoded_head(status: str, headers: Iterable[tuple[str, str]], *, persistent: bool) -> bytes:
    """``status`` with its reason phrase. Raises ValueError for a line break where none may be."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), f"Date: {_date.now()}"]
    if not persistent:
        lines.append("Connection: close")
    head = "\r\n".join(lines)
    if head.count("\n") + 1 != len(lines) or head.count("\r") + 1 != len(lines):
        raise ValueError("a line break in the head of a response")
    return head.encode("latin-1") + b"\r\n\r\n"


class _Date:
    """The Date field (RFC 9110 §6.6.1), made once a second."""

    def __init__(self) -> None:
        self._second, self._text = 0, ""

    def now(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True)
        return self._text


_date = _Date()
