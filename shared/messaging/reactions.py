"""What a service does about one message, inside the transaction that moves its tracked position."""

from collections.abc import Callable

from shared.eventstore import Message, Transaction

Reaction = Callable[[Transaction, Message], None]
