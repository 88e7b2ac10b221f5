"""Writes what the code knows best: ``docs/openapi.json`` and ``docs/settings.md``. ``--check`` compares instead."""

from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402  # the patch comes first
from pathlib import Path  # noqa: E402
from typing import Any, cast  # noqa: E402

from services.gateway.web.application import create_application  # noqa: E402
from services.gateway.web.gate import Gate  # noqa: E402
from shared.runtime.settings import SETTINGS  # noqa: E402

DOCS = Path(__file__).parent


def openapi() -> bytes:
    """As ``GET /openapi.json`` answers it: no route is called, so nothing stands behind the gate."""
    application = create_application(cast(Gate, _Nothing()))
    return cast(bytes, application.test_client().get("/openapi.json").data) + b"\n"


def settings() -> bytes:
    rows = [
        f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |"
        for name, (default, meaning) in SETTINGS.items()
    ]
    head = ["# Settings", "", "From the environment; `passculture settings` lists those in force.", ""]
    table = ["| Setting | Default | Meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(head + table).encode()


class _Nothing:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a document needs no {name}")


def main() -> None:
    documents = {DOCS / "openapi.json": openapi(), DOCS / "settings.md": settings()}
    if "--check" not in sys.argv[1:]:
        for path, content in documents.items():
            path.write_bytes(content)
        return
    stale = [path.name for path, content in documents.items() if not path.exists() or path.read_bytes() != content]
    if stale:
        sys.exit(f"out of date: {', '.join(stale)} (make docs writes them)")


if __name__ == "__main__":
    main()
