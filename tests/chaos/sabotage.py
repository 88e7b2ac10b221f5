"""Guards of the platform that a process is started without, for the controls: see ``Fleet.sabotaged``."""

from __future__ import annotations

from collections.abc import Callable


def restless() -> None:
    """Loops that are in trouble try again without a pause."""
    from shared.messaging import extensions

    extensions.BACKOFF_SECONDS = (0.0,)  # type: ignore[assignment]


GUARDS: dict[str, Callable[[], None]] = {"restless": restless}
