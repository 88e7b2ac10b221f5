"""Requests to the operators' port of a process."""

from __future__ import annotations

from http.client import HTTPConnection

from tests.waiting import TIMEOUT_SECONDS


def ops(port: int, path: str) -> tuple[int, bytes]:
    """Status and body; status 0 if no connection is possible."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()
