"""Today's consumers handle every version of every message that they react to, and newer ones as far as they can.

The golden samples of all services are one short story: a structure, its venue, an offer and a stock, a person with a
credit, a booking and its payment. A service reads it from the logs of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
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
            self.bus.command("wallet", "reserve", asked)

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


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Any]:
    made: list[Reader] = []

    def make(name: str, told: Story) -> Reader:
        made.append(Reader(name, tmp_path / str(len(made)), told))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[str]]]:
    """By consumer, what it writes when it reads the story as it is published today."""
    found = {}
    for name in CONSUMERS:
        reader = Reader(name, tmp_path_factory.mktemp("straight") / name, story())
        assert reader.dead_letters() == []
        heard = {(source, one.name) for source, log in story().items() for one in log if reader.reacts_to(one)}
        assert heard == {(source, message) for source, message, _ in reader.service.reactions}
        found[name] = reader.rows()
        reader.close()
    return found


def changed(told: Story, change: Any) -> Story:
    """Every message as ``change`` makes it."""
    return {source: [change(message) for message in log] for source, log in told.items()}


def failures(read: Any, name: str, samples: Sequence[Sample]) -> list[str]:
    """Which of the samples a consumer does not handle, each in the place of the newest version of its event."""
    found = []
    for sample in samples:
        source, event, message, version, _ = sample
        told = story(sample)
        position = next(one.position for one in told[source] if one.stream == event)
        for letter in read(name, told).dead_letters():
            if (letter["source"], letter["position"]) == (source, position):
                found.append(f"{source} {message} v{version}: {letter['error']}")
    return found


@pytest.mark.parametrize("name", CONSUMERS)
def test_every_version_that_was_ever_published_is_handled(read: Any, straight: Any, name: str) -> None:
    """``straight`` shows it of the newest versions, this of the older ones."""
    assert straight[name]
    newest = {(source, event): golden(source).published(event)[0][1] for source, event, *_ in SAMPLES}
    older = [sample for sample in SAMPLES if sample[3] < newest[sample[:2]]]
    assert failures(read, name, older) == [], "keep a reaction to it as long as a dead letter may hold it"


def test_a_version_that_is_not_handled_is_found(read: Any) -> None:
    """The control: versions of a release that never was."""
    published = golden("catalog").message("Offer.Published", "OfferPublished", 1)
    assert published is not None
    readable = {**published, "colour": "red"}
    unreadable = {name: value for name, value in published.items() if name != "venueId"}
    samples: list[Sample] = [
        ("catalog", "Offer.Published", "OfferPublished", 0, data) for data in (readable, unreadable)
    ]
    (failure,) = failures(read, "gateway", samples)
    assert failure.startswith("catalog OfferPublished v0: OfferPublished version 0 is not understood")
    assert failures(read, "payout", samples) == [], "it does not react to offers"


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_newer_version_with_more_in_it_is_read_as_the_known_one(read: Any, straight: Any, name: str) -> None:
    def newer(message: Message) -> Message:
        return replace(message, version=99, data={**message.data, "more": {"in": ["it"]}})

    reader = read(name, changed(story(), newer))
    assert reader.dead_letters() == []
    assert reader.rows() == straight[name]


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_newer_version_that_says_something_else_is_parked_and_changes_nothing(read: Any, name: str) -> None:
    """Every field of another type, as its unit or its meaning might be another: nothing of it is misread."""

    def newer(message: Message) -> Message:
        return replace(message, version=99, data={key: {"was": value} for key, value in message.data.items()})

    told = changed(story(), newer)
    reader = read(name, told)
    concerning = [message for log in told.values() for message in log if reader.reacts_to(message)]
    letters = {(letter["source"], letter["position"]): letter for letter in reader.dead_letters()}
    assert set(letters) == {(message.source, message.position) for message in concerning}
    assert {letter["state"] for letter in letters.values()} == {"failed"}
    assert all(" version 99 is not understood: version 1, which is known" in one["error"] for one in letters.values())
    untouched = read(name, {source: [] for source in MESSAGES})
    apart = ("tracking", "sqlite_sequence")
    assert without(reader.rows(), apart) == without(untouched.rows(), apart)


def without(rows: dict[str, list[str]], tables: Sequence[str]) -> dict[str, list[str]]:
    return {table: found for table, found in rows.items() if table not in tables}


@pytest.mark.parametrize("name", CONSUMERS)
def test_read_models_of_other_services_react_to_whole_messages(read: Any, name: str) -> None:
    """With fewer versions of a message than the service, a rebuild would choose another one than the consumer did."""
    service = read(name, {source: [] for source in MESSAGES}).service
    for model in service.followed:
        messages = {key[:2] for key in model.reactions}
        assert set(model.reactions) == {key for key in service.reactions if key[:2] in messages}
