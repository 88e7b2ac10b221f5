"""Which calls travel together: a lone one waits for nobody, a crowd for those who were just answered, not for long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import eventlet
import pytest

from shared.kernel.errors import Unavailable
from shared.messaging import bus as calling
from shared.messaging.bus import CallingBus


class Post:
    """Takes batches and answers each when it is told to."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, int]] = []
        self.bus = CallingBus(self)

    def send(self, service: str, kind: str, batch_id: str, calls: Sequence[dict[str, Any]], seconds: float) -> None:
        self.batches.append((batch_id, len(calls)))

    @property
    def sizes(self) -> list[int]:
        return [size for _, size in self.batches]

    def answer(self) -> None:
        """The last batch."""
        batch_id, size = self.batches[-1]
        self.bus.receive(batch_id, [{"result": number} for number in range(size)])
        eventlet.sleep(0)

    def ask(self, count: int, seconds: float = 5.0) -> list[Any]:
        asking = [
            eventlet.spawn(self.bus.query, "booking", "booking", {}, batched=True, timeout=seconds)
            for _ in range(count)
        ]
        eventlet.sleep(0)
        return asking


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    monkeypatch.setattr(calling, "LINGER_SECONDS", 0.05)
    return Post()


def test_a_lone_caller_waits_for_nobody(post: Post) -> None:
    for turn in range(1, 4):
        (asked,) = post.ask(1)
        assert post.sizes == [1] * turn
        post.answer()
        assert asked.wait() == 0


def test_whoever_comes_while_a_batch_is_under_way_travels_in_the_next(post: Post) -> None:
    post.ask(1)
    others = post.ask(5)
    assert post.sizes == [1]
    post.answer()
    eventlet.sleep(0.1)
    assert post.sizes == [1, 5]
    post.answer()
    assert [other.wait() for other in others] == [0, 1, 2, 3, 4]


def test_those_who_were_just_answered_are_waited_for(post: Post) -> None:
    post.ask(1)
    post.ask(5)
    post.answer()
    assert post.sizes == [1]  # five wait, the sixth has just been answered
    post.ask(1)
    assert post.sizes == [1, 6]


def test_but_not_for_long(post: Post) -> None:
    post.ask(1)
    post.ask(5)
    post.answer()
    post.ask(0)
    assert post.sizes == [1]
    eventlet.sleep(0.1)
    assert post.sizes == [1, 5]
    post.answer()
    post.ask(1)
    assert post.sizes == [1, 5]
    eventlet.sleep(0.1)
    assert post.sizes == [1, 5, 1]
    post.answer()
    post.ask(1)
    assert post.sizes == [1, 5, 1, 1]  # alone again


def test_a_batch_that_is_never_answered_holds_the_next_ones_no_longer_than_its_callers(post: Post) -> None:
    (lost,) = post.ask(1, seconds=0.05)
    (late,) = post.ask(1, seconds=5.0)
    with pytest.raises(Unavailable):
        lost.wait()
    eventlet.sleep(0.1)
    assert post.sizes == [1, 1]
    post.answer()
    assert late.wait() == 0


def test_who_gives_up_while_waiting_is_not_sent(post: Post) -> None:
    post.ask(1)
    (impatient,) = post.ask(1, seconds=0.02)
    with pytest.raises(Unavailable):
        impatient.wait()
    post.answer()
    eventlet.sleep(0.1)
    assert post.sizes == [1]


def test_a_batch_that_is_late_keeps_nobody_waiting_and_may_still_be_answered(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be lost with the process that took it: its callers wait to the end, the others do not."""
    monkeypatch.setattr(calling, "LATE_SECONDS", 0.5)
    (lost,) = post.ask(1)
    first, _ = post.batches[0]
    others = post.ask(3)
    assert post.sizes == [1]
    eventlet.sleep(0.55)
    assert post.sizes == [1, 3]
    post.bus.receive(first, [{"result": "late"}])
    assert lost.wait() == "late"
    post.ask(2)
    assert post.sizes == [1, 3]  # the late answer has freed nothing
    post.answer()
    assert [other.wait() for other in others] == [0, 1, 2]
    eventlet.sleep(0.1)
    assert post.sizes == [1, 3, 2]
