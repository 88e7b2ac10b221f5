"""TCP proxies in a separate process, between services and servers. A test can interrupt each in one of three pumps.

``refuse``: closes the listener and resets all connections, as when a server dies. ``silence``: connections stay open
and nothing is forwarded, as in a network partition; restoring resets them. ``pause``: like silence, but restoring
forwards the buffered data and the connections continue.
Requests: ``{"cut": names, "how": …}``, ``{"restore": names}``; the reply is ``null`` once it is in force.
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

from tests.helper_process import HelperProcess, reply

CHUNK = 65536
_NO_LINGER = struct.pack("ii", 1, 0)
"""For SO_LINGER: close with a reset (RST)."""
Address = tuple[str, int]


class Proxies(HelperProcess):
    """``ports``: the listening port of each proxy, by name."""

    def __init__(self, targets: Mapping[str, Address]) -> None:
        super().__init__("chaos.proxy")
        self.ports: dict[str, int] = self.request(dict(targets))

    def cut(self, names: Sequence[str], how: str) -> None:
        self.request({"cut": list(names), "how": how})

    def restore(self, names: Sequence[str]) -> None:
        self.request({"restore": list(names)})


class _Proxy:
    def __init__(self, target: Address) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._forwarding = asyncio.Event()
        self._forwarding.set()
        self._how = ""
        self._server: asyncio.Server | None = None
        self._bound = _reserve(0)
        self.port: int = self._bound.getsockname()[1]

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._carry, sock=self._bound)

    async def cut(self, how: str) -> None:
        self._forwarding.clear()
        self._how = how
        if how == "refuse" and self._server is not None:
            self._server.close()
            self._server = None
            self._bound = _reserve(self.port)
            await self._reset()

    async def restore(self) -> None:
        if self._how != "pause":
            await self._reset()
        self._forwarding.set()
        if self._server is None:
            await self.listen()

    async def _reset(self) -> None:
        """Both peers have received the reset when this returns."""
        for writer in list(self._open):
            with suppress(OSError):  # already closed
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            writer.transport.abort()
        for _ in range(2):  # a transport closes its socket in the next iteration of the loop
            await asyncio.sleep(0)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        upstream_writer: asyncio.StreamWriter | None = None
        try:
            await self._forwarding.wait()
            if writer.is_closing():  # the client gave up meanwhile: do not connect to the server for it
                return
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
            self._open.add(upstream_writer)
            pumps = [
                asyncio.create_task(self._pump(reader, upstream_writer)),
                asyncio.create_task(self._pump(upstream_reader, writer)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
        except OSError:
            pass
        finally:
            for end in (writer, upstream_writer):
                if end is not None:
                    self._open.discard(end)
                    end.close()  # data in transit still arrives

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._forwarding.wait()
                writer.write(data)
                await writer.drain()


def _reserve(port: int) -> socket.socket:
    """A socket bound to a port, not listening: reserves the port."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", port))
    return reserved


async def serve() -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    proxies = {name: _Proxy((host, port)) for name, (host, port) in json.loads(await lines.readline()).items()}
    for proxy in proxies.values():
        await proxy.listen()
    reply({name: proxy.port for name, proxy in proxies.items()})
    while line := await lines.readline():
        request = json.loads(line)
        for name in request.get("cut", ()):
            await proxies[name].cut(request["how"])
        for name in request.get("restore", ()):
            await proxies[name].restore()
        reply(None)
    os._exit(0)  # without closing connections


if __name__ == "__main__":
    asyncio.run(serve())
