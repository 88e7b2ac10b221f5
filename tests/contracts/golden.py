"""Golden samples: every stored event and every message, in every shape and version that ever was.

``golden/<service>.json`` has for each event of the service

- ``stored``: the shapes in which it lies in logs, the oldest first; the last is that of today's release. A shape gets
  another one beside it when the event gets a field with a default, or another ``class_version``.
- ``<message>``: the data of its message by version, if it is published.

A sample is never edited. ``python -m tests.contracts.golden`` adds those that are missing, made from the examples in
``events/<service>.py``: look at them before they are committed.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from services.gateway.projections.catalogue import rendering
from shared.contracts.messages import MESSAGES
from shared.eventstore import Publication
from shared.eventstore.mapper import EventMapper

FOLDER = Path(__file__).parent / "golden"
HOW_TO_ADD = "run `.venv/bin/python -m tests.contracts.golden` to add it, then look at it"


class Golden:
    """The samples of one service, and what the release of today makes of its examples."""

    def __init__(self, service: str, folder: Path = FOLDER) -> None:
        self.service = service
        self.path = folder / f"{service}.json"
        examples = import_module(f"tests.contracts.events.{service}")
        self.events: dict[str, Any] = {type(event).__qualname__: event for event in examples.EVENTS}
        self.publication: Publication = import_module(f"services.{service}.publishing").publication
        self.mapper = EventMapper(examples.AGGREGATES)
        self.samples: dict[str, dict[str, Any]] = json.loads(self.path.read_text("utf-8"))

    def stored(self, event: str) -> list[dict[str, Any]]:
        """Every shape in which the event was ever stored, the oldest first."""
        return list(self.samples.get(event, {}).get("stored", []))

    def messages(self) -> list[tuple[str, str, int, dict[str, Any]]]:
        """(event, message, version, data) of every sample of a message."""
        return [
            (event, name, int(version), data)
            for event, sample in self.samples.items()
            for name, versions in sample.items()
            if name != "stored"
            for version, data in versions.items()
        ]

    def message(self, event: str, name: str, version: int) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.samples.get(event, {}).get(name, {}).get(str(version))
        return found

    def encoded(self, event: str) -> dict[str, Any]:
        """The example as it is stored today."""
        state: dict[str, Any] = json.loads(self.mapper.encode(self.events[event])[1])
        return state

    def decoded(self, event: str, state: dict[str, Any]) -> Any:
        """A stored shape as it is read today."""
        example = self.events[event]
        return self.mapper.decode(example.originator_id, example.originator_version, event, json.dumps(state))

    def published(self, event: str) -> list[tuple[str, int, dict[str, Any]]]:
        """(message, version, data) of the example as it is published today."""
        if not self.publication.includes(type(self.events[event])):
            return []
        name, versions = self.publication.translate(self.events[event])
        return [(name, number, json.loads(json.dumps(data))) for number, data in versions]

    def missing(self) -> list[str]:
        """Names of what has no sample yet."""
        found = [f"{self.service} {event} as it is stored" for event in self.events if not self.shape_is_known(event)]
        for event in self.events:
            for name, version, _ in self.published(event):
                if self.message(event, name, version) is None:
                    found.append(f"{self.service} {name} v{version}")
        return found

    def shape_is_known(self, event: str) -> bool:
        """Whether the event is stored today in a shape that there is a sample of."""
        return shape(self.encoded(event)) in map(shape, self.stored(event))

    def add_missing(self) -> None:
        for event in self.events:
            sample = self.samples.setdefault(event, {"stored": []})
            if not self.shape_is_known(event):
                sample["stored"].append(self.encoded(event))
            for name, version, data in self.published(event):
                sample.setdefault(name, {}).setdefault(str(version), data)
        self.path.write_text(json.dumps(self.samples, ensure_ascii=False, indent=2) + "\n", "utf-8")


def shape(value: Any) -> Any:
    """The keys of a JSON value, and of what is in it; whatever else it holds counts for nothing."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()} | (
            {"class_version": value["class_version"]} if "class_version" in value else {}
        )
    return [shape(value[0])] if isinstance(value, list) and value else None


def lost(stored: Any, again: Any, where: str = "") -> list[str]:
    """Where a JSON value does not hold what another one holds."""
    if isinstance(stored, dict) and isinstance(again, dict):
        return [one for key, value in stored.items() for one in lost(value, again.get(key, "absent"), f"{where}.{key}")]
    if isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        return [one for pair in zip(stored, again, strict=True) for one in lost(*pair, f"{where}[]")]
    return [] if stored == again else [where]


@cache
def golden(service: str) -> Golden:
    return Golden(service)


RENDERINGS = FOLDER / "gateway.json"
"""The body of the example offer in every rendering of the gateway's catalogue, by its number."""


def renderings() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RENDERINGS.read_text("utf-8"))["renderings"]
    return found


def rendered() -> dict[str, Any]:
    """The example offer in the example venue, as the gateway renders it today."""
    offer, venue = (golden("catalog").published(event)[0][2] for event in ("Offer.Published", "Venue.Opened"))
    body: dict[str, Any] = json.loads(rendering.stored_body(offer, venue))
    return body


def main() -> None:
    for service in MESSAGES:
        found = golden(service)
        for name in found.missing():
            print(f"added: {name}")  # noqa: T201  # a command
        found.add_missing()
    known = renderings()
    if str(rendering.RENDERING) not in known:
        print(f"added: rendering {rendering.RENDERING}")  # noqa: T201
        known[str(rendering.RENDERING)] = rendered()
        RENDERINGS.write_text(json.dumps({"renderings": known}, ensure_ascii=False, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
