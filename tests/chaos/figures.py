"""What was measured, for `docs/reliability.md`: each test notes a line or more under its topic."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Figures:
    notes: dict[str, list[str]] = field(default_factory=dict)

    def note(self, topic: str, text: str) -> None:
        self.notes.setdefault(topic, []).append(text)
