"""A service as its composition root assembles it: all that a process needs to run it, nothing that runs yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.eventstore import Connection, Engine, Store
from shared.messaging.calls import CommandHandler, QueryHandler
from shared.messaging.reactions import Prepare, Reactions, prepare_nothing
from shared.projections import Projection
from shared.projections.followed import Followed


@dataclass(frozen=True, slots=True)
class Timer:
    """Work that the domain does at an instant of its own clock.

    ``next_due`` returns the next instant, or None; ``run(now)`` does all the work due by ``now``, after which
    ``next_due`` is later than ``now``.
    """

    name: str
    next_due: Callable[[Connection], datetime | None]
    run: Callable[[datetime], None]


@dataclass(frozen=True, slots=True)
class Task:
    """Work that the process repeats every ``seconds`` of the machine's clock.

    With ``idle_seconds`` a transaction of the service wakes it; without one it runs only that often.
    """

    name: str
    seconds: float
    run: Callable[[], None]
    idle_seconds: float | None = None


def _nothing_open(_connection: Connection) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a service, by their kind."""

    name: str
    store: Store
    commands: Mapping[str, CommandHandler] = field(default_factory=dict)
    queries: Mapping[str, QueryHandler] = field(default_factory=dict)
    reactions: Reactions = field(default_factory=lambda: Reactions({}))
    followed: Sequence[Followed] = ()
    """The read models of other services' messages."""
    prepare: Prepare = prepare_nothing
    """Called with each batch of messages before its reactions, in their transaction."""
    timers: Sequence[Timer] = ()
    tasks: Sequence[Task] = ()
    open_work: Callable[[Connection], int] = _nothing_open
    """Counts unfinished work (mails to send, open sagas): the platform is idle when it is 0."""
    extra_engines: Mapping[str, Engine] = field(default_factory=dict)
    """Additional databases of the service, by name."""

    @property
    def read_models(self) -> list[Projection | Followed]:
        """All read models that can be rebuilt and compared."""
        return [*self.store.projections, *self.followed]

    @property
    def sources(self) -> list[str]:
        """The services whose messages it reacts to."""
        return self.reactions.sources
