"""The destinations of notifications: ``file:`` folders for all kinds, ``smtp:`` servers for mails.

DeliveryFailed       a transient failure: tried again
└── DeliveryRefused  a permanent one (an address that does not exist): given up at once
"""

from __future__ import annotations

import re
import smtplib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from shared import green
from shared.notifications.messages import Mail, Notification, Push, TextMessage

SENDER = "pass Culture <ne-pas-repondre@passculture.invalid>"
"""The sender of mails unless ``MAIL_URL`` says otherwise (``?from=``); the reserved domain can receive no answer."""
MAX_HEADER_LINE = 76
_CRLF = "\r\n"
# 8bit: every server accepts it, and the file is readable
_BODY_HEADERS = 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n'
_LINE_END = re.compile(r"\r\n|\r|\n")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
SMTP_SECONDS = 20
"""A server that is silent for so long counts as absent."""


class DeliveryFailed(Exception):
    """Not delivered; a later attempt may succeed."""


class DeliveryRefused(DeliveryFailed):
    """Not delivered, and no later attempt can succeed."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A notification with its identifier and the instant at which it was written."""

    identifier: str
    written_at: datetime
    notification: Notification

    @property
    def file_stem(self) -> str:
        """Sorts by instant; a repeat has the same stem and replaces the file."""
        return f"{self.written_at:%Y%m%dT%H%M%S}-{self.identifier}"


class Transport(ABC):
    """Delivers notifications."""

    @abstractmethod
    def deliver(self, envelope: Envelope) -> None:
        """Raises DeliveryFailed or DeliveryRefused."""

    def deliver_all(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        """For each, in order, the error of its delivery; None when it arrived."""
        return [outcome(self.deliver, envelope) for envelope in envelopes]


def outcome(act: Callable[..., object], *given: Any) -> Exception | None:
    """The exception that ``act`` raises, or None; an error in one notification must not stop those behind it."""
    try:
        act(*given)
    except Exception as error:
        return error
    return None


Transports = Mapping[str, Transport]


class FileTransport(Transport):
    """Writes one file per notification, in a folder that the first one creates.

    Disk I/O would block every green thread of the process: it runs in a thread of the system.
    """

    def __init__(self, folder: Path, suffix: str, render: Callable[[Envelope], bytes]) -> None:
        self._folder, self._suffix, self._render = folder, suffix, render

    def deliver(self, envelope: Envelope) -> None:
        content = self._render(envelope)
        try:
            try:
                self._write(envelope, content)
            except FileNotFoundError:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._write(envelope, content)
        except OSError as error:
            raise DeliveryFailed(str(error)) from error

    def _write(self, envelope: Envelope, content: bytes) -> None:
        """Writes atomically: readers see the whole file or none."""
        unfinished = self._folder / f".{envelope.identifier}"
        unfinished.write_bytes(content)
        unfinished.replace(self._folder / f"{envelope.file_stem}{self._suffix}")

    def deliver_all(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        outcomes: list[Exception | None] = green.run_in_thread(super().deliver_all, envelopes)
        return outcomes


class SmtpTransport(Transport):
    """Sends mails through an SMTP server: one connection per batch, none is kept alive."""

    def __init__(self, url: SplitResult, render: Callable[[Envelope], bytes], sender: str) -> None:
        self._host = url.hostname or "localhost"
        self._port = url.port or (465 if url.scheme == "smtps" else 25)
        self._implicit_tls = url.scheme == "smtps"
        self._start_tls = "starttls" in parse_qs(url.query)
        self._user, self._password = unquote(url.username or ""), unquote(url.password or "")
        self._render, self._sender = render, sender

    def deliver(self, envelope: Envelope) -> None:
        with closing(_LazyConnection(self._connect)) as connection:
            self._send(connection, envelope)

    def deliver_all(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        with closing(_LazyConnection(self._connect)) as connection:
            return [outcome(self._send, connection, envelope) for envelope in envelopes]

    def _send(self, connection: _LazyConnection, envelope: Envelope) -> None:
        content = self._render(envelope)
        try:
            connection.server().sendmail(_bare(self._sender), [envelope.notification.to], content)
        except smtplib.SMTPRecipientsRefused as error:
            code, reason = next(iter(error.recipients.values()))
            raise _failure(code, reason) from error
        except smtplib.SMTPResponseException as error:
            connection.close()
            # a wrong password is a mistake of the operator, not a reason to lose the mail
            if isinstance(error, smtplib.SMTPAuthenticationError):
                raise DeliveryFailed(f"the mail server refuses the credentials: {error.smtp_code}") from error
            raise _failure(error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPException, OSError) as error:
            connection.close()
            raise DeliveryFailed(f"{type(error).__name__}: {error}") from error

    def _connect(self) -> smtplib.SMTP:
        connect = smtplib.SMTP_SSL if self._implicit_tls else smtplib.SMTP
        server = connect(self._host, self._port, timeout=SMTP_SECONDS)
        if self._start_tls:
            server.starttls()
        if self._user:
            server.login(self._user, self._password)
        return server


class _LazyConnection:
    """An SMTP connection opened on first use; a server that cannot be reached is tried once."""

    def __init__(self, connect: Callable[[], smtplib.SMTP]) -> None:
        self._connect = connect
        self._server: smtplib.SMTP | None = None
        self._unreachable: Exception | None = None

    def server(self) -> smtplib.SMTP:
        if self._unreachable is not None:
            raise self._unreachable
        if self._server is None:
            try:
                self._server = self._connect()
            except Exception as error:
                self._unreachable = error
                raise
        return self._server

    def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            with suppress(smtplib.SMTPException, OSError):
                server.quit()


def transports(mail_url: str, sms_url: str, push_url: str) -> dict[str, Transport]:
    """The transports that ``MAIL_URL``, ``SMS_URL`` and ``PUSH_URL`` ask for. Raises ValueError for any other URL."""
    return {
        "mail": _mail_transport(mail_url),
        "sms": _folder("SMS_URL", sms_url, ".txt", render_text),
        "push": _folder("PUSH_URL", push_url, ".txt", render_push),
    }


def _mail_transport(text: str) -> Transport:
    url = urlsplit(text)
    sender = parse_qs(url.query).get("from", [SENDER])[0]

    def render(envelope: Envelope) -> bytes:
        return render_mail(envelope, sender)

    if url.scheme in ("smtp", "smtps"):
        return SmtpTransport(url, render, sender)
    return _folder("MAIL_URL", text, ".eml", render)


def _folder(setting: str, text: str, suffix: str, render: Callable[[Envelope], bytes]) -> FileTransport:
    folder = text.removeprefix("file:")
    folder = folder[2:] if folder.startswith("///") else folder
    if folder == text or not folder or folder.startswith("//"):
        raise ValueError(f"{setting} cannot be {text!r}: file:/a/folder is expected")
    return FileTransport(Path(folder), suffix, render)  # not decoded: a folder's name may contain any character


def render_mail(envelope: Envelope, sender: str = SENDER) -> bytes:
    """The mail in its wire format. Raises DeliveryRefused when a header cannot be written."""
    mail = envelope.notification
    assert isinstance(mail, Mail)
    named = {
        "From": sender,
        "To": mail.to,
        "Subject": mail.subject,
        **({"Reply-To": mail.reply_to} if mail.reply_to else {}),
        "Date": format_datetime(envelope.written_at),
        "Message-ID": f"<{envelope.identifier}@{_bare(sender).rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",
    }
    try:
        for given in (sender, mail.to, mail.reply_to):
            given.encode("ascii")
        if _CONTROL.search("".join((mail.to, mail.subject, mail.reply_to))):
            raise ValueError("a header of one line has no control characters")
        headers = "\r\n".join(f"{name}: {_folded(name, value)}" for name, value in named.items())
        return f"{headers}\r\n{_BODY_HEADERS}\r\n{_LINE_END.sub(_CRLF, mail.text)}".encode()
    except (ValueError, UnicodeError, MessageError) as error:
        raise DeliveryRefused(f"this mail cannot be written: {error}") from error


def _folded(name: str, value: str) -> str:
    """A header's value: unchanged when it is short ASCII, else encoded by RFC 2047."""
    if value.isascii() and len(value) <= MAX_HEADER_LINE - len(name):
        return value
    return _encoded(name, value)


@lru_cache(500)  # subjects name offers: many mails share one
def _encoded(name: str, value: str) -> str:
    return Header(value, None if value.isascii() else "utf-8", header_name=name).encode(linesep=_CRLF)


def render_text(envelope: Envelope) -> bytes:
    text = envelope.notification
    assert isinstance(text, TextMessage)
    return f"To: {text.to}\n\n{text.text}\n".encode()


def render_push(envelope: Envelope) -> bytes:
    push = envelope.notification
    assert isinstance(push, Push)
    return f"To: account {push.to}\nTitle: {push.title}\n\n{push.text}\n".encode()


def _bare(sender: str) -> str:
    """``Name <address>`` → ``address``."""
    return sender.rpartition("<")[2].rstrip("> ")


def _failure(code: int, reason: bytes | str) -> DeliveryFailed:
    text = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
    kind = DeliveryRefused if 500 <= code < 600 else DeliveryFailed
    return kind(f"{code} {text[:200]}")
