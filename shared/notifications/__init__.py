"""Mails, text messages and pushes: written in a use case's transaction, sent after its commit.

=========  ====================================================================
messages   what is said to whom; the identifier by which a repeat is recognised
transports where it goes: a folder, or an SMTP server
outbox     the table, the writing, the sending with bounded retries
=========  ====================================================================
"""

from shared.notifications.messages import Mail, Notification, Push, TextMessage
from shared.notifications.outbox import Outbox, create_v1
from shared.notifications.transports import DeliveryFailed, DeliveryRefused, Transport, transports

__all__ = [
    "DeliveryFailed",
    "DeliveryRefused",
    "Mail",
    "Notification",
    "Outbox",
    "Push",
    "TextMessage",
    "Transport",
    "create_v1",
    "transports",
]
