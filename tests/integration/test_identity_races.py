"""Several at once on PostgreSQL: what must be one stays one, whoever comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import eventlet
import pytest
import sqlalchemy as sa

from services.identity import storage
from shared.eventstore.engines import make_engine
from shared.kernel.errors import DomainError
from shared.notifications.outbox import notifications
from shared.projections.rebuilding import compare
from shared.runtime.migrations import upgrade
from tests.unit.identity.platform_of_identity import PASSWORD, Platform


@pytest.fixture
def platform(database: str, tmp_path: Path) -> Iterator[Platform]:
    admin = sa.create_engine(database, poolclass=sa.pool.NullPool)
    with admin.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA identity")
    engine = make_engine(database, schema="identity")
    upgrade(engine, "identity")
    yield Platform(tmp_path, engine=engine)
    engine.dispose()


def at_once(times: int, do: Callable[[int], Any]) -> list[Any]:
    """The outcome of each: a result or the refusal."""

    def attempt(number: int) -> Any:
        try:
            return do(number)
        except DomainError as refusal:
            return refusal

    pool = eventlet.GreenPool(times)
    return list(pool.imap(attempt, range(times)))


def codes(outcomes: list[Any]) -> Counter[str]:
    return Counter(outcome.code if isinstance(outcome, DomainError) else "done" for outcome in outcomes)


def rows(platform: Platform, table: sa.Table) -> list[Any]:
    with platform.store.reading() as connection:
        return list(connection.execute(sa.select(table)))


def test_one_address_signed_up_many_times_at_once_is_one_account(platform: Platform) -> None:
    outcomes = at_once(8, lambda _: platform.sign_up())
    assert codes(outcomes) == {"done": 8}
    assert len(rows(platform, storage.people)) == len(rows(platform, storage.credentials)) == 1
    assert len(rows(platform, storage.person_keys)) == 3, "one person's, and the two of the platform"


def test_one_siren_confirmed_many_times_at_once_is_one_structure(platform: Platform) -> None:
    emails = [f"pro{number}@example.org" for number in range(8)]
    for email in emails:
        platform.sign_up_pro(email)
    assert codes(at_once(8, lambda number: platform.confirm(emails[number]))) == {"done": 8}
    assert len(rows(platform, storage.offerers)) == 1
    assert Counter(row.status for row in rows(platform, storage.attachments)) == {"approved": 1, "pending": 7}


def test_one_refresh_token_used_many_times_at_once_serves_once_at_most(platform: Platform) -> None:
    platform.young()
    pair = platform.send("sign-in", {"email": "zoe@example.org", "password": PASSWORD})
    found = codes(at_once(8, lambda _: platform.send("refresh", {"refreshToken": pair["refreshToken"]})))
    assert found == {"done": 1, "token-invalid": 7}
    family = {row.family: row.state for row in rows(platform, storage.refresh_tokens) if row.state != "fresh"}
    assert set(family.values()) == {"revoked"}


def test_one_link_followed_twice_at_once_opens_once(platform: Platform) -> None:
    platform.sign_up()
    token = platform.token_for("zoe@example.org")
    assert codes(at_once(4, lambda _: platform.send("confirm-email", {"token": token}))) == {
        "done": 1,
        "link-invalid": 3,
    }


def test_one_phone_confirmed_by_two_at_once_is_one_persons(platform: Platform) -> None:
    people = [platform.young(f"p{number}@example.org", lastName=f"M{number}") for number in range(3)]
    found = []
    for who in people:
        platform.send("send-phone-code", {}, who)
        found.append(platform.sms_code("+33610000001"))
    outcomes = at_once(3, lambda n: platform.send("confirm-phone-code", {"code": found[n]}, people[n]))
    assert codes(outcomes) == {"done": 1, "phone-taken": 2}
    assert len(rows(platform, storage.claims)) == 1


def test_one_document_shown_by_two_at_once_is_ok_for_one(platform: Platform) -> None:
    people = []
    for number in range(3):
        people.append(
            platform.young(f"p{number}@example.org", lastName=f"M{number}", phoneNumber=f"+3361000000{number}")
        )
        platform.confirm_phone(people[-1], f"+3361000000{number}")
    results = at_once(
        3, lambda n: platform.check_identity(people[n], lastName=f"M{n}", documentNumber="12345678")["outcome"]
    )
    assert sorted(results) == ["ok", "suspicious", "suspicious"]


def test_five_keys_however_many_ask_at_once(platform: Platform) -> None:
    who = platform.pro()
    found = codes(at_once(9, lambda _: platform.send("create-api-key", {"offererId": 1}, who)))
    assert found["done"] == 5 == len(rows(platform, storage.api_keys))
    assert set(found) <= {"done", "too-many-api-keys", "unavailable"}


def test_a_wrong_code_cannot_be_tried_more_often_by_trying_at_once(platform: Platform) -> None:
    who = platform.young()
    platform.send("send-phone-code", {}, who)
    wrong = "000000" if platform.sms_code("+33610000001") != "000000" else "111111"
    found = codes(at_once(9, lambda _: platform.send("confirm-phone-code", {"code": wrong}, who)))
    assert found["code-invalid"] == 3
    assert set(found) <= {"code-invalid", "too-many-requests", "unavailable"}


def test_the_last_step_taken_twice_at_once_credits_once(platform: Platform) -> None:
    who = platform.young()
    platform.confirm_phone(who)
    platform.check_identity(who)
    at_once(6, lambda _: platform.complete(who))
    assert [name for name, _ in platform.messages()].count("BeneficiaryActivated") == 1


def test_two_timers_tell_a_birthday_once(platform: Platform) -> None:
    platform.clock.move_to(datetime(2022, 1, 10, 9, tzinfo=UTC))
    for number in range(4):
        email, name = f"p{number}@example.org", f"M{number}"
        who = platform.young(email, birthDate="2006-06-15", lastName=name)
        platform.check_identity(who, birthDate="2006-06-15", lastName=name)
        platform.complete(who)
    platform.clock.move_to(datetime(2022, 7, 1, tzinfo=UTC))
    (timer,) = platform.service.timers
    at_once(4, lambda _: timer.run(platform.clock.now()))
    told = [data["personId"] for name, data in platform.messages() if name == "BirthdayReached"]
    assert sorted(told) == [1, 2, 3, 4]


def test_several_senders_send_each_notification_once(platform: Platform) -> None:
    with platform.store.transaction() as tx:
        for number in range(120):
            platform.outbox.write(tx, platform.ports.letters.code(f"+336100{number:05d}", "123456"), key="x")
    for _ in range(3):
        at_once(4, lambda _: platform.outbox.send_due())
    assert Counter(each.to for each in platform.post.sent) == {f"+336100{number:05d}": 1 for number in range(120)}
    assert {row.state for row in rows(platform, notifications)} == {"sent"}


def test_read_models_are_folds_of_the_log_here_too(platform: Platform) -> None:
    platform.beneficiary()
    platform.pro()
    for projection in platform.store.projections:
        assert compare(platform.store, projection) == [], projection.name
