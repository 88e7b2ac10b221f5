"""The calls that every service answers: positions, its log, timers, read models, dead letters, histories.

``shared/runtime/platform_calls.py`` handles them. A call names its service in the options of the bus (``to=``).
"""

from __future__ import annotations

from typing import Annotated

from shared.contracts.calls.contract import FINANCE, OPERATOR, PLATFORM, AtMost, Command, Data, Query
from shared.contracts.calls.types import Instant, Position
from shared.contracts.fields import Decimal, Number, Text, Whole

Name = Annotated[str, Text(1, 100)]


class Reached(Query, by=PLATFORM):
    """Waits until the service has handled a source's messages up to a position; 503 after ``seconds``. ``{reached}``"""

    source: Name
    position: Position
    seconds: Annotated[float, Decimal(0, 30)] = 3.0


class Log(Query, by=PLATFORM | FINANCE):
    """What the service published after a position, in order: ``{epoch, messages}``; at its end ``head`` too."""

    after: Position
    limit: Annotated[int, Whole(1, 1_000)] = 1_000


class Positions(Query, by=PLATFORM):
    """``{published, relayed, tracked: {source: position}, open, now}``; ``open`` counts unfinished work."""


class Timers(Query, by=PLATFORM):
    """When the next timer falls due: ``{next, now}``."""


class Health(Query, by=PLATFORM):
    """``{service, trouble: {part: why}}``."""


class Backlog(Query, by=PLATFORM):
    """How many messages were published after a position: ``{messages, since}``."""

    after: Position


class DeadLetters(Query, by=OPERATOR | PLATFORM):
    """A page of the waiting dead letters after a given one, oldest first: ``{items}``."""

    after: Position = 0
    limit: Annotated[int, Whole(1, 1_000)] = 200


class Histories(Query, by=PLATFORM):
    """``{epoch, ended: [{epoch, head}]}``: the current epoch and those that a restore ended."""


class Projections(Query, by=OPERATOR | PLATFORM):
    """The read models, and the tracked positions in the sources: ``{projections, sources}``."""


class CompareProjection(Query, by=OPERATOR | PLATFORM):
    """Compares a read model with a second fold: ``{differences: [{table, key, live, folded}]}``.

    Without a name: all read models that are folded from the service's own log, in one pass over it.
    """

    name: Name | None = None


class Stream(Query, by=OPERATOR | PLATFORM):
    """The events of one stream as stored; personal data stay sealed: ``{items}``."""

    stream_id: Annotated[str, Text(36, 36)]


class SetClock(Command, by=PLATFORM, name="clock-set"):
    """Moves the simulated clock: ``{now}``. Refused with a real clock, and backwards."""

    now: Instant


class RunTimers(Command, by=PLATFORM):
    """Runs every timer that is due: ``{runs}``."""

    until: Instant | None = None


class ReplayDeadLetter(Command, by=OPERATOR | PLATFORM, refuses=("not-waiting",)):
    """Handles a dead letter again, with those parked behind it: ``{letters}``."""

    id: Annotated[int, Number()]


class DiscardDeadLetter(Command, by=OPERATOR | PLATFORM, refuses=("not-waiting",)):
    """Discards a dead letter: ``{letters}``."""

    id: Annotated[int, Number()]


class RebuildProjection(Command, by=OPERATOR | PLATFORM):
    """Rebuilds a read model from the log: ``{rows}``."""

    name: Name


class BeginHistory(Command, by=PLATFORM):
    """Begins a new epoch after a restore: ``{epoch, head}``."""


class EndedHistory(Data):
    epoch: Name
    head: Position


class KnownHistories(Data):
    """What ``Histories`` answers."""

    epoch: Name
    ended: Annotated[tuple[EndedHistory, ...], AtMost(1_000)]


class FollowHistory(Command, by=PLATFORM):
    """Follows the new history of a source that was restored: ``{position, lost}``."""

    source: Name
    histories: KnownHistories
    position: Position | None = None
