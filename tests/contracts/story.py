"""The golden samples of all services as one short story, and services that read it from the logs of the others.

A structure, its venue, an offer and a stock, a person with a credit, a booking and its payment.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from shared.contracts.messages import MESSAGES
from shared.eventstore import Message
from shared.eventstore.context import caused_by
from shared.hosting.platform import service_class
from shared.kernel.time import SettableClock, parse_instant
from shared.messaging import dead_letters
from shared.runtime.settings import Settings
from shared.testing import BusDouble, empty_database
from tests.contracts.golden import golden

CONSUMERS = ("booking", "catalog", "gateway", "payout", "wallet")
START = "2021-11-16T09:00:00Z"
WHEN_IT_WAS_DUE = {"activatedAt": "2022-02-01T09:00:00Z"}
"""At 16 there was no credit yet on the day of the sample."""
Story = dict[str, list[Message]]
"""By source."""
Sample = tuple[str, str, str, int, dict[str, Any]]
"""(source, event, message, version, data)."""
SAMPLES: list[Sample] = [(source, *sample) for source in MESSAGES for sample in golden(source).messages()]


def story(instead: Sample | None = None) -> Story:
    """Every message in its newest version, in the order of the examples, each on a stream of its own.

    ``instead``: a sample that takes the place of the newest version of its event.
    """
    found: Story = {source: [] for source in MESSAGES}
    for source, log in found.items():
        for event in golden(source).events:
            for name, version, data in golden(source).published(event)[:1]:
                if instead is not None and instead[:3] == (source, event, name):
                    _, _, _, version, data = instead
                if name == "BeneficiaryActivated":
                    data = {**data, **WHEN_IT_WAS_DUE}
                position = len(log) + 1
                log.append(
                    Message(
                        id=f"{source}:story:{position}",
                        source=source,
                        name=name,
                        version=version,
                        stream=event,
                        stream_version=1,
                        position=position,
                        previous=position - 1,
                        epoch="story",
                        occurred_at=parse_instant(START),
                        recorded_at=parse_instant(START),
                        causation_id="story",
                        correlation_id="story",
                        data=data,
                    )
                )
    return found


class Reader:
    """A service that has read a story from empty tables on."""

    def __init__(self, name: str, folder: Path, told: Story) -> None:
        folder.mkdir()
        settings = Settings.from_environment({"STATE_DIR": str(folder), "CLOCK": START, "RANDOM_SEED": "1"})
        self.clock = SettableClock(parse_instant(START))
        self.bus = BusDouble({(source, "log"): self._log_of(log) for source, log in told.items()})
        self._engine = empty_database(folder, name)
        self.service = service_class(name).build(settings, self.clock, self.bus, self._engine)  # type: ignore[attr-defined]
        self.process = self.bus.add(self.service, self.clock)
        for source in [source for source in MESSAGES if source in self.process.consumers]:
            if (name, source) == ("wallet", "booking") and told["identity"] and not self.dead_letters():
                self._reserve()
            self.process.catch_up(source)

    @staticmethod
    def _log_of(log: Sequence[Message]) -> Any:
        def read(data: dict[str, Any], _caller: Any) -> dict[str, Any]:
            later = [message.to_wire() for message in log if message.position > data["after"]]
            return {"epoch": "story", "messages": later[: data["limit"]]}

        return read

    def _reserve(self) -> None:
        """Booking asks for the credit by command, before it publishes anything."""
        data = golden("booking").published("Booking.Confirmed")[0][2]
        asked = {name: data[name] for name in ("bookingId", "attempt", "personId")}
        asked |= {"amountCents": data["totalCents"], "digital": False, "physical": False}
        with caused_by("story", "story"):
            self.bus.send_command("wallet", "reserve", asked)

    def reacts_to(self, message: Message) -> bool:
        return self.service.reactions.concern(message)

    def dead_letters(self) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            return dead_letters.listed(connection)

    def rows(self) -> dict[str, list[str]]:
        """Everything that it has written about the story, but for when."""
        metadata = sa.MetaData()
        found = {}
        with self._engine.connect() as connection:
            metadata.reflect(connection)
            for table in metadata.sorted_tables:
                kept = [column for column in table.columns if column.name != "recorded_at"]
                if table.name not in ("store_facts", "dead_letters") and kept:
                    found[table.name] = sorted(str(tuple(row)) for row in connection.execute(sa.select(*kept)))
        return found

    def close(self) -> None:
        self._engine.dispose()
