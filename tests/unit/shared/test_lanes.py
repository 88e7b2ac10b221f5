"""Batching of calls: a single call is sent at once; concurrent ones wait briefly for callers just answered."""

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


class CourierDouble:
    """Records batches, and answers the last one on ``answer``."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, int]] = []
        self.bus = CallingBus(self)

    def send(self, service: str, kind: str, batch_id: str, calls: Sequence[dict[str, Any]], seconds: float) -> None:
        self.batches.append((batch_id, len(calls)))

    @property
    def sizes(self) -> list[int]:
        return [size for _, size in self.batches]

    def answer(self) -> None:
        """Answers the last batch."""
        batch_id, size = self.batches[-1]
        self.bus.receive(batch_id, [{"result": number} for number in range(size)])
        green.sleep(0)

    def call(self, count: int, seconds: float = 5.0) -> list[Any]:
        calls = [
            green.spawn(self.bus.send_query, "booking", "booking", {}, batched=True, timeout=seconds)
            for _ in range(count)
        ]
        green.sleep(0)
        return calls


@pytest.fixture(autouse=True)
def timers() -> Iterator[None]:
    with simulated_timers():
        yield


@pytest.fixture
def courier(monkeypatch: pytest.MonkeyPatch) -> CourierDouble:
    monkeypatch.setattr(calling, "LINGER_SECONDS", 0.05)
    return CourierDouble()


def test_a_single_call_is_sent_at_once(courier: CourierDouble) -> None:
    for turn in range(1, 4):
        (call,) = courier.call(1)
        assert courier.sizes == [1] * turn
        courier.answer()
        assert call.wait() == 0


def test_calls_during_a_batch_are_sent_in_the_next(courier: CourierDouble) -> None:
    courier.call(1)
    others = courier.call(5)
    assert courier.sizes == [1]
    courier.answer()
    green.sleep(0.1)
    assert courier.sizes == [1, 5]
    courier.answer()
    assert [other.wait() for other in others] == [0, 1, 2, 3, 4]


def test_a_batch_waits_for_callers_that_were_just_answered(courier: CourierDouble) -> None:
    courier.call(1)
    courier.call(5)
    courier.answer()
    assert courier.sizes == [1]  # five wait for the sixth, which was just answered
    courier.call(1)
    assert courier.sizes == [1, 6]


def test_a_batch_waits_for_a_bounded_time(courier: CourierDouble) -> None:
    courier.call(1)
    courier.call(5)
    courier.answer()
    courier.call(0)
    assert courier.sizes == [1]
    green.sleep(0.1)
    assert courier.sizes == [1, 5]
    courier.answer()
    courier.call(1)
    assert courier.sizes == [1, 5]
    green.sleep(0.1)
    assert courier.sizes == [1, 5, 1]
    courier.answer()
    courier.call(1)
    assert courier.sizes == [1, 5, 1, 1]  # a single caller again


def test_an_unanswered_batch_blocks_the_next_until_its_callers_time_out(courier: CourierDouble) -> None:
    (lost,) = courier.call(1, seconds=0.05)
    (late,) = courier.call(1, seconds=5.0)
    with pytest.raises(Unavailable):
        lost.wait()
    green.sleep(0.1)
    assert courier.sizes == [1, 1]
    courier.answer()
    assert late.wait() == 0


def test_a_call_that_timed_out_before_it_was_sent_is_not_sent(courier: CourierDouble) -> None:
    courier.call(1)
    (impatient,) = courier.call(1, seconds=0.02)
    with pytest.raises(Unavailable):
        impatient.wait()
    courier.answer()
    green.sleep(0.1)
    assert courier.sizes == [1]


def test_a_late_batch_does_not_block_the_next_and_may_still_be_answered(
    courier: CourierDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be lost with the process that received it. Its callers wait for their time-out, the others do not."""
    monkeypatch.setattr(calling, "LATE_SECONDS", 0.5)
    (lost,) = courier.call(1)
    first, _ = courier.batches[0]
    others = courier.call(3)
    assert courier.sizes == [1]
    green.sleep(0.55)
    assert courier.sizes == [1, 3]
    courier.bus.receive(first, [{"result": "late"}])
    assert lost.wait() == "late"
    courier.call(2)
    assert courier.sizes == [1, 3]  # the late answer has released no slot
    courier.answer()
    assert [other.wait() for other in others] == [0, 1, 2]
    green.sleep(0.1)
    assert courier.sizes == [1, 3, 2]


@pytest.mark.parametrize("answers", [[], [{"result": 0}], [{"result": number} for number in range(4)]], ids=len)
def test_a_wrong_number_of_answers_fails_the_batch_and_releases_the_lane(
    courier: CourierDouble, answers: list[Any]
) -> None:
    """The answers cannot be assigned: queries get a transient refusal, and the next batch is sent."""
    courier.call(1)
    calls = courier.call(3)
    courier.answer()
    green.sleep(0.1)
    assert courier.sizes == [1, 3]
    (next_one,) = courier.call(1)
    courier.bus.receive(courier.batches[-1][0], answers)
    for one in calls:
        with pytest.raises(Unavailable):
            one.wait()
    green.sleep(0.1)
    assert courier.sizes == [1, 3, 1]
    courier.answer()
    assert next_one.wait() == 0


def test_the_outcome_of_a_command_without_its_answer_is_pending(courier: CourierDouble) -> None:
    command = green.spawn(courier.bus.send_command, "booking", "book", {}, timeout=5.0)
    green.sleep(0)
    courier.bus.receive(courier.batches[-1][0], [])
    with pytest.raises(OutcomePending):
        command.wait()


class SlowCourier(CourierDouble):
    """Blocks every send until ``sent`` has a value; raises it if it is an exception."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = green.Event()

    def send(self, service: str, kind: str, batch_id: str, calls: Sequence[dict[str, Any]], seconds: float) -> None:
        super().send(service, kind, batch_id, calls, seconds)
        self.sent.wait()


def test_the_time_out_of_a_caller_includes_sending() -> None:
    courier = SlowCourier()
    calls = courier.call(1, seconds=0.1)
    calls += [green.spawn(courier.bus.send_query, "booking", "booking", {}, timeout=0.1) for _ in range(50)]
    calls.append(green.spawn(courier.bus.send_commands, "booking", "book", [{}, {}], timeout=0.1))
    with green.Timeout(1.0):
        for one in calls[:-1]:
            with pytest.raises(Unavailable):
                one.wait()
        assert [type(answer) for answer in calls[-1].wait()] == [OutcomePending, OutcomePending]


def test_a_time_out_while_sending_does_not_block_the_next_batch() -> None:
    """Another greenlet sends the calls that wait behind it."""
    courier = SlowCourier()
    (impatient,) = courier.call(1, seconds=0.2)
    behind = courier.call(3)
    assert courier.sizes == [1]
    with pytest.raises(Unavailable):
        impatient.wait()
    courier.sent.send(None)
    green.sleep(0.05)
    assert courier.sizes == [1, 3]
    courier.answer()
    assert [one.wait() for one in behind] == [0, 1, 2]


def test_a_call_that_cannot_be_sent_does_not_block_the_next_batch() -> None:
    courier = SlowCourier()
    (invalid,) = courier.call(1)
    behind = courier.call(2)
    failed, courier.sent = courier.sent, green.Event()
    failed.send_exception(TypeError("not JSON"))
    with pytest.raises(TypeError):
        invalid.wait()
    courier.sent.send(None)
    green.sleep(0.05)
    courier.answer()
    assert [one.wait() for one in behind] == [0, 1]


def test_many_waiting_calls_fail_without_recursion_when_the_broker_is_away() -> None:
    """They wait for slots of calls that are never answered; then the broker is away."""
    courier = SlowCourier()
    courier.sent.send(None)
    waiting = calling.SINGLE_SLOTS + 2 * sys.getrecursionlimit()
    calls = [green.spawn(courier.bus.send_query, "booking", "booking", {}, timeout=30.0) for _ in range(waiting)]
    green.sleep(0)
    assert len(courier.batches) == calling.SINGLE_SLOTS
    courier.sent = green.Event()
    courier.sent.send_exception(Unavailable("no broker"))
    courier.bus.receive(courier.batches[0][0], [{"result": "the first"}])
    failed = [one for one in calls[calling.SINGLE_SLOTS :] if is_unavailable(one)]
    assert len(failed) == waiting - calling.SINGLE_SLOTS


def is_unavailable(call: Any) -> bool:
    try:
        call.wait()
    except Unavailable:
        return True
    return False
