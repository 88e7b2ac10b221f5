"""Commands and queries: batches of calls are brought to the service, and its answers back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import orjson
import structlog
from nameko.extensions import Entrypoint

from shared import green
from shared.eventstore.outcomes import Call
from shared.kernel.errors import Unavailable
from shared.messaging.answering import BadData, command_envelope, query_envelope, surprise
from shared.messaging.connections import Inbox, Sender
from shared.messaging.extensions.hosting import HostedProcess
from shared.messaging.reading import Unreadable, pass_over, read_calls
from shared.messaging.topology import calls_queue

log = structlog.get_logger()
PREFETCH_CALLS = 16


@dataclass(frozen=True, slots=True)
class _Back:
    """Where the answers of a batch go, and which of its calls could not be read."""

    queue: str
    batch_id: str
    batch: Sequence[Call[Any] | None]

    def whole(self, answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """With the refusals of what could not be read, in the order of the batch."""
        rest = iter(answers)
        no_call = {"refused": BadData("this is no call").to_outcome()}
        return [no_call if call is None else next(rest) for call in self.batch]


class _TakesCalls(Entrypoint, ABC):
    """Brings batches of calls to the decorated method, and its answers back."""

    kind: ClassVar[str]
    host = HostedProcess()

    def start(self) -> None:
        self._stopped = False
        self._inbox: Inbox | None = None
        settings = self.host.settings
        self._queue = calls_queue(settings.namespace, self.container.service_name, self.kind)
        self._answers = Sender(settings.amqp_uri)
        self.host.spawn(self.kind, self._step, after_trouble=self._drop_inbox)

    def stop(self) -> None:
        self._stopped = True

    def _step(self) -> None:
        if self._stopped:
            green.sleep(0.05)
            return
        if self._inbox is None:
            self._inbox = Inbox(self.host.settings.amqp_uri, [self._queue], prefetch=PREFETCH_CALLS)
        for message in self._inbox.take(PREFETCH_CALLS, 1.0):
            # acknowledged when a worker takes it: what is lost in a crash is asked again by whoever waits
            self._inbox.acknowledge(message)
            self._take(message)

    def _take(self, message: Any) -> None:
        """Hands a batch to a worker. What is no call is refused beside the others; what is no batch has no answer."""
        try:
            batch = read_calls(message.body)
            back = _Back(message.properties["reply_to"], message.properties["correlation_id"], batch)
        except (Unreadable, KeyError) as error:
            pass_over(self.container.service_name, self.kind, error)
            return
        calls = [call for call in batch if call is not None]
        if len(calls) < len(batch):
            pass_over(self.container.service_name, self.kind, Unreadable("a call among others"))
        if calls:
            self.container.spawn_worker(self, (calls,), {}, handle_result=partial(self._reply, back))
        else:
            self._answer(back, calls, [], None)

    def _drop_inbox(self) -> None:
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            inbox.close()

    def _reply(self, back: _Back, worker: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
        self._answer(back, worker.args[0], result, exc_info)
        return result, exc_info

    def _answer(self, back: _Back, calls: Sequence[Call[Any]], result: Any, exc_info: Any) -> None:
        """Raises nothing: nameko would end the process, with all that it does for others."""
        try:
            envelopes = self._envelopes(calls, result, exc_info)
            try:
                self._answers.send_answers(back.queue, back.batch_id, back.whole(envelopes))
            except orjson.JSONEncodeError:  # one of them is no JSON, the others are
                envelopes = [_in_json(*pair) for pair in zip(calls, envelopes, strict=True)]
                self._answers.send_answers(back.queue, back.batch_id, back.whole(envelopes))
        except Unavailable:
            log.warning("an answer could not be sent", service=self.container.service_name, kind=self.kind)
        except Exception:
            log.exception("an answer could not be sent", service=self.container.service_name, kind=self.kind)

    def _envelopes(self, calls: Sequence[Call[Any]], result: Any, exc_info: Any) -> list[dict[str, Any]]:
        if exc_info is None:
            return [self.envelope(answer) for answer in result]
        error = exc_info[1]
        told = error if isinstance(error, Unavailable) else surprise(calls[0], error)
        return [{"refused": told.to_outcome()} for _ in calls]

    @abstractmethod
    def envelope(self, answer: Any) -> dict[str, Any]:
        """An answer as it goes back over the bus."""


class TakesCommands(_TakesCalls):
    kind = "commands"

    def envelope(self, answer: Any) -> dict[str, Any]:
        return command_envelope(answer)


class TakesQueries(_TakesCalls):
    kind = "queries"

    def envelope(self, answer: Any) -> dict[str, Any]:
        return query_envelope(answer)


def _in_json(call: Call[Any], envelope: dict[str, Any]) -> dict[str, Any]:
    """The envelope, or, where it is no JSON, the one that says so."""
    try:
        orjson.dumps(envelope)
    except orjson.JSONEncodeError as error:
        return {"refused": surprise(call, error).to_outcome()}
    return envelope


takes_commands = TakesCommands.decorator
takes_queries = TakesQueries.decorator
