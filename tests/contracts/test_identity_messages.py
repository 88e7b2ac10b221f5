"""What identity has published or stored once, it can read and says the same way for ever.

``golden/identity/<Message>.v1.json`` is a message's data, ``golden/identity/stored/<Aggregate>.<Event>.v1.json`` an
event as it lies in the log. A sample is never edited: a change of shape is a new version beside it.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.identity.domain.accounts import Account, Structure, Suspension
from services.identity.domain.checks import Item, Outcome
from services.identity.domain.eligibility import Kind
from services.identity.domain.offerers import Offerer
from services.identity.publishing import publication
from shared.contracts.identity import MESSAGES
from shared.eventstore.mapper import EventMapper

GOLDEN = Path(__file__).parent / "golden" / "identity"
AT = datetime(2021, 11, 2, 9, tzinfo=UTC)
STREAM = UUID("3f0c5a0e-9d1f-4f6a-8c1b-7e110000aaaa")
MONTPELLIER = Structure("213401722", "COMMUNE DE MONTPELLIER", "1 PLACE GEORGES FRECHE", "34000", "MONTPELLIER")
ITEMS = (Item("document-number", Outcome.OK), Item("last-name", Outcome.SUSPICIOUS, "differs from the account"))
DIGEST = "5c1d" * 16
SEALED = "bm90aGluZyB0aGF0IGNhbiBiZSByZWFk"


def event(event_class: type, /, **fields: Any) -> Any:
    return event_class(originator_id=STREAM, originator_version=2, timestamp=AT, number=7, **fields)


EVENTS = [
    event(
        Account.Opened,
        roles=("pro",),
        email_digest=DIGEST,
        sealed=SEALED,
        structure=MONTPELLIER,
        originator_topic="services.identity.domain.accounts:Account",
    ),
    event(Account.EmailConfirmed),
    event(Account.EmailChanged, email_digest=DIGEST, sealed=SEALED),
    event(Account.PasswordChanged),
    event(Account.PhoneCodeSent, sealed=SEALED, sealed_code=SEALED),
    event(Account.PhoneCodeRefused),
    event(Account.PhoneConfirmed, phone_digest=DIGEST),
    event(
        Account.IdentityChecked,
        check=4,
        kind=Kind.AGE_18,
        outcome=Outcome.SUSPICIOUS,
        items=ITEMS,
        person_digest=DIGEST,
        document_digest=DIGEST,
        sealed_declared=SEALED,
    ),
    event(Account.IdentityReviewed, check=4, kind=Kind.AGE_18, accepted=True, reason="married name"),
    event(Account.ProfileChanged, sealed=SEALED),
    event(Account.Activated, kind=Kind.UNDERAGE, age=16, birth_date=date(2005, 3, 1), department_code="80"),
    event(Account.BirthdayReached, age=17),
    event(Account.Suspended, reason=Suspension.FRAUD),
    event(Account.Unsuspended, reason="mistake"),
    event(Account.Erased),
    event(Offerer.Registered, structure=MONTPELLIER, originator_topic="services.identity.domain.offerers:Offerer"),
    event(Offerer.AttachmentRequested, attachment=2, account=8),
    event(Offerer.Attached, attachment=2, account=8),
    event(Offerer.AttachmentRejected, attachment=2, reason="unknown"),
    event(Offerer.Detached, attachment=2, account=8),
    event(Offerer.Validated),
    event(Offerer.Rejected, reason="not cultural"),
    event(Offerer.Closed, reason="ceased"),
    event(Offerer.ApiKeyCreated, prefix="pc_0123456789ab", digest=DIGEST, account=8),
    event(Offerer.ApiKeyDeleted, prefix="pc_0123456789ab", account=8),
]
PUBLISHED = [event for event in EVENTS if publication.includes(type(event))]
MAPPER = EventMapper([Account, Offerer])


def named(event: Any) -> str:
    return str(type(event).__qualname__)


def sample(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_every_message_has_a_schema_and_a_sample() -> None:
    assert publication.names() == set(MESSAGES)
    samples = {path.name for path in GOLDEN.glob("*.json")}
    assert samples == {f"{name}.v{version}.json" for name, version in MESSAGES}


@pytest.mark.parametrize("published", PUBLISHED, ids=named)
def test_messages_are_said_as_ever(published: Any) -> None:
    name, [(version, data)] = publication.translate(published)
    assert data == sample(GOLDEN / f"{name}.v{version}.json")
    assert MESSAGES[name, version]().load(data) == data


def test_an_activation_at_18_gives_no_birth_date() -> None:
    activated = event(Account.Activated, kind=Kind.AGE_18, age=18, birth_date=None, department_code="80")
    name, [(version, data)] = publication.translate(activated)
    assert data["birthDate"] is None
    assert MESSAGES[name, version]().load(data) == data


def test_every_stored_event_has_a_sample() -> None:
    assert {type(event) for event in EVENTS} == {kind for kind in MAPPER.kinds() if kind.__name__ != "Created"}


@pytest.mark.parametrize("stored", EVENTS, ids=named)
def test_stored_events_are_read_as_ever(stored: Any) -> None:
    state = (GOLDEN / "stored" / f"{named(stored)}.v1.json").read_text("utf-8")
    read = MAPPER.decode(STREAM, 2, named(stored), state)
    assert vars(read) == vars(stored)
    assert json.loads(MAPPER.encode(stored)[1]) == json.loads(state)
