"""The calls in the document of the messages: a queue for the commands and one for the queries of each service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from shared.contracts.calls import OWNERS, contracts_of
from shared.contracts.calls.contract import Command, Contract
from shared.contracts.envelope import CallEnvelope, CommandAnswer, QueryAnswer
from shared.messaging.topology import calls_queue

Reference = Callable[..., dict[str, str]]
"""``(schema, name)``: registers a schema, by default under its class's name, and refers to it."""

KINDS = ("commands", "queries")
ANSWERS = {"commands": CommandAnswer, "queries": QueryAnswer}
PLATFORM = "platform"
"""In place of a service: every service answers these calls, in addition to its own."""


def add_calls(document: dict[str, Any], namespace: str, reference: Reference) -> None:
    """Adds channels, operations and messages of all calls."""
    document["channels"]["answers"] = _answers_channel()
    for kind, answer in ANSWERS.items():
        document["components"]["messages"][f"answers.{kind}"] = {
            "name": f"answers.{kind}",
            "title": f"Answers to {kind}",
            "summary": "In the order of the calls of the message that has the same correlation id.",
            "contentType": "application/json",
            "payload": {"type": "array", "items": reference(answer)},
        }
    envelope = reference(CallEnvelope)
    for owner in OWNERS:
        for contract in contracts_of(owner).values():
            key = _key(owner, contract)
            message = _call(contract, envelope, reference(contract.schema(), key))
            document["components"]["messages"][key] = message
    for owner in OWNERS:
        for kind in KINDS:
            calls = {contract.NAME: _key(owner, contract) for contract in _of_kind(owner, kind)}
            channel = f"{owner}.{kind}"
            document["channels"][channel] = _channel(namespace, owner, kind, calls)
            document["operations"][f"{owner}.answers-{kind}"] = _answering(owner, kind, channel, calls)


def _of_kind(owner: str, kind: str) -> Iterable[type[Contract]]:
    return (one for one in contracts_of(owner).values() if issubclass(one, Command) == (kind == "commands"))


def _key(owner: str, contract: type[Contract]) -> str:
    return f"{owner}.{contract.NAME}"


def _channel(namespace: str, owner: str, kind: str, calls: dict[str, str]) -> dict[str, Any]:
    queue = calls_queue(namespace, "{service}" if owner == PLATFORM else owner, kind)
    channel: dict[str, Any] = {
        "address": queue.name,
        "title": f"{kind.capitalize()} that {'every service' if owner == PLATFORM else owner} answers",
        "description": "A body is a list of calls; one body may hold calls of several contracts.",
        "servers": [{"$ref": "#/servers/bus"}],
        "messages": {name: {"$ref": f"#/components/messages/{key}"} for name, key in calls.items()},
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {"name": queue.name, "durable": queue.durable, "exclusive": False, "vhost": "/"},
                "bindingVersion": "0.3.0",
            }
        },
    }
    if owner == PLATFORM:
        channel["parameters"] = {"service": {"description": "The service that is called."}}
    return channel


def _answers_channel() -> dict[str, Any]:
    return {
        "address": None,
        "title": "Answers to calls",
        "description": "The queue that `reply_to` of a message of calls names, one for each calling process.",
        "messages": {kind: {"$ref": f"#/components/messages/answers.{kind}"} for kind in KINDS},
    }


def _answering(owner: str, kind: str, channel: str, calls: dict[str, str]) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": f"{'Every service' if owner == PLATFORM else owner.capitalize()} answers {kind}.",
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in calls],
        "reply": {
            "address": {"location": "$message.header#/reply_to"},
            "channel": {"$ref": "#/channels/answers"},
            "messages": [{"$ref": f"#/channels/answers/messages/{kind}"}],
        },
    }


def _call(contract: type[Contract], envelope: dict[str, str], data: dict[str, str]) -> dict[str, Any]:
    own = {"name": {"const": contract.NAME}, "data": data}
    refuses = f" Refuses with {', '.join(f'`{code}`' for code in contract.REFUSES)}." if contract.REFUSES else ""
    return {
        "name": contract.NAME,
        "title": f"{contract.NAME}, a {'command' if issubclass(contract, Command) else 'query'}",
        "summary": " ".join((contract.__doc__ or "").replace("``", "`").split()),
        "description": f"May be made by: {contract.BY}.{refuses}",
        "contentType": "application/json",
        "correlationId": {"location": "$message.header#/correlation_id"},
        "payload": {
            "type": "array",
            "minItems": 1,
            "items": {"allOf": [envelope, {"type": "object", "properties": own}]},
        },
        "bindings": {"amqp": {"contentEncoding": "utf-8", "bindingVersion": "0.3.0"}},
    }
