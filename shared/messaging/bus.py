"""The client side of commands and queries: what callers of other services use.

A call that is ``batched`` waits until the batch before it is answered, and travels with whatever waited beside it: one
message, one load and one transaction serve many callers, and a lone caller waits for nobody. The others travel alone.
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
SLOTS = 1
LONE_SLOTS = 64
LINGER_SECONDS = 0.01
"""How long a batch waits for those who were just answered: they often ask again. A lone caller waits for nobody."""
LATE_SECONDS = 1.0
"""How long a batch keeps others waiting: one may be lost with the process that took it, and its answer never come."""
BATCH = 200
MAX_WAITING = 5_000
DEFAULT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command led to; ``position`` is the last position that its service published for it."""

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
    """What goes to one service in one way: its slots and its queue."""

    service: str
    kind: str
    size: int
    slots: int
    queue: deque[_Waiting] = field(default_factory=deque)
    busy: int = 0
    expected: int = 1
    """How many calls were under way or waiting when the last batch was answered."""
    lingers: Any = None
    """The timer of a batch that waits for more."""


@dataclass(slots=True)
class _Sent:
    lane: _Lane
    calls: list[_Waiting]
    expiry: Any = None
    holds: bool = True
    """Whether it takes its slot: not any more when its answer is late."""


class CallingBus(Bus):
    """The ``Bus`` of a process, over a courier."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier
        self.here: dict[str, Callable[[Sequence[Call[Any]]], list[Any]]] = {}
        """Who answers queries to this process's own service: they do not travel."""
        self._lanes: dict[tuple[str, str, bool], _Lane] = {}
        self._sent: dict[str, _Sent] = {}
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
            return [Unavailable(f"too many calls wait for {service}") for _ in data]
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
        if service in self.here:
            call: Call[Any] = Call(name, data, None, options.get("caller"), current_cause().correlation_id)
            (answer,) = self.here[service]([call])
            envelope: dict[str, Any] | None = query_envelope(answer)
        else:
            envelope = self._call(service, "queries", call_to_wire(name, data, None, options.get("caller")), options)
        if envelope is None:
            raise Unavailable(f"{service} does not answer now")
        if "refused" in envelope:
            raise refusal(envelope)
        return envelope["result"]

    def receive(self, batch_id: str, answers: Sequence[dict[str, Any]]) -> None:
        """Hands the answers of a batch to those who wait; one that came too late is of no account."""
        sent = self._sent.pop(batch_id, None)
        if sent is None:
            return
        told: Sequence[dict[str, Any] | None] = answers
        if len(told) != len(sent.calls):  # nobody knows which is whose
            log.error("other answers than calls", service=sent.lane.service, calls=len(sent.calls), answers=len(told))
            told = [None] * len(sent.calls)
        _tell(sent, told)
        self._free(sent)

    def _call(self, service: str, kind: str, wire: dict[str, Any], options: CallOptions) -> dict[str, Any] | None:
        lane, seconds = self._lane(service, kind, options.get("batched", False)), options.get("timeout")
        seconds = seconds or DEFAULT_SECONDS
        if len(lane.queue) >= MAX_WAITING:
            raise Unavailable(f"too many calls wait for {service}")
        waiting = _Waiting(wire)
        lane.queue.append(waiting)
        with green.Timeout(seconds, False):
            self._send_waiting(lane, seconds)
            return waiting.answer.wait()  # type: ignore[no-any-return]
        if waiting in lane.queue:
            lane.queue.remove(waiting)
            raise Unavailable(f"{service} does not take calls now")
        return None

    def _lane(self, service: str, kind: str, batched: bool) -> _Lane:
        key = (service, kind, batched)
        if key not in self._lanes:
            self._lanes[key] = _Lane(service, kind, BATCH if batched else 1, SLOTS if batched else LONE_SLOTS)
        return self._lanes[key]

    def _send_waiting(self, lane: _Lane, seconds: float) -> None:
        while lane.queue and lane.busy < lane.slots:
            if lane.size > 1 and len(lane.queue) < min(lane.expected, lane.size):
                if lane.lingers is None:
                    lane.lingers = green.call_later(LINGER_SECONDS, self._linger_no_more, lane, seconds)
                return
            if lane.lingers is not None:
                lane.lingers.cancel()
                lane.lingers = None
            calls = [lane.queue.popleft() for _ in range(min(lane.size, len(lane.queue)))]
            batch_id = f"{self._process}-{next(self._numbers)}"
            lane.busy += 1
            sent = self._sent[batch_id] = _Sent(lane, calls)
            late = min(LATE_SECONDS, seconds) if lane.size > 1 else seconds
            sent.expiry = green.call_later(late, self._be_late, batch_id, seconds - late)
            try:
                self._courier.send(lane.service, lane.kind, batch_id, [call.wire for call in calls], seconds)
            except Unavailable as error:
                self._give_up(batch_id, {"refused": error.to_outcome()})
            except BaseException:  # the time-out of the one who sends, or what cannot be sent: the others go on
                self._give_up(batch_id, None)
                green.call_later(0, self._send_waiting, lane, seconds)
                raise

    def _give_up(self, batch_id: str, answer: dict[str, Any] | None) -> None:
        """A batch that did not go: its calls are told, its slot is free. Whoever sent it sends the next, if any."""
        sent = self._sent.pop(batch_id, None)
        if sent is not None:  # not so late that nobody waits for it
            _tell(sent, [answer] * len(sent.calls))
            if sent.holds:
                sent.holds = False
                sent.lane.busy -= 1

    def _linger_no_more(self, lane: _Lane, seconds: float) -> None:
        lane.lingers, lane.expected = None, 1
        self._send_waiting(lane, seconds)

    def _be_late(self, batch_id: str, rest: float) -> None:
        """The batch or its answer may be lost with a process: the next one goes, and this one may still be answered."""
        sent = self._sent.get(batch_id)
        if sent is not None:
            sent.expiry = green.call_later(rest, self._expire, batch_id)
            self._free(sent)

    def _expire(self, batch_id: str) -> None:
        """Nobody waits for it any more: the callers' own time-outs speak for themselves."""
        self._sent.pop(batch_id, None)

    def _free(self, sent: _Sent) -> None:
        if sent.holds:
            sent.holds = False
            sent.lane.busy -= 1
            self._send_waiting(sent.lane, DEFAULT_SECONDS)


def _tell(sent: _Sent, answers: Sequence[dict[str, Any] | None]) -> None:
    """``None``: there is no answer, and nobody knows what became of the call."""
    sent.expiry.cancel()
    for waiting, answer in zip(sent.calls, answers, strict=True):
        waiting.answer.send(answer)
    sent.lane.expected = len(sent.calls) + len(sent.lane.queue)


def call_to_wire(name: str, data: dict[str, Any], key: str | None, caller: Caller | None) -> dict[str, Any]:
    """A call as it is sent; ``read_calls`` is the other side."""
    return {
        "name": name,
        "data": data,
        "key": key,
        "caller": caller.to_wire() if caller else None,
        "correlationId": current_cause().correlation_id,
    }


def _answer(envelope: dict[str, Any] | None) -> Answer | DomainError:
    if envelope is None:
        return OutcomePending("the outcome is not known yet: ask again with the same key")
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
