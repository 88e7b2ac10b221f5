"""Today's consumers handle every version of every message that they react to, and newer ones as far as they can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.messages import MESSAGES
from shared.eventstore import Message
from tests.contracts.golden import golden
from tests.contracts.story import CONSUMERS, SAMPLES, Reader, Sample, Story, story


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
    assert all(" version 99 is not understood: version " in letter["error"] for letter in letters.values())
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
