"""What a process answers its operators."""

from __future__ import annotations

from http.client import HTTPConnection

from tests.waiting import PATIENCE_SECONDS


def ops(port: int, path: str) -> tuple[int, bytes]:
    """Status 0 while nobody listens."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()
