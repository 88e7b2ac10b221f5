"""Read models that are folded from a service's own events, in the transaction that stores the events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeVar

import sqlalchemy as sa

F = TypeVar("F", bound=Callable[..., None])


def on(*kinds: type, live: bool = True) -> Callable[[F], F]:
    """The decorated method folds events of these kinds.

    ``live=False``: the use case writes these rows itself, in the statement that decides; only a second fold calls it.
    """

    def mark(method: F) -> F:
        method.folds = (kinds, live)  # type: ignore[attr-defined]  # read by Projection.__init__
        return method

    return mark


class Rows(ABC):
    """Gathers the rows that the events of a flush change, and writes them with few statements."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    @abstractmethod
    def write(self) -> None:
        """Writes the collected rows, once the events are folded."""


class Projection:
    """One read model. Subclasses give ``name``, ``version`` and ``tables`` and mark methods with ``@on``.

    A handler takes the connection and an event, or an instance of ``rows`` and an event where a subclass gathers. It
    reads the event and the projection's own tables, nothing else, so that the model can be folded a second time and
    compared.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    tables: ClassVar[Sequence[sa.Table]]
    rows: ClassVar[type[Rows] | None] = None

    def __init__(self) -> None:
        self._handlers: dict[type, tuple[Callable[[Any, Any], None], bool]] = {}
        for attribute in dir(type(self)):
            method = getattr(self, attribute)
            kinds, live = getattr(method, "folds", ((), True))
            for kind in kinds:
                self._handlers[kind] = (method, live)

    @property
    def kinds(self) -> list[type]:
        """The kinds of events that it folds."""
        return list(self._handlers)

    def apply(self, connection: sa.Connection, events: Iterable[Any], *, live: bool = True) -> None:
        """Folds events in order; ``live=False`` for a second fold, which calls the handlers of all kinds."""
        gathered = None if self.rows is None else self.rows(connection)
        for event in events:
            handler, is_live = self._handlers.get(type(event), (None, True))
            if handler is not None and (is_live or not live):
                handler(connection if gathered is None else gathered, event)
        if gathered is not None:
            gathered.write()
