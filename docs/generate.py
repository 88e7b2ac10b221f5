"""Writes what the code knows best: interface, messages, settings. ``--check`` compares instead."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

from docs.asyncapi import document
from services.gateway.web.application import create_application
from services.gateway.web.gate import Gate
from shared.runtime import logging as logs
from shared.runtime.settings import SETTINGS

DOCS = Path(__file__).parent


def openapi() -> bytes:
    """As ``GET /openapi.json`` answers it: no route is called, so nothing stands behind the gate."""
    logs.configure("warning", "docs")
    application = create_application(cast(Gate, _Nothing()))
    return cast(bytes, application.test_client().get("/openapi.json").data) + b"\n"


def asyncapi() -> bytes:
    return json.dumps(document(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


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
    # asyncapi.json is a link to where the gateway, which serves it, keeps its pages
    documents = {
        DOCS / "openapi.json": openapi(),
        DOCS / "asyncapi.json": asyncapi(),
        DOCS / "settings.md": settings(),
    }
    if "--check" not in sys.argv[1:]:
        for path, content in documents.items():
            path.write_bytes(content)
        return
    stale = [path.name for path, content in documents.items() if not path.exists() or path.read_bytes() != content]
    if stale:
        sys.exit(f"out of date: {', '.join(stale)} (make docs writes them)")


if __name__ == "__main__":
    main()
