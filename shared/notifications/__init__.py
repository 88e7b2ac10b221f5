"""Mails, text messages and pushes: written in a use case's transaction, sent after its commit.

=========  ====================================================================
messages   mails, text messages, pushes, and the identifier that makes a repeat recognisable
transports the destinations: a folder, or an SMTP server
outbox     the table, writing to it, sending from it with bounded retries
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
