"""Accepts connections, bounded in number: in all, and from one address."""

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
"""After the system could not give a connection: for want of files or memory, which others may free."""
FILES_FOR_THE_REST = 256
"""Of the process's open files, for databases, the broker, what is read and written."""
MAX_TURNED_AWAY = 100
"""At a time, with an answer; more than these are closed without one."""


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
        """In the order in which they became idle."""
        self._turned_away: dict[Connection, Any] = {}

    def serve(self, listener: Any) -> None:
        """Until the green thread is killed: no error of accepting ends it."""
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
                green.sleep(0)  # those who were admitted take turns with those who come

    def stop(self) -> None:
        """Ends all connections, whatever they are doing."""
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
        """For another connection of this address; if need be the one that has been idle longest makes room."""
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
            connection.turn_away(TooManyConnections("too many connections are open"))
        finally:
            del self._turned_away[connection]


def _files_for(connections: int) -> int:
    """How many connections the process may have open files for; its soft limit is raised as far as it may be."""
    wanted = connections + FILES_FOR_THE_REST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(1, soft - FILES_FOR_THE_REST)
