"""What wallet has published or stored once, it can read and says the same way for ever.

``golden/wallet/<Message>.v1.json`` is a message's data, ``golden/wallet/stored/<Aggregate>.<Event>.v1.json`` an event
as it lies in the log. A sample is never edited: a change of shape is a new version beside it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from marshmallow import ValidationError

from services.wallet.domain.wallet import Wallet
from services.wallet.publishing import publication
from shared.contracts.wallet import MESSAGES
from shared.eventstore.mapper import EventMapper
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents

GOLDEN = Path(__file__).parent / "golden" / "wallet"
AT = datetime(2021, 11, 2, 9, tzinfo=UTC)
EXPIRY = datetime(2023, 11, 2, 9, tzinfo=UTC)
STREAM = stream_id("wallet", 7)
MOVE = {"credit_id": 3, "booking_id": 17, "attempt": 1, "amount": Cents(25_50), "digital": True, "physical": False}
RECREDIT = {"credit_id": 3, "kind": "underage", "age": 16, "amount": Cents(30_00), "expires_at": EXPIRY}


def event(kind: type, /, **fields: Any) -> Any:
    return kind(originator_id=STREAM, originator_version=2, timestamp=AT, person_id=7, **fields)


GRANTED = event(
    Wallet.Granted,
    credit_id=3,
    kind="age-18",
    amount=Cents(300_00),
    expires_at=EXPIRY,
    digital_cap=Cents(100_00),
    physical_cap=None,
)
EVENTS = [
    event(Wallet.Opened, originator_topic="services.wallet.domain.wallet:Wallet"),
    GRANTED,
    event(Wallet.Recredited, **RECREDIT),
    event(Wallet.Reserved, **MOVE),
    event(Wallet.Spent, **MOVE),
    event(Wallet.Unspent, **MOVE, used_at=AT.replace(day=1)),
    event(Wallet.Released, **MOVE),
    event(Wallet.Refused, booking_id=17, attempt=1, amount=Cents(25_50), code="insufficient-credit"),
    event(Wallet.Barred, booking_id=17, attempt=1),
    event(Wallet.Lapsed, credit_id=3, amount=Cents(12_34)),
]
PUBLISHED = [event for event in EVENTS if publication.includes(type(event)) and type(event) is not Wallet.Recredited]
MAPPER = EventMapper([Wallet])


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


def test_a_recredit_is_a_grant_that_says_so() -> None:
    name, [(version, data)] = publication.translate(event(Wallet.Recredited, **RECREDIT))
    assert (name, data["recredit"], data["amountCents"]) == ("CreditGranted", True, 30_00)
    assert MESSAGES[name, version]().load(data) == data


@pytest.mark.parametrize(
    "wrong",
    [{"amountCents": 12.5}, {"amountCents": "300"}, {"personId": 0}, {"at": "2021-11-02"}, {"more": 1}],
    ids=str,
)
def test_what_only_looks_like_a_message_is_refused(wrong: dict[str, Any]) -> None:
    data = sample(GOLDEN / "CreditReserved.v1.json")
    with pytest.raises(ValidationError):
        MESSAGES["CreditReserved", 1]().load({**data, **wrong})


def test_every_stored_event_has_a_sample() -> None:
    abstract = {"Created", "Moved"}  # what concrete events derive from
    assert {type(event) for event in EVENTS} == {kind for kind in MAPPER.kinds() if kind.__name__ not in abstract}


@pytest.mark.parametrize("stored", EVENTS, ids=named)
def test_stored_events_are_read_as_ever(stored: Any) -> None:
    state = (GOLDEN / "stored" / f"{named(stored)}.v1.json").read_text("utf-8")
    read = MAPPER.decode(STREAM, 2, named(stored), state)
    assert vars(read) == vars(stored)
    assert json.loads(MAPPER.encode(stored)[1]) == json.loads(state)
