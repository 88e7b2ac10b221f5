"""The entrypoints for commands and queries: deliver batches of calls to the service, and send its answers back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, TypeVar

import orjson
import structlog
from nameko.extensions import Entrypoint

from shared import green
from shared.eventstore.outcomes import Call
from shared.hosting.hosted import HostedProcess
from shared.kernel.errors import Unavailable
from shared.messaging.answering import BadData, command_envelope, query_envelope, unexpected_error
from shared.messaging.connections import Inbox, Sender
from shared.messaging.reading import Unreadable, read_calls, skip
from shared.messaging.topology import calls_queue

log = structlog.get_logger()
PREFETCH_CALLS = 16

Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Return:
    """The return address of a batch. An unreadable call of the batch is None."""

    queue: str
    batch_id: str
    batch: Sequence[Call[Any] | None]

    def with_refusals(self, answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers, and refusals of the unreadable calls, in the order of the batch."""
        rest = iter(answers)
        unreadable = {"refused": BadData().to_outcome()}
        return [unreadable if call is None else next(rest) for call in self.batch]


class _TakesCalls(Entrypoint, ABC):
    """Delivers batches of calls to the decorated method, and sends its answers back."""

    kind: ClassVar[str]
    host = HostedProcess()

    def start(self) -> None:
        self._stopped = False
        self._inbox: Inbox | None = None
        settings = self.host.settings
        self._queue = calls_queue(settings.namespace, self.container.service_name, self.kind)
        self._answers = Sender(settings.amqp_uri)
        self.host.spawn(self.kind, self._step, on_error=self._close_inbox)

    def stop(self) -> None:
        self._stopped = True

    def _step(self) -> None:
        if self._stopped:
            green.sleep(0.05)
            return
        if self._inbox is None:
            self._inbox = Inbox(self.host.settings.amqp_uri, [self._queue], prefetch=PREFETCH_CALLS)
        for message in self._inbox.take(PREFETCH_CALLS, 1.0):
            # acknowledged before it is handled: after a crash the caller's time-out ends, and it repeats the call
            self._inbox.acknowledge(message)
            self._take(message)

    def _take(self, message: Any) -> None:
        """Handles a batch in a worker. An unreadable call is refused; an unreadable batch has no answer."""
        try:
            batch = read_calls(message.body)
            back = _Return(message.properties["reply_to"], message.properties["correlation_id"], batch)
        except (Unreadable, KeyError) as error:
            skip(self.container.service_name, self.kind, error)
            return
        calls = [call for call in batch if call is not None]
        if len(calls) < len(batch):
            skip(self.container.service_name, self.kind, Unreadable("a call in a batch"))
        if calls:
            self.container.spawn_worker(self, (calls,), {}, handle_result=partial(self._reply, back))
        else:
            self._answer(back, calls, [], None)

    def _close_inbox(self) -> None:
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            inbox.close()

    def _reply(self, back: _Return, worker: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
        self._answer(back, worker.args[0], result, exc_info)
        return result, exc_info

    def _answer(self, back: _Return, calls: Sequence[Call[Any]], result: Any, exc_info: Any) -> None:
        """Raises nothing: nameko would end the process for it."""
        try:
            envelopes = self._envelopes(calls, result, exc_info)
            try:
                self._answers.send_answers(back.queue, back.batch_id, back.with_refusals(envelopes))
            except orjson.JSONEncodeError:  # one of the answers is no JSON: the others are sent
                envelopes = [_in_json(*pair) for pair in zip(calls, envelopes, strict=True)]
                self._answers.send_answers(back.queue, back.batch_id, back.with_refusals(envelopes))
        except Unavailable:
            log.warning("answers not sent", service=self.container.service_name, kind=self.kind)
        except Exception:
            log.exception("answers not sent", service=self.container.service_name, kind=self.kind)

    def _envelopes(self, calls: Sequence[Call[Any]], result: Any, exc_info: Any) -> list[dict[str, Any]]:
        if exc_info is None:
            return [self.envelope(answer) for answer in result]
        error = exc_info[1]
        refusal = error if isinstance(error, Unavailable) else unexpected_error(calls[0], error)
        return [{"refused": refusal.to_outcome()} for _ in calls]

    @abstractmethod
    def envelope(self, answer: Any) -> dict[str, Any]:
        """An answer as it is sent over the bus."""


class TakesCommands(_TakesCalls):
    kind = "commands"

    def envelope(self, answer: Any) -> dict[str, Any]:
        return command_envelope(answer)


class TakesQueries(_TakesCalls):
    kind = "queries"

    def envelope(self, answer: Any) -> dict[str, Any]:
        return query_envelope(answer)


def _in_json(call: Call[Any], envelope: dict[str, Any]) -> dict[str, Any]:
    """The envelope, or an internal error if it is no JSON."""
    try:
        orjson.dumps(envelope)
    except orjson.JSONEncodeError as error:
        return {"refused": unexpected_error(call, error).to_outcome()}
    return envelope


def takes_commands(method: Method) -> Method:
    """Decorates the method of a service class that handles batches of commands."""
    decorated: Method = TakesCommands.decorator(method)
    return decorated


def takes_queries(method: Method) -> Method:
    """Decorates the method of a service class that answers batches of queries."""
    decorated: Method = TakesQueries.decorator(method)
    return decorated
