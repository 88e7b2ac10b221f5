"""Generates ``docs/messages-and-calls.md`` from the contracts and the services' registrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from docs.registrations import consumers
from shared.contracts.calls import OWNERS, contracts_of
from shared.contracts.calls.contract import Command, Contract
from shared.contracts.messages import MESSAGES
from shared.kernel.identifiers import MAX_NUMBER
from shared.kernel.money import MAX_CENTS
from shared.runtime.service import Service

MAX_CHOICES = 8
"""The longest list of choices that is shown; of longer ones only the number."""

_ANY_NUMBER_OR_AMOUNT = (MAX_NUMBER, int(MAX_CENTS))

_HEAD = """# Messages and calls between services

Generated from `shared/contracts/` and from what the services register; `make docs` writes it, `make check` compares it.

Keys are camelCase, instants RFC 3339 in UTC, days `YYYY-MM-DD`, money integer cents. `?` after a key: it may be left
out of a call, or be null in a message. Every message has the envelope of `docs/building-a-service.md` around its data.

## Messages

A version, once published, never changes. The last column names the services with a
reaction to exactly this version; a reaction to a newer version reads the older ones too.
"""
_CALLS = """
## Calls

A command decides and writes, a query only reads. The owner checks the data against the contract and the caller against
its authority before any handler sees the call. *The platform itself*: another service, a timer, the command line.
Every call may be refused with `invalid`, `unauthorized`, `forbidden`, `not-found` and `unavailable`; the table lists
the refusals of its own.
"""


def document(services: Mapping[str, Service]) -> bytes:
    """The whole page."""
    readers = consumers(services)
    parts = [_HEAD]
    for service, messages in MESSAGES.items():
        rows = [_message_row(service, name, version, schema, readers) for (name, version), schema in messages.items()]
        parts += [f"\n### {service}\n", *_table(("Message", "Data", "Read by"), rows)]
    parts.append(_CALLS)
    for owner in OWNERS:
        rows = [_call_row(contract) for contract in contracts_of(owner).values()]
        title = "every service" if owner == "platform" else owner
        parts += [f"\n### {title}\n", *_table(("Call", "By", "Data", "What it does and answers", "Refuses"), rows)]
    return ("\n".join(parts) + "\n").encode()


def _message_row(
    service: str, name: str, version: int, schema: type[Schema], readers: Mapping[tuple[str, str, int], Sequence[str]]
) -> tuple[str, ...]:
    read_by = ", ".join(readers.get((service, name, version), ())) or "–"
    return f"`{name}` v{version}", f"{_one_line(schema.__doc__)} {_fields(schema)}".strip(), read_by


def _call_row(contract: type[Contract]) -> tuple[str, ...]:
    kind = "C" if issubclass(contract, Command) else "Q"
    refusals = ", ".join(f"`{code}`" for code in contract.REFUSES)
    return (
        f"{kind} `{contract.NAME}`",
        str(contract.BY),
        _fields(contract.schema()),
        _one_line(contract.__doc__),
        refusals,
    )


def _fields(schema: type[Schema]) -> str:
    """``name: string 1–90, url?: uri``."""
    plugin = MarshmallowPlugin(schema_name_resolver=lambda _: "")  # without a name: nested schemas are written in place
    APISpec("", "1", "3.1.0", plugins=[plugin])
    assert plugin.converter is not None
    described: dict[str, Any] = plugin.converter.schema2jsonschema(schema())  # type: ignore[no-untyped-call]  # apispec
    required = set(described.get("required", ()))
    return ", ".join(
        f"`{key}{'' if key in required and not _is_nullable(of) else '?'}`{_type(of)}"
        for key, of in described["properties"].items()
    )


def _is_nullable(described: Mapping[str, Any]) -> bool:
    return "null" in described.get("type", ())


def _type(described: Mapping[str, Any]) -> str:
    """The bounds of a field, if it has other ones than those of its type."""
    choices = [choice for choice in described.get("enum", ()) if choice is not None]
    if choices:
        few = len(choices) <= MAX_CHOICES
        return f" ({', '.join(f'`{choice}`' for choice in choices)})" if few else f" (one of {len(choices)})"
    if described.get("format"):
        return f" ({described['format']})"
    low, high = described.get("minLength"), described.get("maxLength")
    if high is not None:
        return f" ({high if low == high else f'{low or 0}–{high}'} characters)"
    least, most = described.get("minimum"), described.get("maximum")
    if most is not None and most not in _ANY_NUMBER_OR_AMOUNT:
        return f" ({least:.0f} to {most:.0f})"
    items = described.get("items")
    if items is not None:
        limit = f", at most {described['maxItems']}" if "maxItems" in described else ""
        return f" (list{limit})"
    return ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]


def _one_line(text: str | None) -> str:
    return " ".join((text or "").replace("``", "`").split())
