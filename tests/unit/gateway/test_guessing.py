"""The limit on guessing also holds for concurrent requests (decisions 22 and 32)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import Client

from services.gateway.application.failures import ALLOWED, Attempt, Failures
from services.gateway.ports import EXTENSION
from services.gateway.storage.tables import failures
from services.gateway.web.fast_routes import FastRoutes
from services.gateway.web.hosting import behind_proxies
from shared import green
from shared.eventstore import Store
from shared.kernel.errors import NotFound, TooManyRequests
from shared.messaging.answering import TooBusy
from tests.unit.gateway.test_access import SIGN_IN
from tests.unit.gateway.test_desk import BOOKED, PERSON, refused
from tests.waiting import simulated_timers

MANY = 200
LOOK_UP = ("GET", "/v2/bookings/token/")
USE = ("PATCH", "/public/bookings/v1/use/token/")
KEEP = ("PATCH", "/v2/bookings/keep/token/")
CALLS = {LOOK_UP: "desk-look-up", USE: "desk-use", KEEP: "desk-keep"}


class CheckThenCount(Failures):
    """The control: checks the count first and adds the failure later, which is a race."""

    @contextmanager
    def attempt(self, *subjects: str) -> Iterator[Attempt]:
        self.check(*subjects)
        yield LateAttempt(self, subjects)

    look_up = attempt  # type: ignore[assignment]


class LateAttempt(Attempt):
    def __init__(self, failures: Failures, subjects: tuple[str, ...]) -> None:
        super().__init__(failures)
        self.subjects = list(subjects)

    def take(self, subject: str) -> None:
        self._failures.check(subject)
        self.subjects.append(subject)


class Slow:
    """A slow service that records its calls and how many ran at once."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer
        self.calls = self.max_concurrent = self._concurrent = 0

    def __call__(self, _data: Any, _caller: Any) -> Any:
        self.calls += 1
        self._concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self._concurrent)
        green.sleep(0.002)
        self._concurrent -= 1
        return self._answer()


def unknown() -> Any:
    raise refused(404, "global", "countermark-unknown")


def of_another() -> Any:
    raise refused(403, "user", "not-yours")


def no_such_key() -> Any:
    raise NotFound("no such key")


def at_once(platform: Any, route: tuple[str, str], headers: dict[str, str], fast: bool, many: int = MANY) -> list[int]:
    """The statuses of ``many`` concurrent requests, each for another countermark."""
    client = Client(FastRoutes(platform.ports, platform.app) if fast else platform.app)

    def send(number: int) -> int:
        method, path = route
        return client.open(f"{path}{number:06}", method=method, headers=headers).status_code

    return list(green.Pool(many).imap(send, range(many)))


def rows(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(failures)).scalar_one()


@pytest.fixture
def by_key(api_key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key}"}


@pytest.mark.parametrize("fast", [False, True], ids=["flask", "fast"])
@pytest.mark.parametrize("route", CALLS)
def test_ten_of_many_concurrent_unknown_countermarks_are_answered(
    platform: Any, by_key: dict[str, str], route: tuple[str, str], fast: bool
) -> None:
    booking = Slow(unknown)
    platform.answers("booking", CALLS[route], booking)
    assert Counter(at_once(platform, route, by_key, fast)) == {404: ALLOWED, 429: MANY - ALLOWED}
    assert booking.calls == ALLOWED or route == LOOK_UP
    platform.monotonic[0] += 61
    assert Counter(at_once(platform, route, by_key, fast, 11)) == {404: ALLOWED, 429: 1}


def test_control_check_then_count_lets_more_through(platform: Any, store: Store, by_key: dict[str, str]) -> None:
    platform.answers("booking", "desk-look-up", Slow(unknown))
    platform.ports = replace(platform.ports, failures=CheckThenCount(store, lambda: platform.monotonic[0]))
    platform.app.extensions[EXTENSION] = platform.ports
    assert Counter(at_once(platform, LOOK_UP, by_key, True))[404] > ALLOWED


@pytest.mark.parametrize("fast", [False, True], ids=["flask", "fast"])
def test_concurrent_look_ups_of_known_countermarks_write_nothing(
    platform: Any, store: Store, by_key: dict[str, str], fast: bool
) -> None:
    booking = Slow(lambda: BOOKED)
    platform.answers("booking", "desk-look-up", booking)
    platform.answers("identity", "people", {"people": {"42": PERSON}})
    assert Counter(at_once(platform, LOOK_UP, by_key, fast)) == {200: MANY}
    assert booking.max_concurrent > ALLOWED, "look-ups do not wait for each other"
    assert rows(store) == 0
    assert not platform.ports.failures._subjects, "a subject without failures is forgotten"


def test_concurrent_validations_are_limited_by_the_failures_left(platform: Any, by_key: dict[str, str]) -> None:
    platform.answers("booking", "desk-use", refused(404, "global"))
    assert at_once(platform, USE, by_key, True, 7) == [404] * 7
    booking = Slow(lambda: BOOKED)
    platform.answers("booking", "desk-use", booking)
    assert Counter(at_once(platform, USE, by_key, True, 50)) == {204: 50}
    assert booking.max_concurrent == 3


@pytest.mark.parametrize("fast", [False, True], ids=["flask", "fast"])
def test_a_result_is_withheld_once_too_many_attempts_failed(platform: Any, by_key: dict[str, str], fast: bool) -> None:
    """Both a booking, and that a booking of another structure exists."""
    answers = iter([*[unknown] * ALLOWED, lambda: BOOKED, of_another, unknown])
    platform.answers("booking", "desk-look-up", Slow(lambda: next(answers)()))
    platform.answers("identity", "people", {"people": {"42": PERSON}})
    statuses = at_once(platform, LOOK_UP, by_key, fast, ALLOWED + 3)
    assert statuses == [*[404] * ALLOWED, 429, 429, 429]


def test_ten_of_many_concurrent_api_keys_are_answered(platform: Any) -> None:
    identity = Slow(no_such_key)
    platform.answers("identity", "api-key", identity)
    client = Client(FastRoutes(platform.ports, platform.app))

    def send(number: int) -> int:
        headers = {"Authorization": f"Bearer guess-{number}"}
        return client.get("/v2/bookings/token/ABCDEF", headers=headers).status_code

    assert Counter(green.Pool(50).imap(send, range(50))) == {401: ALLOWED, 429: 40}


def test_ten_of_many_concurrent_sign_ins_from_an_address_are_tried(platform: Any) -> None:
    identity = Slow(unknown)
    platform.answers("identity", "sign-in", identity)

    def send(number: int) -> int:
        body = {**SIGN_IN, "email": f"zoe{number}@example.org"}
        return platform.app.test_client().post("/v1/auth/sign-in", json=body).status_code

    assert Counter(green.Pool(50).imap(send, range(50))) == {404: ALLOWED, 429: 40}
    assert identity.calls == ALLOWED


def test_waiting_too_long_for_an_attempt_is_refused_and_releases_the_rest(store: Store) -> None:
    failures = Failures(store, lambda: 1_000.0, wait_seconds=0.02)
    done: list[str] = []

    def attempt(seconds: float) -> None:
        try:
            with failures.attempt("somebody"):
                green.sleep(seconds)
            done.append("finished")
        except TooBusy:
            done.append("busy")

    with simulated_timers():
        pool = green.Pool()
        for _ in range(ALLOWED):
            pool.spawn(attempt, 0.05)
        green.sleep(0)
        for _ in range(3):
            pool.spawn(attempt, 0)
        pool.waitall()
    assert Counter(done) == {"finished": ALLOWED, "busy": 3}
    attempt(0)
    assert done[-1] == "finished"
    assert not failures._subjects


def test_replicas_share_the_failures(store: Store) -> None:
    one, other = (Failures(store, lambda: 1_000.0) for _ in range(2))
    for _ in range(ALLOWED):
        with one.attempt("somebody", "elsewhere") as attempt:
            attempt.failed()
    with pytest.raises(TooManyRequests) as refusal, other.attempt("elsewhere"):
        pass
    assert refusal.value.extra["retryAfter"] == 61
    with other.attempt("somebody else"):
        pass


@pytest.mark.parametrize("trusted", [0, 1, 2])
@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("9.9.9.9, 203.0.113.7, 10.0.0.3", ["10.0.0.1", "10.0.0.3", "203.0.113.7"]),
        ("203.0.113.7", ["10.0.0.1", "203.0.113.7", "10.0.0.1"]),
        (None, ["10.0.0.1"] * 3),
    ],
)
def test_the_client_address_is_taken_from_the_outermost_trusted_proxy(
    trusted: int, forwarded: str | None, expected: list[str]
) -> None:
    addresses: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        addresses.append(environ["REMOTE_ADDR"])
        start_response("204 NO CONTENT", [])
        return []

    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
    Client(behind_proxies(application, trusted)).get("/", headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.1"})
    assert addresses == [expected[trusted]]


@pytest.mark.parametrize("trusted", [0, 1])
def test_failures_behind_a_trusted_proxy_count_per_client(platform: Any, trusted: int) -> None:
    client = Client(behind_proxies(FastRoutes(platform.ports, platform.app), trusted))

    def guess(number: int, caller: str) -> int:
        headers = {"Authorization": f"Bearer guess-{number}", "X-Forwarded-For": caller}
        return client.get("/v2/bookings/token/ABCDEF", headers=headers).status_code

    assert [guess(number, "203.0.113.7") for number in range(ALLOWED + 1)] == [401] * ALLOWED + [429]
    assert guess(99, "203.0.113.8") == (401 if trusted else 429)
    assert guess(99, "203.0.113.8, 203.0.113.7") == 429, "an X-Forwarded-For of the client is ignored"
