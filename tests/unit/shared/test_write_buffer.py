"""Frames that are written together go to the transport as one, in their order."""

from __future__ import annotations

import pytest

from shared.messaging.connections import WriteBuffer


class Wire:
    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def write(self, frames: bytes) -> None:
        self.writes.append(bytes(frames))


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_frames_go_one_by_one_and_within_the_block_together(wire: Wire) -> None:
    buffer = WriteBuffer(wire)
    buffer.write(b"a")
    memory = bytearray(b"b")
    with buffer.corked():
        buffer.write(memoryview(memory))
        memory[:] = b"c"  # as amqp's frame writer uses its memory again
        buffer.write(memoryview(memory))
    buffer.write(b"d")
    assert wire.writes == [b"a", b"bc", b"d"]


def test_after_an_exception_nothing_of_the_block_goes(wire: Wire) -> None:
    buffer = WriteBuffer(wire)
    with pytest.raises(ZeroDivisionError), buffer.corked():
        buffer.write(b"a")
        raise ZeroDivisionError
    buffer.write(b"b")
    assert wire.writes == [b"b"]
