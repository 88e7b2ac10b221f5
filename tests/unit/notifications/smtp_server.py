"""An SMTP server (aiosmtpd) in a process of its own: ``smtp_server.py FOLDER PORT`` writes each mail to a file named
after its number and the client's port.

The recipient ``unknown@…`` gets a permanent error (550), ``busy@…`` a transient one (451).
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

_numbers = itertools.count(1)


class Mailbox:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_RCPT(self, _s: SMTP, _t: Session, envelope: Envelope, address: str, _o: list[str]) -> str:  # noqa: N802  # aiosmtpd's name
        if address.startswith("unknown@"):
            return "550 no such mailbox"
        if address.startswith("busy@"):
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        _host, port = session.peer or ("", 0)
        (self._folder / f"{next(_numbers):03d}-{port}.eml").write_bytes(envelope.original_content or b"")
        return "250 OK"


async def serve(folder: Path, port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Mailbox(folder), hostname="localhost"), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
