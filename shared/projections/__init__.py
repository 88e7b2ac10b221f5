"""Read models: tables that answer one question each, folded from a service's own events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeVar

import sqlalchemy as sa

F = TypeVar("F", bound=Callable[..., None])


def on(*kinds: type, live: bool = True) -> Callable[[F], F]:
    """The decorated method folds events of these kinds.

    ``live=False``: the use case wrote these rows itself, in the statement that decided; only a rebuild folds them.
    """

    def mark(method: F) -> F:
        method.folds = (kinds, live)  # type: ignore[attr-defined]  # read by Projection.__init__
        return method

    return mark


class Projection:
    """One read model. Subclasses give ``name``, ``version`` and ``tables`` and mark methods with ``@on``.

    A handler reads the event and the projection's own tables, nothing else, so that the model can be folded again
    beside the live one and compared with it.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    tables: ClassVar[Sequence[sa.Table]]

    def __init__(self) -> None:
        self._handlers: dict[type, tuple[Callable[[Any, Any], None], bool]] = {}
        for attribute in dir(type(self)):
            method = getattr(self, attribute)
            kinds, live = getattr(method, "folds", ((), True))
            for kind in kinds:
                self._handlers[kind] = (method, live)

    @property
    def kinds(self) -> list[type]:
        """The events that it folds."""
        return list(self._handlers)

    def apply(self, connection: sa.Connection, events: Iterable[Any], *, live: bool = True) -> None:
        """Folds events in order; ``live=False`` when it is a rebuild, which folds everything."""
        for event in events:
            self.fold(connection, event, live=live)

    def fold(self, target: Any, event: Any, *, live: bool) -> None:
        """Calls the handler of one event. ``target`` is its first argument: the connection, unless a subclass gathers
        the rows of many events before it writes them."""
        handler, is_live = self._handlers.get(type(event), (None, True))
        if handler is not None and (is_live or not live):
            handler(target, event)
