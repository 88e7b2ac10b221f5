"""The client side of commands and queries: what callers of other services use.

A ``batched`` call waits until the previous batch is answered, and is sent together with all calls that wait by then:
one message, one load and one transaction serve many callers. A single caller does not wait. Other calls are sent one
by one.
"""

from __future__ import annotations

import itertools
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypedDict, Unpack

import structlog

from shared import green
from shared.contracts.calls.contract import Command, Contract, Query
from shared.eventstore.context import current_cause
from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError, OutcomePending, Refused, Unavailable
from shared.messaging.answering import query_envelope

log = structlog.get_logger()
BATCH_SLOTS = 1
SINGLE_SLOTS = 64
LINGER_SECONDS = 0.01
"""How long a batch waits for callers that have just been answered, because they often call again (Nagle's algorithm). A
single caller does not wait."""
LATE_SECONDS = 1.0
"""After this time the next batch is sent even without an answer: a batch is lost if the process that took it dies."""
BATCH = 200
MAX_WAITING = 5_000
DEFAULT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a command. ``position`` is the last position in its service's log that it published."""

    result: Any
    position: int | None
    replayed: bool


class CallOptions(TypedDict, total=False):
    """How a call travels."""

    to: str
    """The service, for the calls that every service answers."""
    key: str | None
    """The idempotency key: the same one gives the stored outcome."""
    caller: Caller | None
    """The account or API key on whose behalf the call is made; None: the platform itself."""
    timeout: float | None
    """In seconds; DEFAULT_SECONDS when left out."""
    batched: bool
    """Whether the call waits for a batch: for calls that come by the hundred."""


class Bus(ABC):
    """The other services, as a port. An adapter carries names and JSON; its users see contracts."""

    def command(self, command: Command, **options: Unpack[CallOptions]) -> Answer:
        """Raises Refused with the service's own code, or OutcomePending when no answer came in time."""
        return self.send_command(_owner(command, options), command.NAME, command.to_wire(), **options)

    def commands(self, commands: Sequence[Command], *, timeout: float | None = None) -> list[Answer | DomainError]:
        """Many commands of one contract in one batch; for each, in order, its answer or the refusal."""
        if not commands:
            return []
        data = [command.to_wire() for command in commands]
        return self.send_commands(commands[0].SERVICE, commands[0].NAME, data, timeout=timeout)

    def query(self, query: Query, **options: Unpack[CallOptions]) -> Any:
        """Raises Refused with the service's own code, or Unavailable when no answer came in time."""

        return self.send_query(_owner(query, options), query.NAME, query.to_wire(), **options)

    @abstractmethod
    def send_command(self, service: str, name: str, data: dict[str, Any], **options: Unpack[CallOptions]) -> Answer:
        """``command``, as names and JSON."""

    @abstractmethod
    def send_commands(
        self, service: str, name: str, data: Sequence[dict[str, Any]], *, timeout: float | None = None
    ) -> list[Answer | DomainError]:
        """``commands``, as names and JSON."""

    @abstractmethod
    def send_query(self, service: str, name: str, data: dict[str, Any], **options: Unpack[CallOptions]) -> Any:
        """``query``, as names and JSON."""


def _owner(call: Contract, options: CallOptions) -> str:
    service = call.SERVICE or options.get("to", "")
    assert service, f"{call.NAME} is answered by every service: say to which one it goes"
    return service


class Courier(Protocol):
    """Carries a batch to a service and hands its answers to ``CallingBus.receive``."""

    def send(self, service: str, kind: str, batch_id: str, calls: Sequence[dict[str, Any]], seconds: float) -> None:
        """Raises Unavailable when it cannot be sent now."""


@dataclass(slots=True)
class _Waiting:
    wire: dict[str, Any]
    answer: green.Event = field(default_factory=green.Event)


@dataclass(slots=True)
class _Lane:
    """The queue and the slots (batches in flight) of the calls of one kind to one service."""

    service: str
    kind: str
    size: int
    slots: int
    queue: deque[_Waiting] = field(default_factory=deque)
    busy: int = 0
    batch_target: int = 1
    """The number of calls in flight or waiting when the last batch was answered: a batch lingers for as many."""
    linger_timer: Any = None
    """Sends the lingering batch."""


@dataclass(slots=True)
class _SentBatch:
    lane: _Lane
    calls: list[_Waiting]
    expiry: Any = None
    occupies_slot: bool = True
    """Whether it counts as a batch in flight: no longer once its answer is late."""


class CallingBus(Bus):
    """The ``Bus`` of a process, over a courier."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier
        self.local_queries: dict[str, Callable[[Sequence[Call[Any]]], list[Any]]] = {}
        """Handlers of queries to services of this process, which are not sent over the bus."""
        self._lanes: dict[tuple[str, str, bool], _Lane] = {}
        self._sent: dict[str, _SentBatch] = {}
        self._numbers = itertools.count(1)
        self._process = uuid.uuid4().hex[:12]

    def send_command(self, service: str, name: str, data: dict[str, Any], **options: Unpack[CallOptions]) -> Answer:
        wire = call_to_wire(name, data, options.get("key"), options.get("caller"))
        answer = _answer(self._call(service, "commands", wire, options))
        if isinstance(answer, DomainError):
            raise answer
        return answer

    def send_commands(
        self, service: str, name: str, data: Sequence[dict[str, Any]], *, timeout: float | None = None
    ) -> list[Answer | DomainError]:
        lane, seconds = self._lane(service, "commands", True), timeout or DEFAULT_SECONDS
        if len(lane.queue) + len(data) > MAX_WAITING:
            return [Unavailable(reason=f"too many calls wait for {service}") for _ in data]
        waiting = [_Waiting(call_to_wire(name, item, None, None)) for item in data]
        lane.queue.extend(waiting)
        with green.Timeout(seconds, False):
            self._send_waiting(lane, seconds)
            for one in waiting:
                one.answer.wait()
        unsent = [one for one in waiting if one in lane.queue]
        for one in unsent:
            lane.queue.remove(one)
        return [_answer(one.answer.wait() if one.answer.ready() else None) for one in waiting]

    def send_query(self, service: str, name: str, data: dict[str, Any], **options: Unpack[CallOptions]) -> Any:
        if service in self.local_queries:
            call: Call[Any] = Call(name, data, None, options.get("caller"), current_cause().correlation_id)
            (answer,) = self.local_queries[service]([call])
            envelope: dict[str, Any] | None = query_envelope(answer)
        else:
            envelope = self._call(service, "queries", call_to_wire(name, data, None, options.get("caller")), options)
        if envelope is None:
            raise Unavailable(reason=f"{service} does not answer now")
        if "refused" in envelope:
            raise refusal(envelope)
        return envelope["result"]

    def receive(self, batch_id: str, answers: Sequence[dict[str, Any]]) -> None:
        """Passes the answers of a batch to its callers. Ignores the answers of a batch that has expired."""
        sent = self._sent.pop(batch_id, None)
        if sent is None:
            return
        outcomes: Sequence[dict[str, Any] | None] = answers
        if len(outcomes) != len(sent.calls):  # no answer can be assigned to its call
            log.error(
                "numbers of calls and answers differ",
                service=sent.lane.service,
                calls=len(sent.calls),
                answers=len(outcomes),
            )
            outcomes = [None] * len(sent.calls)
        _resolve(sent, outcomes)
        self._next(sent)

    def _call(self, service: str, kind: str, wire: dict[str, Any], options: CallOptions) -> dict[str, Any] | None:
        lane, seconds = self._lane(service, kind, options.get("batched", False)), options.get("timeout")
        seconds = seconds or DEFAULT_SECONDS
        if len(lane.queue) >= MAX_WAITING:
            raise Unavailable(reason=f"too many calls wait for {service}")
        waiting = _Waiting(wire)
        lane.queue.append(waiting)
        with green.Timeout(seconds, False):
            self._send_waiting(lane, seconds)
            return waiting.answer.wait()  # type: ignore[no-any-return]
        if waiting in lane.queue:
            lane.queue.remove(waiting)
            raise Unavailable(reason=f"{service} does not take calls now")
        return None

    def _lane(self, service: str, kind: str, batched: bool) -> _Lane:
        key = (service, kind, batched)
        if key not in self._lanes:
            self._lanes[key] = _Lane(service, kind, BATCH if batched else 1, BATCH_SLOTS if batched else SINGLE_SLOTS)
        return self._lanes[key]

    def _send_waiting(self, lane: _Lane, seconds: float) -> None:
        while lane.queue and lane.busy < lane.slots:
            if lane.size > 1 and len(lane.queue) < min(lane.batch_target, lane.size):
                if lane.linger_timer is None:
                    lane.linger_timer = green.call_later(LINGER_SECONDS, self._flush, lane, seconds)
                return
            if lane.linger_timer is not None:
                lane.linger_timer.cancel()
                lane.linger_timer = None
            calls = [lane.queue.popleft() for _ in range(min(lane.size, len(lane.queue)))]
            batch_id = f"{self._process}-{next(self._numbers)}"
            lane.busy += 1
            sent = self._sent[batch_id] = _SentBatch(lane, calls)
            late = min(LATE_SECONDS, seconds) if lane.size > 1 else seconds
            sent.expiry = green.call_later(late, self._release_slot, batch_id, seconds - late)
            try:
                self._courier.send(lane.service, lane.kind, batch_id, [call.wire for call in calls], seconds)
            except Unavailable as error:
                self._give_up(batch_id, {"refused": error.to_outcome()})
            except BaseException:  # this caller's time-out, or its data cannot be sent: send the other calls
                self._give_up(batch_id, None)
                green.call_later(0, self._send_waiting, lane, seconds)
                raise

    def _give_up(self, batch_id: str, answer: dict[str, Any] | None) -> None:
        """Answers the calls of a batch that could not be sent and releases its slot; the sender sends the next one."""
        sent = self._sent.pop(batch_id, None)
        if sent is not None:  # not expired
            _resolve(sent, [answer] * len(sent.calls))
            if sent.occupies_slot:
                sent.occupies_slot = False
                sent.lane.busy -= 1

    def _flush(self, lane: _Lane, seconds: float) -> None:
        lane.linger_timer, lane.batch_target = None, 1
        self._send_waiting(lane, seconds)

    def _release_slot(self, batch_id: str, rest: float) -> None:
        """Lets the next batch be sent, although this one may still be answered: it may be lost with a process."""
        sent = self._sent.get(batch_id)
        if sent is not None:
            sent.expiry = green.call_later(rest, self._expire, batch_id)
            self._next(sent)

    def _expire(self, batch_id: str) -> None:
        """Forgets the batch: its callers have timed out."""
        self._sent.pop(batch_id, None)

    def _next(self, sent: _SentBatch) -> None:
        if sent.occupies_slot:
            sent.occupies_slot = False
            sent.lane.busy -= 1
            self._send_waiting(sent.lane, DEFAULT_SECONDS)


def _resolve(sent: _SentBatch, answers: Sequence[dict[str, Any] | None]) -> None:
    """Wakes the callers of a batch with their answers; None: the outcome is unknown."""
    sent.expiry.cancel()
    for waiting, answer in zip(sent.calls, answers, strict=True):
        waiting.answer.send(answer)
    sent.lane.batch_target = len(sent.calls) + len(sent.lane.queue)


def call_to_wire(name: str, data: dict[str, Any], key: str | None, caller: Caller | None) -> dict[str, Any]:
    """The wire format of a call; ``read_calls`` parses it."""
    return {
        "name": name,
        "data": data,
        "key": key,
        "caller": caller.to_wire() if caller else None,
        "correlationId": current_cause().correlation_id,
    }


def _answer(envelope: dict[str, Any] | None) -> Answer | DomainError:
    if envelope is None:
        return OutcomePending()
    if "refused" in envelope:
        return refusal(envelope)
    return Answer(envelope["result"], envelope["position"], envelope["replayed"])


def refusal(envelope: dict[str, Any]) -> DomainError:
    outcome = envelope["refused"]
    if outcome["code"] == OutcomePending.code:
        return OutcomePending(outcome["detail"])
    if outcome["status"] == Unavailable.status:
        return Unavailable(outcome["detail"])
    refused = Refused(outcome)
    refused.replayed = envelope.get("replayed", False)
    return refused


__all__ = ["Answer", "Bus", "CallOptions", "CallingBus", "Courier"]
