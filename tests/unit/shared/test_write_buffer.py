"""The write buffer sends the frames of a corked block to the transport in one write, in their order."""

from __future__ import annotations

import pytest

from shared.messaging.connections import WriteBuffer


class TransportDouble:
    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def write(self, frames: bytes) -> None:
        self.writes.append(bytes(frames))


@pytest.fixture
def transport() -> TransportDouble:
    return TransportDouble()


def test_frames_of_a_corked_block_are_one_write(transport: TransportDouble) -> None:
    buffer = WriteBuffer(transport)
    buffer.write(b"a")
    memory = bytearray(b"b")
    with buffer.corked():
        buffer.write(memoryview(memory))
        memory[:] = b"c"  # as amqp's frame writer reuses its memory
        buffer.write(memoryview(memory))
    buffer.write(b"d")
    assert transport.writes == [b"a", b"bc", b"d"]


def test_an_exception_discards_the_frames_of_the_block(transport: TransportDouble) -> None:
    buffer = WriteBuffer(transport)
    with pytest.raises(ZeroDivisionError), buffer.corked():
        buffer.write(b"a")
        raise ZeroDivisionError
    buffer.write(b"b")
    assert transport.writes == [b"b"]
