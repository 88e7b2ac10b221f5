"""A service as its composition root hands it over: everything that a process needs to run it, and nothing that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from shared.eventstore import Store
from shared.messaging.calls import CommandHandler, QueryHandler
from shared.messaging.reactions import Prepare, Reactions, prepare_nothing
from shared.projections import Projection
from shared.projections.followed import Followed


@dataclass(frozen=True, slots=True)
class Timer:
    """Something that the domain does at its own time.

    ``next_due`` says when (None: nothing is to come); ``run(now)`` does everything that is due by ``now``, after which
    ``next_due`` is later than ``now``.
    """

    name: str
    next_due: Callable[[sa.Connection], datetime | None]
    run: Callable[[datetime], None]


@dataclass(frozen=True, slots=True)
class Task:
    """Something that the process does every so many seconds of the machine's clock.

    ``idle_seconds``: what its service writes gives it something to do; at rest it runs only so often.
    """

    name: str
    seconds: float
    run: Callable[[], None]
    idle_seconds: float | None = None


def _nothing_open(_connection: sa.Connection) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    store: Store
    commands: Mapping[str, CommandHandler] = field(default_factory=dict)
    queries: Mapping[str, QueryHandler] = field(default_factory=dict)
    reactions: Reactions = field(default_factory=lambda: Reactions({}))
    followed: Sequence[Followed] = ()
    """The read models of what those messages tell."""
    prepare: Prepare = prepare_nothing
    """Called with each batch of messages before its reactions, in their transaction."""
    timers: Sequence[Timer] = ()
    tasks: Sequence[Task] = ()
    open_work: Callable[[sa.Connection], int] = _nothing_open
    """How much is under way (mails to send, open sagas): ``settle`` waits until it is 0."""
    beside: Mapping[str, sa.Engine] = field(default_factory=dict)
    """The databases that it has beside its store's, by name."""

    @property
    def read_models(self) -> list[Projection | Followed]:
        """All that can be folded anew, and compared."""
        return [*self.store.projections, *self.followed]

    @property
    def sources(self) -> list[str]:
        """The services whose messages it reacts to."""
        return self.reactions.sources
