"""Generates the AsyncAPI 3 document of messages and calls from contracts, the bus topology and golden samples.

The gateway serves the generated file, so that it does not need the samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import RAISE, Schema

from docs.asyncapi_calls import add_calls
from shared.contracts.envelope import Envelope
from shared.contracts.messages import MESSAGES, Schemas
from shared.eventstore import Message
from shared.messaging.topology import events_exchange, routing_key

NAMESPACE = "passculture"
"""The value in the manifests of deploy/k8s."""
SAMPLES = Path(__file__).parents[1] / "tests" / "contracts" / "golden"
"""One file per service: its events, each with the data of its message by version."""
PERSISTENT = 2
_DESCRIPTION = """The messages that the services of the culture pass publish, for each other and for outsiders, and \
the calls that they make to each other.

Each service publishes to its own durable topic exchange, `<NAMESPACE>.<service>.events` (here with `NAMESPACE` \
`passculture`). Messages are persistent JSON: an envelope and, in `data`, enough facts that consumers need no further \
call. They are delivered in the order of `position`, at least once: skip positions that were handled before. If \
`previous` is not the last position that was handled, messages are missing; `GET /v1/finance/events` returns payout's \
from any position on.

A published version never changes. When a message gets a new version, both are published for a time, as separate \
messages with the same `id` and `position`: version 1 with the message's name as its routing key, version n with \
`<name>.v<n>`. Bind `*` for all messages in version 1, or the routing keys that you know. With `#` every version is \
delivered, the oldest first; the others are then positions that were handled before.

A call is a command, which decides and writes, or a query, which only reads. The calling process sends it to the \
owner's queue and receives the answer in its own queue. Only the platform's services make calls; outsiders use the \
HTTP API.
"""


def document(contracts: Mapping[str, Schemas] = MESSAGES) -> dict[str, Any]:
    """The whole document, the same for the same contracts."""
    schemas = _Schemas()
    envelope = schemas.reference(Envelope)
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {"title": "Culture pass", "version": "1", "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {
            "bus": {
                "host": "{host}",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "description": "RabbitMQ, as `AMQP_URI` says.",
                "variables": {"host": {"default": "rabbitmq:5672"}},
            }
        },
        "channels": {},
        "operations": {},
        "components": {"messages": {}, "schemas": {}},
    }
    for service, messages in contracts.items():
        channel = f"{service}.events"
        document["channels"][channel] = _channel(service, messages)
        document["operations"][f"{service}.publishes"] = _publishing(service, messages)
        for (name, version), schema in messages.items():
            message = _message(service, name, version, schema, envelope, schemas.reference(schema))
            document["components"]["messages"][_key(name, version)] = message
    add_calls(document, NAMESPACE, schemas.reference)
    document["components"]["schemas"] = schemas.components()
    return document


def _channel(service: str, messages: Schemas) -> dict[str, Any]:
    exchange = events_exchange(NAMESPACE, service)
    return {
        "address": "{message}",
        "title": f"Messages of {service}",
        "description": "The address is the routing key: bind `*` for all of it, in order, in version 1.",
        "servers": [{"$ref": "#/servers/bus"}],
        "parameters": {
            "message": {
                "description": "The message's name, with `.v<n>` from its second version on.",
                "enum": sorted(routing_key(name, version) for name, version in messages),
            }
        },
        "messages": {
            _key(name, version): {"$ref": f"#/components/messages/{_key(name, version)}"} for name, version in messages
        },
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": exchange.name, "type": exchange.type, "durable": exchange.durable, "vhost": "/"},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _publishing(service: str, messages: Schemas) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{service}.events"},
        "summary": f"{service.capitalize()} publishes its messages.",
        "bindings": {"amqp": {"deliveryMode": PERSISTENT, "bindingVersion": "0.3.0"}},
        "messages": [{"$ref": f"#/channels/{service}.events/messages/{_key(*message)}"} for message in messages],
    }


def _message(
    service: str, name: str, version: int, schema: type[Schema], envelope: dict[str, str], data: dict[str, str]
) -> dict[str, Any]:
    said = {"source": {"const": service}, "name": {"const": name}, "version": {"const": version}, "data": data}
    message: dict[str, Any] = {
        "name": name,
        "title": f"{name}, version {version}",
        "contentType": "application/json",
        "correlationId": {"location": "$message.payload#/correlationId"},
        "payload": {"allOf": [envelope, {"type": "object", "properties": said}]},
        "bindings": {"amqp": {"contentEncoding": "utf-8", "bindingVersion": "0.3.0"}},
        "examples": [
            _example(service, name, version, key, data) for key, data in samples(service, name, version).items()
        ],
    }
    if schema.__doc__:
        message["summary"] = _one_line(schema.__doc__)
    return message


def samples(service: str, name: str, version: int) -> dict[str, dict[str, Any]]:
    """The golden samples of a message by name: one for every event that is published as this message."""
    events = json.loads(SAMPLES.joinpath(f"{service}.json").read_text("utf-8"))
    versions = {event: sample[name] for event, sample in events.items() if name in sample}
    found = {event: data[str(version)] for event, data in versions.items() if str(version) in data}
    return {name if len(found) == 1 else f"{name}-{event.split('.')[1]}": data for event, data in found.items()}


def _example(service: str, name: str, version: int, key: str, data: dict[str, Any]) -> dict[str, Any]:
    """The sample in a message envelope."""
    at, epoch, position = datetime(2021, 11, 2, 9, tzinfo=UTC), "0b7c6a52e4d14d7f8f5a3d1f0e9c8b7a", 418
    message = Message(
        id=f"{service}:{epoch[:8]}:{position}",
        source=service,
        name=name,
        version=version,
        stream="5d1b9f0c-6a0e-5f0e-9f7e-2f6f7a3b1c11",
        stream_version=2,
        position=position,
        previous=position - 1,
        epoch=epoch,
        occurred_at=at,
        recorded_at=at,
        causation_id="request-1",
        correlation_id="request-1",
        data=data,
    )
    return {"name": key, "payload": message.to_wire()}


class _Schemas:
    """Converts marshmallow schemas to JSON Schema, each once, under its class's name unless another is given."""

    def __init__(self) -> None:
        self._plugin = MarshmallowPlugin(schema_name_resolver=self._name)
        self._spec = APISpec("Culture pass", "1", "3.1.0", plugins=[self._plugin])
        self._named: dict[str, type[Schema]] = {}

    def reference(self, schema: type[Schema], name: str = "") -> dict[str, str]:
        name = name or schema.__name__
        assert self._named.setdefault(name, schema) is schema, f"two schemas are called {name}"
        if name not in self._spec.components.schemas:
            self._spec.components.schema(name, schema=schema)
        return {"$ref": f"#/components/schemas/{name}"}

    def _name(self, schema: Any) -> str:
        """The name of a schema within another; apispec passes classes and instances."""
        cls: type[Schema] = schema if isinstance(schema, type) else type(schema)
        assert self._named.setdefault(cls.__name__, cls) is cls, f"two schemas are called {cls.__name__}"
        return cls.__name__

    def components(self) -> dict[str, Any]:
        converter = self._plugin.converter
        assert isinstance(converter, OpenAPIConverter)
        found: dict[str, Any] = self._spec.components.schemas
        for (schema, *_), name in converter.refs.items():
            if schema().unknown == RAISE:
                found[name]["additionalProperties"] = False
            if schema.__doc__:
                found[name]["description"] = _one_line(schema.__doc__)
        return dict(sorted(found.items()))


def _key(name: str, version: int) -> str:
    return f"{name}.v{version}"


def _one_line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())
