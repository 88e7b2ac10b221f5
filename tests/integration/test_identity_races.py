"""Races on PostgreSQL: what must be unique stays unique under concurrency.

Each guard has a control test: the same race in a database without the guard, where the same oracle finds the damage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.identity.storage import tables
from shared import green
from shared.kernel.errors import DomainError
from shared.notifications.storage import notifications
from shared.projections.rebuilding import compare
from tests.integration.conftest import Empty
from tests.servers import Schema, own_database
from tests.unit.identity.platform_of_identity import PASSWORD, Platform

LOCKS, STREAMS = "row locks", "stored_events"
"""Guards that a control removes, beside unique keys of tables."""


@pytest.fixture
def platform(empty: Empty, tmp_path: Path) -> Platform:
    return Platform(tmp_path, engine=empty("identity"))


@contextmanager
def slow_platform(folder: Path, seconds: float) -> Iterator[Platform]:
    """On a database of its own, whose guards a control may remove. After each statement other green threads run."""
    with own_database() as url:
        engine = Schema(url, "identity").engine

        @sa.event.listens_for(engine, "after_cursor_execute")
        def yield_to_others(*_: Any) -> None:
            green.sleep(seconds)

        yield Platform(folder, engine=engine)
        engine.dispose()


def at_once(times: int, do: Callable[[int], Any]) -> list[Any]:
    """The outcome of each call: a result, a refusal or an error."""

    def attempt(number: int) -> Any:
        try:
            return do(number)
        except Exception as error:  # the other outcomes still count; no oracle counts an error as done
            return error

    pool = green.Pool(times)
    return list(pool.imap(attempt, range(times)))


def codes(outcomes: list[Any]) -> Counter[str]:
    def name_of(outcome: Any) -> str:
        if isinstance(outcome, DomainError):
            return outcome.code
        return type(outcome).__name__ if isinstance(outcome, Exception) else "done"

    return Counter(name_of(outcome) for outcome in outcomes)


def rows(platform: Platform, table: sa.Table) -> list[Any]:
    with platform.store.reading() as connection:
        return list(connection.execute(sa.select(table)))


def sign_up(platform: Platform) -> list[Any]:
    return at_once(8, lambda _: platform.sign_up())


def confirm_a_siren(platform: Platform) -> list[Any]:
    emails = [f"pro{number}@example.org" for number in range(8)]
    for email in emails:
        platform.sign_up_pro(email)
    return at_once(8, lambda number: platform.confirm(emails[number]))


def refresh(platform: Platform) -> list[Any]:
    platform.young()
    pair = platform.send("sign-in", {"email": "zoe@example.org", "password": PASSWORD})
    return at_once(8, lambda _: platform.send("refresh", {"refreshToken": pair["refreshToken"]}))


def follow_a_link(platform: Platform) -> list[Any]:
    platform.sign_up()
    token = platform.token_for("zoe@example.org")
    return at_once(4, lambda _: platform.send("confirm-email", {"token": token}))


def confirm_a_phone(platform: Platform) -> list[Any]:
    people = [platform.young(f"p{number}@example.org", lastName=f"M{number}") for number in range(3)]
    found = []
    for who in people:
        platform.send("send-phone-code", {}, who)
        found.append(platform.sms_code("+33610000001"))
    return at_once(3, lambda n: platform.send("confirm-phone-code", {"code": found[n]}, people[n]))


def show_a_document(platform: Platform) -> list[Any]:
    people = []
    for number in range(3):
        phone = f"+3361000000{number}"
        people.append(platform.young(f"p{number}@example.org", lastName=f"M{number}", phoneNumber=phone))
        platform.confirm_phone(people[-1], phone)
    document = {"documentNumber": "12345678"}
    return at_once(3, lambda n: platform.check_identity(people[n], lastName=f"M{n}", **document)["outcome"])


def make_keys(platform: Platform) -> list[Any]:
    who = platform.pro()
    return at_once(9, lambda _: platform.send("create-api-key", {"offererId": 1}, who))


def guess_a_code(platform: Platform) -> list[Any]:
    who = platform.young()
    platform.send("send-phone-code", {}, who)
    wrong = "000000" if platform.sms_code("+33610000001") != "000000" else "111111"
    return at_once(9, lambda _: platform.send("confirm-phone-code", {"code": wrong}, who))


def take_the_last_step(platform: Platform) -> list[Any]:
    who = platform.young()
    platform.confirm_phone(who)
    platform.check_identity(who)
    return at_once(6, lambda _: platform.complete(who))


def run_the_timer(platform: Platform) -> list[Any]:
    platform.clock.move_to(datetime(2022, 1, 10, 9, tzinfo=UTC))
    for number in range(4):
        email, name = f"p{number}@example.org", f"M{number}"
        who = platform.young(email, birthDate="2006-06-15", lastName=name)
        platform.check_identity(who, birthDate="2006-06-15", lastName=name)
        platform.complete(who)
    platform.clock.move_to(datetime(2022, 7, 1, tzinfo=UTC))
    (timer,) = platform.service.timers
    return at_once(4, lambda _: timer.run(platform.clock.now()))


def people_in(platform: Platform, name: str) -> list[int]:
    return sorted(data["personId"] for message, data in platform.messages() if message == name)


def test_concurrent_sign_ups_with_one_address_open_one_account(platform: Platform) -> None:
    assert codes(sign_up(platform)) == {"done": 8}
    assert len(rows(platform, tables.people)) == len(rows(platform, tables.credentials)) == 1
    assert set(platform.keys.read(range(-1, 10))) == {-1, 0, 1}, "one person's key, and the two of the platform"


def test_concurrent_confirmations_of_one_siren_register_one_structure(platform: Platform) -> None:
    assert codes(confirm_a_siren(platform)) == {"done": 8}
    assert len(rows(platform, tables.offerers)) == 1
    assert Counter(row.status for row in rows(platform, tables.attachments)) == {"approved": 1, "pending": 7}


def test_concurrent_uses_of_one_refresh_token_give_one_session(platform: Platform) -> None:
    assert codes(refresh(platform)) == {"done": 1, "token-invalid": 7}
    family = {row.family: row.state for row in rows(platform, tables.refresh_tokens) if row.state != "fresh"}
    assert set(family.values()) == {"revoked"}


def test_concurrent_uses_of_one_link_succeed_once(platform: Platform) -> None:
    assert codes(follow_a_link(platform)) == {"done": 1, "link-invalid": 3}


def test_concurrent_confirmations_of_one_phone_succeed_once(platform: Platform) -> None:
    assert codes(confirm_a_phone(platform)) == {"done": 1, "phone-taken": 2}
    assert len(rows(platform, tables.claims)) == 1


def test_concurrent_checks_of_one_document_are_ok_once(platform: Platform) -> None:
    assert sorted(show_a_document(platform)) == ["ok", "suspicious", "suspicious"]


def test_concurrent_requests_create_at_most_five_api_keys(platform: Platform) -> None:
    found = codes(make_keys(platform))
    assert found["done"] == 5 == len(rows(platform, tables.api_keys))
    assert set(found) <= {"done", "too-many-api-keys", "too-busy"}


def test_concurrent_attempts_give_no_more_tries_of_a_code(platform: Platform) -> None:
    found = codes(guess_a_code(platform))
    assert found["code-invalid"] == 3
    assert set(found) <= {"code-invalid", "too-many-requests", "too-busy"}


@pytest.mark.parametrize("call", ["sign-in", "change-password"])
def test_concurrent_attempts_give_no_more_guesses_of_a_password(platform: Platform, call: str) -> None:
    who = platform.young()
    bodies = {
        "sign-in": {"email": "zoe@example.org", "password": "wrong"},
        "change-password": {"currentPassword": "wrong", "password": PASSWORD},
    }
    found = codes(at_once(30, lambda _: platform.send(call, bodies[call], who)))
    assert found == {"credentials-invalid": 10, "too-many-requests": 20}


def test_concurrent_successes_leave_no_failure_counted(platform: Platform) -> None:
    platform.young()

    def counted() -> dict[str, int]:
        return {row.subject: row.failed for row in rows(platform, tables.failures) if row.failed}

    before = counted()
    right = {"email": "zoe@example.org", "password": PASSWORD}
    assert codes(at_once(8, lambda _: platform.send("sign-in", right)))["done"] == 8
    assert counted() == before


def test_concurrent_resets_are_limited_per_address(platform: Platform) -> None:
    platform.young()
    before = len(platform.post.to("zoe@example.org"))
    at_once(30, lambda _: platform.send("request-password-reset", {"email": "zoe@example.org"}))
    platform.run_tasks()
    assert len(platform.post.to("zoe@example.org")) - before == 10


def test_concurrent_last_steps_give_one_credit(platform: Platform) -> None:
    take_the_last_step(platform)
    assert len(people_in(platform, "BeneficiaryActivated")) == 1


def test_concurrent_timers_publish_a_birthday_once(platform: Platform) -> None:
    run_the_timer(platform)
    assert people_in(platform, "BirthdayReached") == [1, 2, 3, 4]


def test_concurrent_senders_send_each_notification_once(platform: Platform) -> None:
    with platform.store.transaction() as tx:
        for number in range(120):
            platform.outbox.write(tx, platform.ports.mails.code(f"+336100{number:05d}", "123456"), key="x")
    for _ in range(3):
        at_once(4, lambda _: platform.outbox.send_due())
    assert Counter(each.to for each in platform.post.sent) == {f"+336100{number:05d}": 1 for number in range(120)}
    assert {row.state for row in rows(platform, notifications)} == {"sent"}


def test_read_models_are_folds_of_the_log_on_postgresql(platform: Platform) -> None:
    platform.beneficiary()
    platform.pro()
    for projection in platform.store.projections:
        assert compare(platform.store, projection) == [], projection.name


# Controls: the same races without their guards

YIELD_SECONDS = (0.02, 0.1, 0.5)
"""How long each statement of a slow database yields; a busy machine needs longer for the attempts to overlap."""

Play = Callable[[Platform], list[Any]]
Oracle = Callable[[Platform, list[Any]], bool]

CONTROLS: dict[str, tuple[Play, set[str], Oracle]] = {
    "an address": (sign_up, {"emails"}, lambda platform, _: len(rows(platform, tables.people)) == 1),
    # A second structure is noticed at once: the other confirmations fail.
    "a SIREN": (confirm_a_siren, {"sirens"}, lambda _, outcomes: codes(outcomes) == {"done": 8}),
    "a refresh token": (refresh, {LOCKS}, lambda _, outcomes: codes(outcomes)["done"] <= 1),
    "a link": (follow_a_link, {LOCKS, STREAMS}, lambda _, outcomes: codes(outcomes)["done"] <= 1),
    "a phone": (confirm_a_phone, {"claims"}, lambda platform, _: len(rows(platform, tables.claims)) == 1),
    "a document": (show_a_document, {"claims"}, lambda _, outcomes: outcomes.count("ok") == 1),
    "five keys": (make_keys, {STREAMS}, lambda platform, _: len(rows(platform, tables.api_keys)) <= 5),
    "a code": (guess_a_code, {STREAMS}, lambda _, outcomes: codes(outcomes)["code-invalid"] <= 3),
    "the last step": (
        take_the_last_step,
        {STREAMS},
        lambda platform, _: len(people_in(platform, "BeneficiaryActivated")) == 1,
    ),
    "a birthday": (
        run_the_timer,
        {LOCKS, STREAMS},
        lambda platform, _: people_in(platform, "BirthdayReached") == [1, 2, 3, 4],
    ),
}


@pytest.mark.parametrize("race", CONTROLS)
def test_guards_hold_on_a_slow_database(tmp_path: Path, race: str) -> None:
    play, _, holds = CONTROLS[race]
    with slow_platform(tmp_path, YIELD_SECONDS[0]) as platform:
        assert holds(platform, play(platform))


@pytest.mark.parametrize("race", CONTROLS)
def test_control_without_its_guard_the_oracle_finds_the_damage(tmp_path: Path, race: str) -> None:
    assert any(is_damaged(tmp_path / str(seconds), seconds, race) for seconds in YIELD_SECONDS)


def is_damaged(folder: Path, seconds: float, race: str) -> bool:
    play, guards, holds = CONTROLS[race]
    folder.mkdir()
    with slow_platform(folder, seconds) as platform:
        remove_guards(platform, guards)
        return not holds(platform, play(platform))


def remove_guards(platform: Platform, guards: set[str]) -> None:
    """Removes row locks, and the unique keys of tables."""
    if LOCKS in guards:

        @sa.event.listens_for(platform.store.engine, "before_cursor_execute", retval=True)
        def unlocked(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
            return statement.replace(" FOR UPDATE SKIP LOCKED", "").replace(" FOR UPDATE", ""), parameters

    with platform.store.engine.begin() as connection:
        for table in guards - {LOCKS}:
            assert drop_uniqueness(connection, table) > 0


def drop_uniqueness(connection: sa.Connection, table: str) -> int:
    """Drops the primary key, unique constraints and unique indexes of a table; returns how many."""
    found = sa.inspect(connection)
    names = [found.get_pk_constraint(table)["name"]]
    names += [one["name"] for one in found.get_unique_constraints(table)]
    for name in filter(None, names):
        connection.exec_driver_sql(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    indexes = [one["name"] for one in sa.inspect(connection).get_indexes(table) if one["unique"]]
    for name in indexes:
        connection.exec_driver_sql(f'DROP INDEX "{name}"')
    return len(names) + len(indexes)
