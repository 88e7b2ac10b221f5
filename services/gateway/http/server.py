"""Accepts connections, with a limit in all and per address."""

from __future__ import annotations

import resource
import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog

from services.gateway.http.connections import Connection, Refuse, Times, Wsgi
from services.gateway.http.refusals import TooManyConnections
from shared import green

log = structlog.get_logger()

MAX_CONNECTIONS = 4_000
BACKLOG = 1024
PAUSE_SECONDS = 0.1
"""After accept failed for want of file descriptors or memory, which others may free."""
FILES_FOR_THE_REST = 256
"""File descriptors of the process that are not client connections: databases, broker, files."""
MAX_TURNED_AWAY = 100
"""At a time, with a response; further connections are closed without one."""


@dataclass(frozen=True, slots=True)
class Limits:
    connections: int = MAX_CONNECTIONS
    connections_per_address: int = 1_000
    times: Times = field(default_factory=Times)


class Server:
    """Serves connections, each in a green thread of its own."""

    def __init__(self, application: Wsgi, refuse: Refuse, limits: Limits) -> None:
        self._application, self._refuse, self._limits = application, refuse, limits
        self.max_connections = min(limits.connections, _files_for(limits.connections))
        self._connections: dict[Connection, Any] = {}
        self._per_address: Counter[str] = Counter()
        self._idle: dict[Connection, None] = {}
        """Ordered by the start of their idle time."""
        self._turned_away: dict[Connection, Any] = {}

    def serve(self, listener: Any) -> None:
        """Runs until the green thread is killed; errors of accept do not end it."""
        failing = False
        while True:
            try:
                self._admit(*listener.accept())
            except OSError as error:
                if not failing:
                    log.warning("connections are not accepted", error=str(error), open=len(self._connections))
                failing = True
                green.sleep(PAUSE_SECONDS)
            else:
                failing = False
                green.sleep(0)  # lets the connections run

    def stop(self) -> None:
        """Closes all connections at once."""
        for thread in [*self._connections.values(), *self._turned_away.values()]:
            thread.kill()

    def _admit(self, sock: Any, peer: tuple[Any, ...]) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, peer, self._application, self._refuse, self._limits.times, self._note_idle)
        if self._has_room(connection.host):
            self._per_address[connection.host] += 1
            self._connections[connection] = green.spawn(self._serve, connection)
        elif len(self._turned_away) < MAX_TURNED_AWAY:
            self._turned_away[connection] = green.spawn(self._turn_away, connection)
        else:
            sock.close()

    def _has_room(self, host: str) -> bool:
        """Whether this address may open a connection; the one idle for longest is closed to make room."""
        if self._per_address[host] >= self._limits.connections_per_address:
            return self._interrupt_idle([one for one in self._idle if one.host == host])
        return len(self._connections) < self.max_connections or self._interrupt_idle(self._idle)

    def _interrupt_idle(self, candidates: Iterable[Connection]) -> bool:
        longest = next(iter(candidates), None)
        if longest is not None:
            del self._idle[longest]
            longest.interrupt()
        return longest is not None

    def _note_idle(self, connection: Connection, is_idle: bool) -> None:
        if is_idle:
            self._idle[connection] = None
        else:
            self._idle.pop(connection, None)

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        except Exception as error:
            log.error("connection failed", error=repr(error), exc_info=error)
        finally:
            del self._connections[connection]
            self._per_address[connection.host] -= 1
            if not self._per_address[connection.host]:
                del self._per_address[connection.host]

    def _turn_away(self, connection: Connection) -> None:
        try:
            connection.turn_away(TooManyConnections("Trop de connexions sont ouvertes : réessayez dans un instant."))
        finally:
            del self._turned_away[connection]


def _files_for(connections: int) -> int:
    """How many connections the limit on file descriptors allows, after raising the soft limit as far as possible."""
    wanted = connections + FILES_FOR_THE_REST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(1, soft - FILES_FOR_THE_REST)
