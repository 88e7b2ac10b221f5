"""TCP proxies in a process of their own: between each service and each server, to be cut in one of three ways.

``refuse``: nobody listens any more and what was connected is reset, as when a server dies. ``silence``: connections
stay and nothing comes through, as when a network swallows everything; they are reset when it ends. ``pause``: as in
silence, but those that are there at its end go on, with what was held back.
Asked: ``{"cut": names, "how": …}``, ``{"restore": names}``; each is answered ``null`` once it is in force.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from tests.attendant import Attendant, answer

CHUNK = 65536
_AT_ONCE = struct.pack("ii", 1, 0)
"""For SO_LINGER: a reset instead of a farewell."""
Address = tuple[str, int]


class Proxies(Attendant):
    """``ports``: by name, where each proxy listens."""

    def __init__(self, targets: Mapping[str, Address]) -> None:
        super().__init__("chaos.proxy")
        self.ports: dict[str, int] = self.ask(dict(targets))

    def cut(self, names: Sequence[str], how: str) -> None:
        self.ask({"cut": list(names), "how": how})

    def restore(self, names: Sequence[str]) -> None:
        self.ask({"restore": list(names)})


class _Proxy:
    def __init__(self, target: Address) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._how = ""
        self._server: asyncio.Server | None = None
        self._place = _taken(0)
        self.port: int = self._place.getsockname()[1]

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._carry, sock=self._place)

    async def cut(self, how: str) -> None:
        self._speaks.clear()
        self._how = how
        if how == "refuse" and self._server is not None:
            self._server.close()
            self._server = None
            self._place = _taken(self.port)
            await self._reset()

    async def restore(self) -> None:
        if self._how != "pause":
            await self._reset()
        self._speaks.set()
        if self._server is None:
            await self.listen()

    async def _reset(self) -> None:
        """Both ends know it when this returns."""
        for writer in list(self._open):
            with suppress(OSError):  # it is closed already
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort()
        for _ in range(2):  # a transport closes its socket in the loop's next round
            await asyncio.sleep(0)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            await self._speaks.wait()
            if writer.is_closing():  # whoever gave up in the silence is not connected after it, all of them at once
                return
            back, there = await asyncio.open_connection(*self._target)
            self._open.add(there)
            ways = [asyncio.create_task(self._pump(reader, there)), asyncio.create_task(self._pump(back, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        except OSError:
            pass
        finally:
            for end in (writer, there):
                if end is not None:
                    self._open.discard(end)
                    end.close()  # what is on its way still arrives

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._speaks.wait()
                writer.write(data)
                await writer.drain()


def _taken(port: int) -> socket.socket:
    """A place where nobody listens, and that nobody else takes meanwhile."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", port))
    return place


async def serve() -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    proxies = {name: _Proxy((host, port)) for name, (host, port) in json.loads(await lines.readline()).items()}
    for proxy in proxies.values():
        await proxy.listen()
    answer({name: proxy.port for name, proxy in proxies.items()})
    while line := await lines.readline():
        request = json.loads(line)
        for name in request.get("cut", ()):
            await proxies[name].cut(request["how"])
        for name in request.get("restore", ()):
            await proxies[name].restore()
        answer(None)
    os._exit(0)  # with whatever is still open


if __name__ == "__main__":
    asyncio.run(serve())
