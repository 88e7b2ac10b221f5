"""What a service does about messages, inside the transaction that moves its tracked position."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from marshmallow import ValidationError

from shared.contracts.messages import MESSAGES, Schemas, completed, known_fields
from shared.eventstore import Message, Transaction
from shared.eventstore.context import caused_by
from shared.kernel.errors import Conflict

Reaction = Callable[[Transaction, Message], None]
"""Handles one message."""

Key = tuple[str, str, int]
"""(source, name, version) of a message."""

Prepare = Callable[[Transaction, Sequence[Message]], None]
"""Called with a whole batch before its reactions: locks and loads rows at once, in sorted order."""


def prepare_nothing(_tx: Transaction, _messages: Sequence[Message]) -> None:
    """For services whose reactions need no preparation."""


class NotUnderstood(Conflict):
    """A message in versions that no reaction reads: a poison message until the service is upgraded."""

    code = "not-understood"


class Reactions(Mapping[Key, Reaction]):
    """The reactions of a service by (source, name, version).

    ``schemas``: by source, what a reaction expects of the data; they decide whether it reads a version that is unknown.
    """

    def __init__(self, table: Mapping[Key, Reaction], schemas: Mapping[str, Schemas] = MESSAGES) -> None:
        self._table = dict(table)
        self._schemas = schemas
        self._versions: dict[tuple[str, str], list[int]] = {}
        """The versions of each message that have a reaction, the newest first."""
        for source, name, version in sorted(self._table, reverse=True):
            self._versions.setdefault((source, name), []).append(version)

    def __getitem__(self, key: Key) -> Reaction:
        return self._table[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def sources(self) -> list[str]:
        """The services whose messages lead to a reaction, sorted."""
        return sorted({source for source, _, _ in self._table})

    def concern(self, message: Message) -> bool:
        """Whether there is a reaction to the message, in whatever version."""
        return (message.source, message.name) in self._versions

    def in_known_version(self, message: Message) -> Message:
        """The message with its data in the version that is handled, one that has a reaction.

        That is the newest that the message brings and a reaction expects. If there is none, the newest reaction whose
        schema admits what the message brings takes that for its own version: unknown fields are left out, and fields
        that the schema has ``added`` to an older version get their defaults.
        Raises NotUnderstood.
        """
        known = self._versions.get((message.source, message.name), [])
        for brought in message.versions:
            if brought.number in known:
                return message.in_version(brought) if message.older else message
        return self._with_known_fields(message, known)

    def react(self, tx: Transaction, message: Message) -> None:
        """Handles a message that ``in_known_version`` has returned."""
        with caused_by(message.correlation_id, message.id):
            self._table[message.source, message.name, message.version](tx, message)

    def handle(self, tx: Transaction, message: Message) -> None:
        """Handles a message as it was published. Raises NotUnderstood."""
        self.react(tx, self.in_known_version(message))

    def _with_known_fields(self, message: Message, known: Sequence[int]) -> Message:
        """Tries the newest reaction first, each with the oldest data first: the nearest to what it expects."""
        schemas = self._schemas.get(message.source, {})
        objections = []
        for version in known:
            schema = schemas.get((message.name, version))
            if schema is None:
                objections.append(f"version {version}, which is known, has no schema to read it with")
                continue
            for brought in reversed(message.versions):
                is_older = brought.number < version
                try:
                    data = known_fields(schema, completed(schema, brought.data) if is_older else brought.data)
                except ValidationError as error:
                    objections.append(f"version {version}, which is known, does not admit it: {error.messages}")
                else:
                    return message.in_version(brought._replace(number=version, data=data))
        reason = "; ".join(objections) or "there is no reaction to it"
        raise NotUnderstood(
            f"La version {message.version} du message {message.name} n’est pas comprise : rejouez-le après la mise à "
            "jour du service.",
            reason=f"{message.name} version {message.version} is not understood: {reason}",
        )
