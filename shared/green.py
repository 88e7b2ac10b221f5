"""Green threads (cooperative multitasking): the only module that imports eventlet.

nameko runs on eventlet, whose retirement is announced. This module wraps everything that the platform uses of it, under
names that gevent and asyncio have too: replacing the library means rewriting this module.

The operating system resolves host names, in a thread. eventlet's own resolver ignores some of the system's settings,
delays the start of a process by a quarter of a second and takes eight megabytes.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

os.environ["EVENTLET_NO_GREENDNS"] = "yes"  # eventlet reads it when it is imported

import eventlet
import eventlet.green.socket
from eventlet import listen, sleep, spawn, tpool, wsgi
from eventlet import spawn_after as spawn_later
from eventlet.event import Event
from eventlet.greenpool import GreenPool as Pool
from eventlet.hubs import get_hub, trampoline, use_hub
from eventlet.patcher import original
from eventlet.semaphore import Semaphore
from eventlet.timeout import Timeout

_resolve = original("socket").getaddrinfo


def monkey_patch() -> None:
    """Makes sockets, locks, sleeping and psycopg2 cooperative. Call it before importing anything else."""
    eventlet.monkey_patch()
    socket.getaddrinfo = eventlet.green.socket.getaddrinfo = _getaddrinfo


def _getaddrinfo(*address: Any, **options: Any) -> Any:
    return run_in_thread(_resolve, *address, **options)


def call_later(seconds: float, function: Callable[..., None], *arguments: Any) -> Any:
    """Calls a function in a new green thread after a delay. Returns a timer with ``cancel()``.

    Cheaper than a sleeping green thread: a cancelled timer causes no context switch.
    """
    return get_hub().schedule_call_global(seconds, eventlet.spawn_n, function, *arguments)


def run_in_thread(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Runs a blocking function in an operating-system thread of a pool; other green threads continue meanwhile."""
    return tpool.execute(function, *arguments, **options)


def wait_readable(descriptor: int) -> None:
    """Suspends the green thread until a file descriptor can be read."""
    trampoline(descriptor, read=True)


def wait_writable(descriptor: int) -> None:
    """Suspends the green thread until a file descriptor can be written to."""
    trampoline(descriptor, write=True)


def after_fork() -> None:
    """Gives a forked process its own event loop; otherwise it shares its parent's."""
    use_hub()


__all__ = [
    "Event",
    "Pool",
    "Semaphore",
    "Timeout",
    "after_fork",
    "call_later",
    "listen",
    "monkey_patch",
    "run_in_thread",
    "sleep",
    "spawn",
    "spawn_later",
    "wait_readable",
    "wait_writable",
    "wsgi",
]
