"""An HTTP client of the platform, with a persistent connection per thread, and a reader of its mails."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 120
MAIL_TIMEOUT_SECONDS = 30
MAX_ATTEMPTS = 5


class Refusal(Exception):
    """The platform refused a request. ``code`` is that of the problem document."""

    def __init__(self, method: str, path: str, status: int, body: bytes) -> None:
        self.status = status
        self.code = _code(body)
        super().__init__(f"{method} {path} → {status} {body[:400].decode(errors='replace')}")


class Client:
    """``token_of(role)`` returns an access token for ``staff``, ``finance`` or ``operator``."""

    def __init__(self, base_url: str, token_of: Callable[[str], str]) -> None:
        address = urlsplit(base_url)
        if address.hostname is None:
            raise ValueError(f"not an address: {base_url!r}")
        self._host, self._port = address.hostname, address.port or 80
        self._thread = threading.local()
        self.token_of = token_of

    def get(self, path: str, token: str | None = None) -> Any:
        return self._decoded("GET", path, None, token, None)

    def get_bytes(self, path: str, token: str | None = None) -> bytes:
        """The content of a file."""
        return self._answer("GET", path, None, token, None)[1]

    def post(
        self, path: str, body: dict[str, Any] | None = None, token: str | None = None, key: str | None = None
    ) -> Any:
        """``key`` is any text that identifies the request: repeating it is safe."""
        # an idempotency key is visible ASCII, the text may not be
        sent = uuid.uuid5(uuid.NAMESPACE_URL, key) if key else uuid.uuid4()
        return self._decoded("POST", path, body or {}, token, str(sent))

    def patch(self, path: str, body: dict[str, Any] | None = None, token: str | None = None) -> Any:
        return self._decoded("PATCH", path, body, token, None)

    def wait_idle(self) -> None:
        """Waits until all messages are handled and all mails are written."""
        self.post("/v1/ops/settle", {}, self.token_of("operator"))

    def _decoded(self, method: str, path: str, body: dict[str, Any] | None, token: str | None, key: str | None) -> Any:
        kind, raw = self._answer(method, path, body, token, key)
        return json.loads(raw) if raw and "json" in kind else None

    def _answer(
        self, method: str, path: str, body: dict[str, Any] | None, token: str | None, key: str | None
    ) -> tuple[str, bytes]:
        for attempt in range(MAX_ATTEMPTS):
            status, kind, raw = self._exchange(method, path, body, token, key)
            # with the same key the platform returns the outcome of the first attempt
            if status != 503 or attempt + 1 == MAX_ATTEMPTS or (method == "POST" and key is None):
                break
            time.sleep(0.2 * (attempt + 1))
        if status >= 400:
            raise Refusal(method, path, status, raw)
        return kind, raw

    def _exchange(
        self, method: str, path: str, body: dict[str, Any] | None, token: str | None, key: str | None
    ) -> tuple[int, str, bytes]:
        headers = {"Accept": "*/*"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = key
        data = None if body is None else json.dumps(body).encode()
        connection = self._connection()
        try:
            return _exchanged(connection, method, path, data, headers)
        except (HTTPException, ConnectionError):
            # the server has closed the persistent connection
            connection.close()
            if method != "GET" and key is None:
                raise
            return _exchanged(connection, method, path, data, headers)

    def _connection(self) -> HTTPConnection:
        if not hasattr(self._thread, "connection"):
            self._thread.connection = HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        connection: HTTPConnection = self._thread.connection
        return connection


def _exchanged(
    connection: HTTPConnection, method: str, path: str, data: bytes | None, headers: dict[str, str]
) -> tuple[int, str, bytes]:
    connection.request(method, path, data, headers)
    response = connection.getresponse()
    return response.status, response.headers.get("Content-Type", ""), response.read()


def _code(body: bytes) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    return str(document.get("code", "")) if isinstance(document, dict) else ""


class Mailbox:
    """Reads the mails and text messages that the platform writes to folders, each file once."""

    def __init__(self, mail: Path, sms: Path, timeout_seconds: float = MAIL_TIMEOUT_SECONDS) -> None:
        self._mail, self._sms, self._timeout = mail, sms, timeout_seconds
        self._seen: set[Path] = set()
        self._mails: dict[str, list[EmailMessage]] = {}
        self._texts: list[str] = []
        self._lock = threading.Lock()

    def link_token(self, address: str) -> str:
        """The token of the newest link sent to ``address``. Raises TimeoutError if no mail arrives."""
        return self._wait_for(lambda: self._newest_token(address), f"no mail with a link for {address}")

    def phone_code(self, number: str) -> str:
        """The last code sent to ``number``. Raises TimeoutError if no text message arrives."""
        return self._wait_for(lambda: self._newest_code(number), f"no text message for {number}")

    def _wait_for(self, look: Callable[[], str | None], message: str) -> str:
        until = time.monotonic() + self._timeout
        while time.monotonic() < until:
            with self._lock:
                self._read_new()
                found = look()
            if found:
                return found
            time.sleep(0.05)
        raise TimeoutError(message)

    def _read_new(self) -> None:
        for path in _new_files(self._mail, "*.eml", self._seen):
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            for address in str(mail["To"]).lower().split(","):
                self._mails.setdefault(address.strip(), []).append(mail)
        for path in _new_files(self._sms, "*", self._seen):
            self._texts.append(f"{path.name}\n{path.read_text(errors='replace')}")

    def _newest_token(self, address: str) -> str | None:
        for mail in reversed(self._mails.get(address.lower(), [])):
            part = mail.get_body(("plain", "html"))
            found = re.search(r"[?&]token=([^\s\"'<>&]+)", part.get_content() if part else "")
            if found:
                return found.group(1)
        return None

    def _newest_code(self, number: str) -> str | None:
        for text in reversed(self._texts):
            if number[-8:] in re.sub(r"\D", "", text.partition("\n")[0]) or number[-8:] in re.sub(r"[^\d\n]", "", text):
                found = re.search(r"\b(\d{6})\b", text.partition("\n")[2])
                if found:
                    return found.group(1)
        return None


def _new_files(folder: Path, pattern: str, seen: set[Path]) -> list[Path]:
    """New, completely written files, oldest first."""
    found = [path for path in folder.glob(pattern) if not path.name.startswith(".") and path not in seen]
    found.sort(key=lambda path: path.stat().st_mtime_ns)
    seen.update(found)
    return found
