"""Suspension, erasure, birthdays."""

from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa

from services.identity.refusals import AccountSuspended, CredentialsInvalid
from services.identity.storage import tables
from shared.eventstore.tables import stored_events
from shared.kernel.callers import Caller
from shared.kernel.errors import Forbidden, Invalid, NotFound
from shared.notifications.storage import notifications
from shared.projections.rebuilding import compare
from tests.unit.identity.platform_of_identity import PASSWORD, STAFF, Platform


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


# Suspension


@pytest.mark.parametrize("reason", ["FRAUD", "fraud", "upon-user-request", "END_OF_CONTRACT"])
def test_staff_suspend_for_a_listed_reason(platform, reason):
    who = platform.beneficiary()
    for _ in range(2):
        assert platform.send("suspend-account", {"accountId": who, "reason": reason}, STAFF)["status"] == "suspended"
    name, data = platform.messages()[-1]
    assert (name, data["reason"]) == ("BeneficiarySuspended", reason.upper().replace("-", "_"))
    assert [name for name, _ in platform.messages()].count("BeneficiarySuspended") == 1
    with pytest.raises(AccountSuspended):
        platform.complete(who)
    assert platform.ask("me", who=who)["status"] == "suspended"


def test_another_reason_is_refused(platform):
    who = platform.young()
    with pytest.raises(Invalid) as refusal:
        platform.send("suspend-account", {"accountId": who, "reason": "because"}, STAFF)
    assert "FRAUD" in refusal.value.errors["reason"][0]


def test_staff_lift_a_suspension_that_the_person_asked_for(platform):
    who = platform.beneficiary()
    platform.send("suspend-me", {}, who)
    assert platform.messages()[-1][1]["reason"] == "UPON_USER_REQUEST"
    platform.send("unsuspend-account", {"accountId": who, "reason": "asked for"}, STAFF)
    assert platform.messages()[-1][0] == "BeneficiaryUnsuspended"
    assert platform.ask("me", who=who)["status"] == "active"


def test_fraud_found_after_a_suspension_is_published(platform):
    who = platform.beneficiary()
    platform.send("suspend-me", {}, who)
    for reason in ("FRAUD", "FRAUD", "END_OF_CONTRACT"):
        platform.send("suspend-account", {"accountId": who, "reason": reason}, STAFF)
    published = [data["reason"] for name, data in platform.messages() if name == "BeneficiarySuspended"]
    assert published == ["UPON_USER_REQUEST", "FRAUD"]


# Erasure


def test_an_erased_person_has_no_name_and_their_address_is_free(platform):
    who = platform.beneficiary()
    before = len(platform.messages())
    platform.send("change-email", {"password": PASSWORD, "email": "new@example.org"}, who)
    for _ in range(2):
        platform.send("erase", {}, who)
    assert [name for name, _ in platform.messages()[before:]] == ["PersonErased"]
    shown = platform.ask("people", {"accountIds": [who]})["people"][str(who)]
    assert shown == {"firstName": "effacé", "lastName": "effacé", "email": "", "phoneNumber": ""}
    with pytest.raises(NotFound):
        platform.ask("me", who=who)
    with pytest.raises(CredentialsInvalid):
        platform.send("sign-in", {"email": "zoe@example.org", "password": PASSWORD})
    assert platform.young() == who + 1, "the address and the phone number are free again"


def dump(platform: Platform) -> str:
    """Every cell of the database, as text."""
    with platform.store.reading() as connection:
        tables = sa.inspect(connection).get_table_names()
        rows = [row for table in tables for row in connection.execute(sa.text(f"SELECT * FROM {table}"))]
    return "\n".join(str(cell) for row in rows for cell in row)


def test_no_table_holds_personal_data_in_clear(platform):
    who = platform.beneficiary()
    everything = dump(platform)
    for personal in (
        "zoe@example.org",
        "Zoé",
        "Zo\\u00e9",
        "Martin1",
        "2003-06-15",
        "33610000001",
        "rue de la Paix",
        PASSWORD,
    ):
        assert personal not in everything, personal
    assert platform.ask("me", who=who)["email"] == "zoe@example.org"


def test_the_log_holds_no_personal_data_in_clear_and_the_key_is_destroyed(platform):
    who = platform.beneficiary()
    with platform.store.reading() as connection:
        backup = list(connection.execute(sa.select(stored_events.c.state)).scalars())
    platform.send("erase", {}, who)
    assert set(platform.keys.read(range(-1, 10))) == {-1, 0}, "the platform's own keys only"
    assert len(backup) > 5 and not any("example.org" in state or "Martin" in state for state in backup)


def test_queued_notifications_to_an_erased_person_are_withdrawn(platform):
    who = platform.young()
    with platform.store.transaction() as tx:
        platform.outbox.write(tx, platform.ports.mails.code("+33610000001", "123456"), key="x")
    platform.send("erase", {}, who)
    assert platform.post.to("+33610000001") == []
    with platform.store.reading() as connection:
        assert set(connection.execute(sa.select(notifications.c.recipient)).scalars()) == {None}


def test_an_erased_pro_leaves_the_structure(platform):
    who = platform.pro()
    platform.send("erase", {}, who)
    assert [name for name, _ in platform.messages()][-2:] == ["PersonErased", "ProDetached"] or [
        name for name, _ in platform.messages()
    ][-2:] == ["ProDetached", "PersonErased"]
    platform.send("validate-offerer", {"offererId": 1}, STAFF)
    assert len(platform.post.to("sarah@example.org")) == 1, "only the confirmation, sent before"


def test_only_staff_and_operators_erase_other_people(platform):
    who, other = platform.young(), platform.young("max@example.org")
    with pytest.raises(Forbidden):
        platform.send("erase", {"accountId": who}, other)
    platform.send("erase", {"accountId": who}, Caller(0, frozenset({"operator"})))
    platform.send("erase", {"accountId": other})
    people = platform.ask("people", {"accountIds": [who, other]})["people"]
    assert {person["lastName"] for person in people.values()} == {"effacé"}


def test_unknown_accounts_are_absent_from_people(platform):
    who = platform.young()
    people = platform.ask("people", {"accountIds": [who, who, 99]})["people"]
    assert list(people) == [str(who)]
    assert platform.ask("people", {"accountIds": []}) == {"people": {}}
    with pytest.raises(Invalid):
        platform.ask("people", {"accountIds": ["x"]})


# Birthdays


def underage(platform: Platform, birth: str, email: str = "zoe@example.org", name: str = "Martin1") -> int:
    who = platform.young(email, birthDate=birth, lastName=name)
    platform.check_identity(who, birthDate=birth, lastName=name)
    platform.complete(who)
    return who


def due(platform: Platform) -> datetime | None:
    (timer,) = platform.service.timers
    with platform.store.reading() as connection:
        return timer.next_due(connection)


def birthdays(platform: Platform) -> list[tuple[int, int, str]]:
    return [
        (data["personId"], data["age"], data["at"]) for name, data in platform.messages() if name == "BirthdayReached"
    ]


def test_under_age_birthdays_are_published_at_midnight_in_paris_until_18(platform):
    platform.clock.move_to(utc("2022-01-10T09:00:00"))
    who = underage(platform, "2006-06-15")
    (timer,) = platform.service.timers
    seen = []
    while (instant := due(platform)) is not None:
        seen.append(instant)
        platform.clock.move_to(instant)
        timer.run(instant)
        assert due(platform) is None or due(platform) > instant
    assert birthdays(platform) == [
        (who, 16, "2022-06-14T22:00:00Z"),
        (who, 17, "2023-06-14T22:00:00Z"),
        (who, 18, "2024-06-14T22:00:00Z"),
    ]
    assert len(seen) == 3


def test_a_late_timer_publishes_every_birthday_at_its_own_instant(platform):
    platform.clock.move_to(utc("2022-01-10T09:00:00"))
    first = underage(platform, "2006-06-15")
    second = underage(platform, "2005-01-12", "max@example.org", "Martin2")
    platform.clock.move_to(utc("2023-12-31T00:00:00"))
    (timer,) = platform.service.timers
    timer.run(platform.clock.now())
    assert sorted(birthdays(platform)) == [
        (first, 16, "2022-06-14T22:00:00Z"),
        (first, 17, "2023-06-14T22:00:00Z"),
        (second, 17, "2022-01-11T23:00:00Z"),
        (second, 18, "2023-01-11T23:00:00Z"),
    ]
    assert due(platform) == utc("2024-06-14T22:00:00")
    timer.run(platform.clock.now())
    assert len(birthdays(platform)) == 4


def test_only_under_age_beneficiaries_have_birthdays(platform):
    platform.beneficiary()
    platform.young("max@example.org", birthDate="2006-01-12")
    assert due(platform) is None
    platform.clock.move_to(utc("2022-01-10T09:00:00"))
    who = underage(platform, "2006-06-15", "lea@example.org", "Martin3")
    assert due(platform) is not None
    platform.send("erase", {}, who)
    assert due(platform) is None


# Read models are folds


def test_every_read_model_is_the_fold_of_the_log(platform):
    beneficiary = platform.beneficiary()
    platform.pro()
    second = platform.pro("luc@example.org")
    made = platform.send("create-api-key", {"offererId": 1}, 2)
    platform.send("create-api-key", {"offererId": 1}, 2)
    platform.send("delete-api-key", {"offererId": 1, "prefix": made["prefix"]}, 2)
    platform.send("change-email", {"password": PASSWORD, "email": "new@example.org"}, second)
    platform.confirm("new@example.org")
    twin = platform.young("twin@example.org", phoneNumber="+33610000009")
    platform.confirm_phone(twin, "+33610000009")
    assert platform.check_identity(twin)["outcome"] == "suspicious"
    platform.clock.move_to(utc("2022-01-10T09:00:00"))
    underage(platform, "2006-06-15", "lea@example.org", "Martin3")
    platform.clock.move_to(utc("2022-07-01T00:00:00"))
    platform.service.timers[0].run(platform.clock.now())
    platform.send("validate-offerer", {"offererId": 1}, STAFF)
    for erased in (False, True):
        if erased:
            platform.send("erase", {}, beneficiary)
        for projection in platform.store.projections:
            assert compare(platform.store, projection) == [], projection.name


def test_the_migration_makes_the_tables_that_the_code_reads(platform):
    with platform.store.reading() as connection:
        inspector = sa.inspect(connection)
        for table in tables.metadata.sorted_tables:
            made = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
            assert made == {column.name: bool(column.nullable) for column in table.columns}, table.name
            assert set(inspector.get_pk_constraint(table.name)["constrained_columns"]) == {
                column.name for column in table.primary_key
            }
