"""Which calls travel together: a lone one waits for nobody, a crowd for those who were just answered, not for long."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from shared import green
from shared.kernel.errors import OutcomePending, Unavailable
from shared.messaging import bus as calling
from shared.messaging.bus import CallingBus
from tests.waiting import simulated_timers


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
        green.sleep(0)

    def ask(self, count: int, seconds: float = 5.0) -> list[Any]:
        asking = [
            green.spawn(self.bus.send_query, "booking", "booking", {}, batched=True, timeout=seconds)
            for _ in range(count)
        ]
        green.sleep(0)
        return asking


@pytest.fixture(autouse=True)
def timers() -> Iterator[None]:
    with simulated_timers():
        yield


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
    green.sleep(0.1)
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
    green.sleep(0.1)
    assert post.sizes == [1, 5]
    post.answer()
    post.ask(1)
    assert post.sizes == [1, 5]
    green.sleep(0.1)
    assert post.sizes == [1, 5, 1]
    post.answer()
    post.ask(1)
    assert post.sizes == [1, 5, 1, 1]  # alone again


def test_a_batch_that_is_never_answered_holds_the_next_ones_no_longer_than_its_callers(post: Post) -> None:
    (lost,) = post.ask(1, seconds=0.05)
    (late,) = post.ask(1, seconds=5.0)
    with pytest.raises(Unavailable):
        lost.wait()
    green.sleep(0.1)
    assert post.sizes == [1, 1]
    post.answer()
    assert late.wait() == 0


def test_who_gives_up_while_waiting_is_not_sent(post: Post) -> None:
    post.ask(1)
    (impatient,) = post.ask(1, seconds=0.02)
    with pytest.raises(Unavailable):
        impatient.wait()
    post.answer()
    green.sleep(0.1)
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
    green.sleep(0.55)
    assert post.sizes == [1, 3]
    post.bus.receive(first, [{"result": "late"}])
    assert lost.wait() == "late"
    post.ask(2)
    assert post.sizes == [1, 3]  # the late answer has freed nothing
    post.answer()
    assert [other.wait() for other in others] == [0, 1, 2]
    green.sleep(0.1)
    assert post.sizes == [1, 3, 2]


@pytest.mark.parametrize("answers", [[], [{"result": 0}], [{"result": number} for number in range(4)]], ids=len)
def test_answers_of_another_number_than_the_calls_free_the_lane(post: Post, answers: list[Any]) -> None:
    """Nobody knows whose they are: a query is told to come again, and the next batch goes."""
    post.ask(1)
    asking = post.ask(3)
    post.answer()
    green.sleep(0.1)
    assert post.sizes == [1, 3]
    (next_one,) = post.ask(1)
    post.bus.receive(post.batches[-1][0], answers)
    for one in asking:
        with pytest.raises(Unavailable):
            one.wait()
    green.sleep(0.1)
    assert post.sizes == [1, 3, 1]
    post.answer()
    assert next_one.wait() == 0


def test_a_command_whose_answer_is_nobodys_is_pending(post: Post) -> None:
    asked = green.spawn(post.bus.send_command, "booking", "book", {}, timeout=5.0)
    green.sleep(0)
    post.bus.receive(post.batches[-1][0], [])
    with pytest.raises(OutcomePending):
        asked.wait()


class SlowPost(Post):
    """Hands nothing over before ``handed`` is sent; then raises it, where it is an exception."""

    def __init__(self) -> None:
        super().__init__()
        self.handed = green.Event()

    def send(self, service: str, kind: str, batch_id: str, calls: Sequence[dict[str, Any]], seconds: float) -> None:
        super().send(service, kind, batch_id, calls, seconds)
        self.handed.wait()


def test_the_time_out_of_a_caller_counts_while_its_call_is_sent() -> None:
    post = SlowPost()
    asking = post.ask(1, seconds=0.1)
    asking += [green.spawn(post.bus.send_query, "booking", "booking", {}, timeout=0.1) for _ in range(50)]
    asking.append(green.spawn(post.bus.send_commands, "booking", "book", [{}, {}], timeout=0.1))
    with green.Timeout(1.0):
        for one in asking[:-1]:
            with pytest.raises(Unavailable):
                one.wait()
        assert [type(answer) for answer in asking[-1].wait()] == [OutcomePending, OutcomePending]


def test_who_gives_up_while_it_sends_holds_nobody_up() -> None:
    """What waits behind its batch is sent by somebody else."""
    post = SlowPost()
    (impatient,) = post.ask(1, seconds=0.2)
    behind = post.ask(3)
    assert post.sizes == [1]
    with pytest.raises(Unavailable):
        impatient.wait()
    post.handed.send(None)
    green.sleep(0.05)
    assert post.sizes == [1, 3]
    post.answer()
    assert [one.wait() for one in behind] == [0, 1, 2]


def test_a_call_that_cannot_be_sent_holds_nobody_up() -> None:
    post = SlowPost()
    (wrong,) = post.ask(1)
    behind = post.ask(2)
    failed, post.handed = post.handed, green.Event()
    failed.send_exception(TypeError("no JSON"))
    with pytest.raises(TypeError):
        wrong.wait()
    post.handed.send(None)
    green.sleep(0.05)
    post.answer()
    assert [one.wait() for one in behind] == [0, 1]


def test_many_lone_calls_that_wait_are_told_one_after_the_other_that_they_cannot_be_sent() -> None:
    """They wait for the slots of calls that are never answered; then the broker is gone."""
    post = SlowPost()
    post.handed.send(None)
    waiting = calling.SINGLE_SLOTS + 2 * sys.getrecursionlimit()
    asking = [green.spawn(post.bus.send_query, "booking", "booking", {}, timeout=30.0) for _ in range(waiting)]
    green.sleep(0)
    assert len(post.batches) == calling.SINGLE_SLOTS
    post.handed = green.Event()
    post.handed.send_exception(Unavailable("no broker"))
    post.bus.receive(post.batches[0][0], [{"result": "the first"}])
    told = [one for one in asking[calling.SINGLE_SLOTS :] if refused(one)]
    assert len(told) == waiting - calling.SINGLE_SLOTS


def refused(asked: Any) -> bool:
    try:
        asked.wait()
    except Unavailable:
        return True
    return False
