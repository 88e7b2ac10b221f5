"""Runs a batch of commands or queries against a service: stored outcomes, transactions, refusals, second tries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import structlog

from shared.eventstore import Conflict, Store
from shared.eventstore.context import caused_by, noting_positions
from shared.eventstore.outcomes import Call, KeyReused, Outcome, Repeated, find_outcomes
from shared.kernel.errors import DomainError, Invalid, NotFound, Unavailable
from shared.messaging.calls import CommandHandler, QueryHandler, ReadMany
from shared.observability import metrics

log = structlog.get_logger()
ATTEMPTS = 8
Answered = tuple[Outcome, int | None, bool]
"""What was decided, the last published position that it led to, and whether it is a repetition."""


class UnknownCall(NotFound):
    code = "unknown-call"
    DETAIL = "La plateforme est en cours de mise à jour : réessayez dans quelques minutes."


class InternalError(DomainError):
    status = 500
    code = "internal-error"
    DETAIL = "Une erreur est survenue de notre côté, et nous l’avons enregistrée : réessayez plus tard."


class BadData(Invalid):
    code = "invalid"
    DETAIL = "Cette demande est illisible : vérifiez son contenu."


class TooBusy(Unavailable):
    code = "too-busy"
    DETAIL = "Trop de demandes arrivent en même temps : réessayez dans quelques instants."


class Commands:
    """Decides batches of commands."""

    def __init__(self, store: Store, handlers: Mapping[str, CommandHandler]) -> None:
        self._store = store
        self._handlers = handlers

    def decide(self, calls: Sequence[Call[Any]]) -> list[Answered]:
        """An answer for each call, in order. Calls of one name that follow each other are decided together."""
        service = self._store.publication.service
        with metrics.command_batches.labels(service).time():
            answered = self._decide(calls)
        for call, (outcome, _, replayed) in zip(calls, answered, strict=True):
            name = call.name if call.name in self._handlers else "unknown"
            code = outcome.code if isinstance(outcome, DomainError) else "ok"
            metrics.commands.labels(service, name, "replayed" if replayed else code).inc()
        return answered

    def _decide(self, calls: Sequence[Call[Any]]) -> list[Answered]:
        checked = [_checked(call, self._handlers, "command") for call in calls]
        valid = [call for call in checked if isinstance(call, Call)]
        answered: list[Answered] = []
        for name, group in groupby(valid, key=lambda call: call.name):
            handler = self._handlers[name]
            if handler.one:
                answered.extend(self._one(handler, call) for call in group)
            else:
                answered.extend(self._batch(handler, list(group)))
        if len(valid) == len(calls):
            return answered
        rest = iter(answered)
        pairs = zip(calls, checked, strict=True)
        return [next(rest) if isinstance(found, Call) else self._refused(call, found) for call, found in pairs]

    def _refused(self, call: Call[Any], refusal: DomainError) -> Answered:
        """A call that no handler saw. An older release may have accepted it under its key: then that answer holds."""
        if call.key is not None:
            try:
                known = self._answered_before([call])
            except Unavailable as unavailable:
                return unavailable, None, False
            if known:
                return _replayed(known[(call.owner(), call.key)])
        return refusal, None, False

    def _one(self, handler: CommandHandler, call: Call[Any]) -> Answered:
        assert handler.one is not None
        with caused_by(call.correlation_id, f"{call.owner()}:{call.key or call.name}"):
            for _ in range(ATTEMPTS):
                try:
                    return self._attempt(handler, call)
                except Conflict:
                    continue
                except Unavailable as refusal:
                    return refusal, None, False
                except Exception as error:
                    return unexpected_error(call, error), None, False
            return TooBusy(), None, False

    def _attempt(self, handler: CommandHandler, call: Call[Any]) -> Answered:
        assert handler.one is not None
        try:
            with self._store.transaction() as tx:
                known = tx.outcomes.find([call]) if call.key else {}
                if known:
                    return _replayed(known[(call.owner(), call.key or "")])
                result = handler.one(tx, call)
                tx.outcomes.store(call, result)
            return result, tx.position, False
        except (Unavailable, Conflict):
            raise
        except DomainError as refusal:
            return self._refuse(call, refusal)

    def _refuse(self, call: Call[Any], refusal: DomainError) -> Answered:
        """Stores the refusal in a new transaction: the command's own was rolled back."""
        if call.key is not None:
            with self._store.transaction() as tx:
                known = tx.outcomes.find([call])
                if known:
                    return _replayed(known[(call.owner(), call.key)])
                tx.outcomes.store(call, refusal)
        return refusal, None, False

    def _batch(self, handler: CommandHandler, calls: list[Call[Any]]) -> list[Answered]:
        """Decides a batch. Calls that repeat a key within the batch get the answer of the first one."""
        first: dict[tuple[str, str], int] = {}
        fresh = []
        for index, call in enumerate(calls):
            if call.key is None or first.setdefault((call.owner(), call.key), index) == index:
                fresh.append(index)
        answers: dict[int, Answered] = {}
        decide = self._bulk if handler.bulk else self._saga
        for index, answer in zip(fresh, decide(handler, [calls[index] for index in fresh], ATTEMPTS), strict=True):
            answers[index] = answer
        for index, call in enumerate(calls):
            if index not in answers:
                leader = first[(call.owner(), call.key or "")]
                if calls[leader].fingerprint() == call.fingerprint():
                    answers[index] = (answers[leader][0], answers[leader][1], True)
                else:
                    answers[index] = self._one_of(handler, call)
        return [answers[index] for index in range(len(calls))]

    def _one_of(self, handler: CommandHandler, call: Call[Any]) -> Answered:
        return (self._bulk if handler.bulk else self._saga)(handler, [call], ATTEMPTS)[0]

    def _bulk(self, handler: CommandHandler, calls: list[Call[Any]], attempts: int) -> list[Answered]:
        """Decides a batch in one transaction, bisecting on a conflict or failure, so that only one call fails."""
        assert handler.bulk is not None
        try:
            with caused_by(calls[0].correlation_id, f"batch:{calls[0].name}"), self._store.transaction() as tx:
                known = tx.outcomes.find(calls)
                rest = [call for call in calls if (call.owner(), call.key or "") not in known]
                decided = list(handler.bulk(tx, rest)) if rest else []
                tx.outcomes.store_many(
                    [pair for pair in zip(rest, decided, strict=True) if not isinstance(pair[1], Unavailable)]
                )
        except Unavailable as refusal:
            return [(refusal, None, False) for _ in calls]
        except Exception as error:
            return self._bisect(self._bulk, handler, calls, attempts, error)
        answers = iter(decided)
        return [
            _replayed(known[key])
            if (key := (call.owner(), call.key or "")) in known
            else (next(answers), tx.position, False)
            for call in calls
        ]

    def _bisect(
        self,
        decide: Callable[[CommandHandler, list[Call[Any]], int], list[Answered]],
        handler: CommandHandler,
        calls: list[Call[Any]],
        attempts: int,
        error: Exception,
    ) -> list[Answered]:
        if len(calls) > 1:
            half = len(calls) // 2
            return decide(handler, calls[:half], attempts) + decide(handler, calls[half:], attempts)
        if not isinstance(error, Conflict):
            return [(unexpected_error(calls[0], error), None, False)]
        if attempts > 1:
            return decide(handler, calls, attempts - 1)
        return [(TooBusy(), None, False)]

    def _saga(self, handler: CommandHandler, calls: list[Call[Any]], _attempts: int) -> list[Answered]:
        """Runs calls with a key together: if they are run again, the handler finds by the key what is done already.

        A call without a key runs alone, so that the failure of another call never makes it run twice.
        """
        answered: list[Answered] = []
        for together, group in groupby(calls, key=lambda call: handler.each is None and call.key is not None):
            batch = list(group)
            for part in [batch] if together else [[call] for call in batch]:
                answered.extend(self._run_saga(handler, part, 1))
        return answered

    def _run_saga(self, handler: CommandHandler, calls: list[Call[Any]], attempts: int) -> list[Answered]:
        """Runs a saga for a batch, bisecting on a conflict or failure, so that only one call fails."""
        try:
            known = {} if handler.resuming else self._answered_before(calls)
            rest = [call for call in calls if (call.owner(), call.key or "") not in known]
            with caused_by(calls[0].correlation_id, f"batch:{calls[0].name}"), noting_positions() as positions:
                decided = _run(handler, rest)
        except Unavailable as refusal:
            return [(refusal, None, False) for _ in calls]
        except Exception as error:
            if isinstance(error, DomainError) and len(calls) == 1:
                return [(error, None, False)]
            return self._bisect(self._run_saga, handler, calls, attempts, error)
        position, answers = max(positions, default=None), iter(decided)
        return [
            _replayed(known[key])
            if (key := (call.owner(), call.key or "")) in known
            else _answered(next(answers), position)
            for call in calls
        ]

    def _answered_before(self, calls: list[Call[Any]]) -> dict[tuple[str, str], Outcome]:
        with self._store.reading() as connection:
            return find_outcomes(connection, calls)


def _run(handler: CommandHandler, calls: list[Call[Any]]) -> Sequence[Outcome | Repeated]:
    if handler.each is not None:
        return [handler.each(call) for call in calls]
    together = handler.saga or handler.resuming
    return together(calls) if together is not None and calls else []


class Queries:
    """Answers batches of queries."""

    def __init__(self, store: Store, handlers: Mapping[str, QueryHandler]) -> None:
        self._store = store
        self._handlers = handlers

    def answer(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """A JSON-ready answer or a DomainError for each call, in order."""
        answers = self._answer(calls)
        for call, answer in zip(calls, answers, strict=True):
            name = call.name if call.name in self._handlers else "unknown"
            code = answer.code if isinstance(answer, DomainError) else "ok"
            metrics.queries.labels(self._store.publication.service, name, code).inc()
        return answers

    def _answer(self, calls: Sequence[Call[Any]]) -> list[Any]:
        checked = [_checked(call, self._handlers, "query") for call in calls]
        answers: list[Any] = []
        for name, group in groupby((call for call in checked if isinstance(call, Call)), key=lambda call: call.name):
            handler = self._handlers[name]
            if handler.read_many:
                answers.extend(self._run_saga(handler.read_many, list(group)))
            else:
                answers.extend(self._alone(handler, call) for call in group)
        rest = iter(answers)
        return [next(rest) if isinstance(found, Call) else found for found in checked]

    def _run_saga(self, handler: ReadMany, calls: list[Call[Any]]) -> Sequence[Any]:
        try:
            with self._store.reading() as connection:
                return handler(connection, calls)
        except DomainError as refusal:
            return [refusal for _ in calls]
        except Exception as error:
            if len(calls) == 1:
                return [unexpected_error(calls[0], error)]
            return [answer for call in calls for answer in self._run_saga(handler, [call])]

    def _alone(self, handler: QueryHandler, call: Call[Any]) -> Any:
        try:
            with caused_by(call.correlation_id, f"query:{call.name}"):
                if handler.calling:
                    return handler.calling(call)
                assert handler.read is not None
                with self._store.snapshot() as connection:
                    return handler.read(connection, call)
        except DomainError as refusal:
            return refusal
        except Exception as error:
            return unexpected_error(call, error)


def _checked(
    call: Call[Any], handlers: Mapping[str, CommandHandler] | Mapping[str, QueryHandler], kind: str
) -> Call[Any] | DomainError:
    """The call with its typed body, or the refusal of an unknown name, a caller without authority or invalid data."""
    handler = handlers.get(call.name)
    if handler is None:
        return UnknownCall(reason=f"no {kind} {call.name[:100]!r}")
    try:
        handler.contract.BY.check(call.caller)
        return replace(call, body=handler.contract.read(call.data))
    except DomainError as refusal:
        return refusal


def unexpected_error(call: Call[Any], error: Exception) -> DomainError:
    """Logs an unexpected exception with its traceback. Returns the refusal for the caller, which has no details."""
    log.error("call failed", call=call.name, error=repr(error), exc_info=error)
    return InternalError()


def _replayed(outcome: Outcome) -> Answered:
    """The answer of a stored outcome. Marked as replayed, unless the key was reused with other data."""
    return outcome, None, not isinstance(outcome, KeyReused)


def _answered(answer: Outcome | Repeated, position: int | None) -> Answered:
    return _replayed(answer.outcome) if isinstance(answer, Repeated) else (answer, position, False)


def command_envelope(answer: Answered) -> dict[str, Any]:
    """The wire format of a command's answer."""
    outcome, position, replayed = answer
    if isinstance(outcome, DomainError):
        return {"refused": outcome.to_outcome(), "replayed": replayed}
    return {"result": outcome, "position": position, "replayed": replayed}


def query_envelope(answer: Any) -> dict[str, Any]:
    """The wire format of a query's answer."""
    return {"refused": answer.to_outcome()} if isinstance(answer, DomainError) else {"result": answer}
