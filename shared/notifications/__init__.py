"""Mails, text messages and pushes: written in a use case's transaction, sent after its commit.

=========  ====================================================================
messages   mails, text messages, pushes, and the identifier that makes a repeat recognisable
transports the destinations: a folder, or an SMTP server
outbox     writes notifications, and sends them with bounded retries
storage    the table
=========  ====================================================================
"""

from shared.notifications.messages import Mail, Notification, Push, TextMessage
from shared.notifications.outbox import Outbox
from shared.notifications.storage import create_v1
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
