"""The notifications that a person may get."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Kind = Literal["mail", "sms", "push"]


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail in plain text, to one address. ``reply_to`` is an address, or empty."""

    kind: ClassVar[Kind] = "mail"
    to: str
    subject: str
    text: str
    reply_to: str = ""

    def content(self) -> dict[str, Any]:
        return {"subject": self.subject, "text": self.text, "replyTo": self.reply_to}


@dataclass(frozen=True, slots=True)
class TextMessage:
    """A text message; ``to`` is a number in international form, ``+33612345678``."""

    kind: ClassVar[Kind] = "sms"
    to: str
    text: str

    def content(self) -> dict[str, Any]:
        return {"text": self.text}


@dataclass(frozen=True, slots=True)
class Push:
    """A notification in the app of an account; ``to`` is the account's number as text."""

    kind: ClassVar[Kind] = "push"
    to: str
    title: str
    text: str

    def content(self) -> dict[str, Any]:
        return {"title": self.title, "text": self.text}


Notification = Mail | TextMessage | Push


def restore(kind: str, to: str, content: dict[str, Any]) -> Notification:
    """The notification whose ``content()`` is given."""
    if kind == Mail.kind:
        return Mail(to, content["subject"], content["text"], content["replyTo"])
    if kind == TextMessage.kind:
        return TextMessage(to, content["text"])
    if kind == Push.kind:
        return Push(to, content["title"], content["text"])
    raise ValueError(f"not a kind of notification: {kind!r}")


def identifier(service: str, kind: str, key: str, to: str) -> str:
    """The same for the same notification to the same recipient: 32 hexadecimal digits.

    It becomes the ``Message-ID`` of a mail and the name of a file, so that the receiver recognises a repeat.
    """
    return hashlib.sha256("\x00".join([service, kind, key, to]).encode()).hexdigest()[:32]
