"""What a service does about messages, inside the transaction that moves its tracked position."""

from collections.abc import Callable, Sequence

from shared.eventstore import Message, Transaction

Reaction = Callable[[Transaction, Message], None]
"""What is done about one message."""

Prepare = Callable[[Transaction, Sequence[Message]], None]
"""What is done about a whole batch before its reactions: rows are locked and loaded in one go, in sorted order."""


def prepare_nothing(_tx: Transaction, _messages: Sequence[Message]) -> None:
    """For services whose reactions need nothing beforehand."""
