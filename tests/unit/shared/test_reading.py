"""Parsing of messages and calls from the bus: malformed ones are found, whatever their content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.messaging.reading import Unreadable, read_calls, read_messages
from tests.unit.shared.toy import file_store, fill

CALL = {"name": "book", "data": {"stockId": 1}, "key": "k", "caller": None, "correlationId": "c"}
NOT_A_BATCH = [b"", b"\xff", b"{", b"null", b"5", b'"text"', b'{"name": "book"}', b"[" * 2_000]


@pytest.mark.parametrize("body", NOT_A_BATCH, ids=repr)
def test_a_malformed_batch_is_unreadable(body: bytes) -> None:
    for read in (read_messages, read_calls):
        with pytest.raises(Unreadable):
            read(body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"position": "1"},
        {"position": True},
        {"position": None},
        {"previous": 1.5},
        {"name": ["JarFilled"]},
        {"epoch": 7},
        {"stream": {}},
        {"data": []},
        {"occurredAt": "yesterday"},
        {"occurredAt": "0001-01-01T00:00:00+05:00"},
        {"recordedAt": None},
    ],
    ids=str,
)
def test_a_message_with_a_wrong_type_is_unreadable(tmp_path: Path, wrong: dict[str, Any]) -> None:
    store = file_store(tmp_path)
    fill(store, 1, 4)
    (message,) = store.messages(0, 10)
    wire = message.to_wire()
    assert read_messages(orjson.dumps([wire, {**wire, "more": 1}])) == [message, message], "unknown fields are ignored"
    for broken in ({**wire, **wrong}, {name: wire[name] for name in wire if name not in wrong}, [], None, "x"):
        with pytest.raises(Unreadable):
            read_messages(orjson.dumps([wire, broken]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ["book"]},
        {"name": None},
        {"data": []},
        {"data": None},
        {"key": 5},
        {"caller": "staff"},
        {"caller": {"accountId": 1}},
        {"correlationId": None},
    ],
    ids=str,
)
def test_a_malformed_call_leaves_the_others_of_its_batch_alone(wrong: dict[str, Any]) -> None:
    body = orjson.dumps([CALL, {**CALL, **wrong}, {}, None, {**CALL, "caller": Caller(7).to_wire()}])
    good = Call("book", {"stockId": 1}, "k", None, "c")
    assert read_calls(body) == [good, None, None, None, Call("book", {"stockId": 1}, "k", Caller(7), "c")]
