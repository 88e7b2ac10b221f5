"""The document of messages and calls is valid AsyncAPI, complete, and as strict as the contracts.

The official schema cannot say everything that the specification asks: references are followed here.
"""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from marshmallow import ValidationError

from docs.asyncapi import NAMESPACE, document, samples
from shared.contracts.calls import OWNERS, contracts_of
from shared.contracts.calls.contract import Bound, Command, Query
from shared.contracts.catalog import OfferV1
from shared.contracts.envelope import Envelope
from shared.contracts.fields import Count
from shared.contracts.messages import MESSAGES as CONTRACTS
from shared.kernel.callers import Caller
from shared.kernel.errors import NotFound
from shared.messaging.answering import command_envelope, query_envelope
from shared.messaging.bus import call_to_wire
from shared.messaging.reading import read_calls
from shared.messaging.topology import calls_queue, routing_key
from shared.runtime.settings import SERVICES

OFFICIAL = Path(__file__).parent / "asyncapi" / "3.0.0.json"
DOCUMENT = document()
MESSAGES = [(service, name, version) for service, messages in CONTRACTS.items() for name, version in messages]
ODD_VALUES = (None, True, 0, -1, 7, 1.5, 2**60, "", "x", "2021-11-02", "20211102", "2021-11-02T09:00:00Z", [], [1], {})
"""What a program may put where something else belongs."""


def follow(reference: str) -> Any:
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def payload_of(message: str) -> jsonschema_rs.Validator:
    schema = {"$ref": f"#/components/messages/{message}/payload", "components": DOCUMENT["components"]}
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def test_it_is_valid_by_the_official_schema() -> None:
    official = jsonschema_rs.validator_for(json.loads(OFFICIAL.read_text("utf-8")))
    assert [error.message for error in official.iter_errors(DOCUMENT)] == []
    assert DOCUMENT["asyncapi"] == "3.0.0"


def test_references_lead_somewhere_and_operations_send_what_their_channel_has() -> None:
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(DOCUMENT)):
        assert follow(reference), reference
    for operation in DOCUMENT["operations"].values():
        channel = operation["channel"]["$ref"]
        offered = {f"{channel}/messages/{key}" for key in follow(channel)["messages"]}
        assert {message["$ref"] for message in operation["messages"]} == offered
        for message in operation.get("reply", {}).get("messages", ()):
            assert follow(message["$ref"])


def test_every_service_s_messages_stand_in_it_and_no_others() -> None:
    for service in SERVICES:
        module = "bootstrap" if service == "gateway" else "publishing"
        published = import_module(f"services.{service}.{module}").publication.names()
        channel = DOCUMENT["channels"].get(f"{service}.events", {"messages": {}})
        assert set(channel["messages"]) == {f"{name}.v{version}" for name, version in published}, service
        if published:
            assert set(routing_keys(DOCUMENT, service)) == {routing_key(*message) for message in published}, service


class OfferPublishedV99(OfferV1):
    """With something that no release has published yet."""

    colour = Count(required=True, allow_none=True)


def test_versions_side_by_side_stand_in_it_each_with_its_routing_key() -> None:
    beside = {**CONTRACTS["catalog"], ("OfferPublished", 99): OfferPublishedV99}
    found = document({"catalog": beside})
    assert {"OfferPublished.v1", "OfferPublished.v99"} < set(found["components"]["messages"])
    assert {"OfferPublished", "OfferPublished.v99"} < set(routing_keys(found, "catalog"))
    assert "OfferPublished.v1" not in routing_keys(found, "catalog")
    newest = found["components"]["messages"]["OfferPublished.v99"]["payload"]["allOf"][1]["properties"]
    assert newest["version"] == {"const": 99}
    assert "colour" in found["components"]["schemas"]["OfferPublishedV99"]["required"]


def routing_keys(found: dict[str, Any], service: str) -> list[str]:
    keys: list[str] = found["channels"][f"{service}.events"]["parameters"]["message"]["enum"]
    return keys


@pytest.mark.parametrize(("service", "name", "version"), MESSAGES)
def test_samples_are_valid_and_what_the_contract_refuses_is_not(service: str, name: str, version: int) -> None:
    payload, contract = payload_of(f"{name}.v{version}"), CONTRACTS[service][name, version]()
    examples = DOCUMENT["components"]["messages"][f"{name}.v{version}"]["examples"]
    assert len(examples) == len(samples(service, name, version)) >= 1
    for example in examples:
        wire = example["payload"]
        assert payload.is_valid(wire)
        assert Envelope().load(wire) == wire
        for odd in variants(wire["data"]):
            assert payload.is_valid({**wire, "data": odd}) is accepts(contract, odd), odd
        for member in ("source", "name", "version"):
            assert not payload.is_valid({**wire, member: "another"}), member


CALLS = [(owner, name) for owner in OWNERS for name in contracts_of(owner)]


def test_every_call_is_in_the_queue_of_its_owner() -> None:
    for owner in OWNERS:
        for kind, parent in (("commands", Command), ("queries", Query)):
            calls = {name for name, contract in contracts_of(owner).items() if issubclass(contract, parent)}
            channel = DOCUMENT["channels"][f"{owner}.{kind}"]
            assert set(channel["messages"]) == calls
            service = "{service}" if owner == "platform" else owner
            assert channel["address"] == calls_queue(NAMESPACE, service, kind).name


@pytest.mark.parametrize(("owner", "name"), CALLS)
def test_the_data_of_a_call_are_documented_as_its_contract_checks_them(owner: str, name: str) -> None:
    contract = contracts_of(owner)[name]
    schema = DOCUMENT["components"]["schemas"][f"{owner}.{name}"]
    assert set(schema["properties"]) == {bound.key for bound in contract.FIELDS}
    assert set(schema.get("required", ())) == {bound.key for bound in contract.FIELDS if bound.required}
    assert schema["additionalProperties"] is False
    for bound in contract.FIELDS:
        field = {**schema["properties"][bound.key], "components": DOCUMENT["components"]}
        documented = jsonschema_rs.validator_for(field, validate_formats=True)
        for odd in ODD_VALUES:
            if isinstance(odd, str) and not is_read(bound, odd):
                continue  # a checksum, for instance, is no matter of a schema
            assert documented.is_valid(odd) is is_read(bound, odd), (bound.key, odd)


def is_read(bound: Bound, value: Any) -> bool:
    try:
        bound.field.deserialize(value, bound.key, {bound.key: value})
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("caller", [None, Caller(7, frozenset({"pro"})), Caller(7, frozenset(), 3)])
def test_calls_and_answers_are_documented_as_they_are_sent(caller: Caller | None) -> None:
    call = call_to_wire("reached", {"source": "catalog", "position": 7}, "a-key", caller)
    payload = payload_of("platform.reached")
    assert payload.is_valid([call]) and payload.is_valid([call, call])
    assert not payload.is_valid([]) and not payload.is_valid([{**call, "name": "another"}])
    envelope = jsonschema_rs.validator_for(
        {"$ref": "#/components/schemas/CallEnvelope", "components": DOCUMENT["components"]}
    )
    for odd in variants(call):
        assert envelope.is_valid(odd) is (read_calls(orjson.dumps([odd])) != [None]), odd
    refusal = NotFound("no such offer", errors={"offerId": ["Unknown."]})
    commands, queries = payload_of("answers.commands"), payload_of("answers.queries")
    assert commands.is_valid([command_envelope(({"id": 1}, 7, False)), command_envelope((refusal, None, True))])
    assert queries.is_valid([query_envelope([1, 2]), query_envelope(refusal)])
    assert not commands.is_valid([query_envelope(1)])
    assert not queries.is_valid([{"refused": {}}])


def variants(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The sample with each member left out, each exchanged for each odd value, and one member more."""
    without = [{key: value for key, value in data.items() if key != left_out} for left_out in data]
    exchanged = [{**data, key: odd} for key in data for odd in ODD_VALUES]
    return [*without, *exchanged, {**data, "more": 1}]


def accepts(contract: Any, data: dict[str, Any]) -> bool:
    try:
        contract.load(data)
    except ValidationError:
        return False
    return True
