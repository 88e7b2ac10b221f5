"""French typography, for texts that people read."""

from __future__ import annotations

import re

NO_BREAK = "\u00a0"
_BREAKABLE = re.compile(r" (?=[:;!?»€])|(?<=«) ")


def no_break(text: str) -> str:
    """With no-break spaces before ``: ; ! ? » €`` and after ``«``, where a line must not end."""
    return _BREAKABLE.sub(NO_BREAK, text)
