"""What was stored or published once is read and published the same way for ever (the samples: ``golden.py``)."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from marshmallow import ValidationError

from services.identity.domain.accounts import Account
from services.identity.domain.eligibility import Kind
from services.wallet.domain.wallet import Wallet
from shared.contracts.messages import MESSAGES, known_fields
from tests.contracts.events import identity, payout, wallet
from tests.contracts.golden import FOLDER, HOW_TO_ADD, Golden, golden, lost

SERVICES = list(MESSAGES)
ABSTRACT = {"Created", "Entered", "Fact", "Later", "Moved", "Paid"}
"""What concrete events derive from, and the library's own."""
EVENTS = [(service, event) for service in SERVICES for event in golden(service).events]
PUBLISHED = [(service, event) for service, event in EVENTS if golden(service).published(event)]
OLDER_SHAPES = [
    (service, event, number) for service, event in EVENTS for number in range(len(golden(service).stored(event)))
]


@pytest.mark.parametrize("service", SERVICES)
def test_everything_has_a_sample(service: str) -> None:
    found = golden(service)
    kinds = {kind.__qualname__ for kind in found.mapper.kinds() if kind.__name__ not in ABSTRACT}
    without_example = sorted(kinds - set(found.events))
    assert without_example == [], f"no example of {without_example}: add one to tests/contracts/events/{service}.py"
    assert found.missing() == [], f"no sample of {', '.join(found.missing())}: {HOW_TO_ADD}"


@pytest.mark.parametrize("service", SERVICES)
def test_every_published_message_has_a_schema_and_every_schema_a_message(service: str) -> None:
    assert golden(service).publication.names() == set(MESSAGES[service])


@pytest.mark.parametrize("service", SERVICES)
def test_all_events_of_a_message_are_published_in_the_same_versions(service: str) -> None:
    """A consumer of a version gets it for every one of them."""
    versions: dict[str, set[tuple[int, ...]]] = {}
    for event in golden(service).events:
        for name in {name for name, _, _ in golden(service).published(event)}:
            of_event = tuple(version for _, version, _ in golden(service).published(event))
            versions.setdefault(name, set()).add(of_event)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


# --- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "event"), PUBLISHED)
def test_a_published_version_never_changes(service: str, event: str) -> None:
    for name, version, data in golden(service).published(event):
        sample = golden(service).message(event, name, version)
        assert sample is not None, f"no sample of {service} {name} v{version}: {HOW_TO_ADD}"
        assert data == sample, (
            f"{service} {name} v{version} is not published as before: a published version never changes, "
            f"so publish version {version + 1} beside it"
        )
        assert MESSAGES[service][name, version]().load(data) == data


@pytest.mark.parametrize(("service", "event"), PUBLISHED)
def test_an_event_of_any_age_is_published_in_every_version(service: str, event: str) -> None:
    found = golden(service)
    for state in found.stored(event):
        name, versions = found.publication.translate(found.decoded(event, state))
        for number, data in versions:
            assert MESSAGES[service][name, number]().load(data) == data


def misread(service: str, versions: list[tuple[str, int, dict[str, Any]]]) -> list[str]:
    """Versions of one event that a schema of an older one admits, and that say another thing in its fields."""
    found = []
    for name, older, data in versions:
        for _, newer, newer_data in versions:
            if older < newer:
                try:
                    read = known_fields(MESSAGES[service][name, older], newer_data)
                except ValidationError:
                    continue
                if read != data:
                    found.append(f"{name} v{newer} as v{older}")
    return found


@pytest.mark.parametrize(("service", "event"), PUBLISHED)
def test_a_newer_version_that_an_older_schema_admits_means_the_same(service: str, event: str) -> None:
    """A consumer that knows the older one alone reads the newer by its schema: another meaning is another field."""
    assert misread(service, golden(service).published(event)) == [], "another meaning needs another name"


def test_the_same_field_in_other_units_is_found() -> None:
    """The control."""
    [(name, version, data)] = golden("wallet").published("Wallet.Reserved")
    in_euros = {**data, "amountCents": data["amountCents"] // 100}
    assert misread("wallet", [(name, version, data), (name, 2, in_euros)]) == ["CreditReserved v2 as v1"]
    assert misread("wallet", [(name, version, data), (name, 2, {**data, "more": 1})]) == []
    assert misread("wallet", [(name, version, data), (name, 2, {**data, "amountCents": "25.50 €"})]) == []


@pytest.mark.parametrize(
    ("service", "event", "name", "wrong"),
    [
        *(
            ("booking", "Booking.Confirmed", "BookingCreated", wrong)
            for wrong in (
                {"totalCents": 12.5},
                {"quantity": 0},
                {"bookedAt": "2021-11-02"},
                {"more": 1},
                {"beginningAt": 5},
            )
        ),
        *(
            ("wallet", "Wallet.Reserved", "CreditReserved", wrong)
            for wrong in (
                {"amountCents": 12.5},
                {"amountCents": "300"},
                {"personId": 0},
                {"at": "2021-11-02"},
                {"more": 1},
            )
        ),
    ],
    ids=str,
)
def test_what_only_looks_like_a_message_is_refused(service: str, event: str, name: str, wrong: dict[str, Any]) -> None:
    data = golden(service).message(event, name, 1)
    assert data is not None
    with pytest.raises(ValidationError):
        MESSAGES[service][name, 1]().load({**data, **wrong})


def test_a_recredit_is_a_grant_that_says_so() -> None:
    name, [(version, data)] = golden("wallet").publication.translate(wallet.event(Wallet.Recredited, **wallet.RECREDIT))
    assert (name, data["recredit"], data["amountCents"]) == ("CreditGranted", True, 30_00)
    assert MESSAGES["wallet"][name, version]().load(data) == data


def test_an_activation_at_18_gives_no_birth_date() -> None:
    activated = identity.event(Account.Activated, kind=Kind.AGE_18, age=18, birth_date=None, department_code="80")
    name, [(version, data)] = golden("identity").publication.translate(activated)
    assert data["birthDate"] is None
    assert MESSAGES["identity"][name, version]().load(data) == data


# --- stored events ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "event"), EVENTS)
def test_an_event_is_stored_as_its_newest_sample(service: str, event: str) -> None:
    found = golden(service)
    assert found.shape_is_known(event), f"no sample of {service} {event} as it is stored: {HOW_TO_ADD}"
    newest = found.stored(event)[-1]
    assert found.encoded(event) == newest, f"{service} {event}: samples are never edited, leave the example as it was"
    assert vars(found.decoded(event, newest)) == vars(found.events[event])


@pytest.mark.parametrize(("service", "event", "number"), OLDER_SHAPES)
def test_every_shape_that_was_ever_stored_is_read(service: str, event: str, number: int) -> None:
    """Nothing of it is lost, and what it lacks has a default: today's code finds every field."""
    found = golden(service)
    state = found.stored(event)[number]
    read = found.decoded(event, state)
    missing = [field for field in vars(found.events[event]) if not hasattr(read, field)]
    assert missing == [], f"{service} {event} was stored without {missing}: give them defaults, or an upcast"
    is_upcast = state.get("class_version", 1) < getattr(type(read), "class_version", 1)
    again = json.loads(found.mapper.encode(read)[1])
    assert is_upcast or lost(state, again) == [], f"{service} {event}: what was stored is not read any more"


def test_an_entry_of_before_delays_were_counted_is_read_without_one() -> None:
    oldest, newest = golden("payout").stored("EstablishmentYear.BookingEntered")
    read = golden("payout").decoded("EstablishmentYear.BookingEntered", oldest)
    now = golden("payout").events["EstablishmentYear.BookingEntered"]
    assert newest["class_version"] == 2
    assert now.counted_from == date(2021, 11, 8)
    assert vars(read) == {**vars(now), "counted_from": None}


# --- the samples themselves -------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Golden:
    shutil.copyfile(FOLDER / "payout.json", tmp_path / "payout.json")
    return Golden("payout", tmp_path)


def test_what_is_missing_is_named_and_added_and_what_is_there_stays(copy: Golden) -> None:
    before = json.dumps(copy.samples)
    copy.add_missing()
    assert json.dumps(Golden("payout", copy.path.parent).samples) == before
    del copy.samples["PayoutBatch.TransferSent"]["TransferSent"]
    del copy.samples["EstablishmentYear.BookingEntered"]["stored"][1]
    assert copy.missing() == [
        "payout EstablishmentYear.BookingEntered as it is stored",
        "payout TransferSent v1",
    ]
    copy.add_missing()
    assert copy.missing() == []
    assert Golden("payout", copy.path.parent).samples == golden("payout").samples


def test_an_event_with_another_field_has_another_shape(copy: Golden) -> None:
    kept = copy.samples["PayoutBatch.TransferSent"]["stored"][0]
    copy.samples["PayoutBatch.TransferSent"]["stored"][0] = {**kept, "amount": -5}
    assert copy.missing() == [], "another value is no other shape"
    del copy.samples["PayoutBatch.TransferSent"]["stored"][0]["amount"]
    assert copy.missing() == ["payout PayoutBatch.TransferSent as it is stored"]


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        ({"a": {"b": [1, 2]}, "c": None}, []),
        ({"a": {"b": [1, 2], "new": 1}, "c": None, "more": 0}, []),
        ({"a": {"b": [1, 3]}, "c": None}, [".a.b[]"]),
        ({"a": {"b": [1]}, "c": None}, [".a.b"]),
        ({"a": {}, "c": 1}, [".a.b", ".c"]),
    ],
    ids=str,
)
def test_the_control_of_what_is_lost(again: Any, expected: list[str]) -> None:
    assert lost({"a": {"b": [1, 2]}, "c": None}, again) == expected


def test_payout_s_example_of_a_correction_has_a_sample_of_its_own() -> None:
    """Two events may be one message: each has its own sample of it."""
    found = golden("payout")
    assert payout.FIX.corrects == 31
    priced = found.message("EstablishmentYear.Priced", "BookingPriced", 1)
    corrected = found.message("EstablishmentYear.Corrected", "BookingPriced", 1)
    assert priced is not None and corrected is not None
    assert (priced["corrects"], corrected["corrects"]) == (None, 31)
