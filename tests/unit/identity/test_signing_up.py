"""Signing up, confirming the e-mail, changing it; accounts of staff."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from services.identity.adapters.sirene import CLOSED, FOREIGN, EmbeddedDirectory
from services.identity.refusals import (
    EmailNotConfirmed,
    EmailTaken,
    PasswordWeak,
    PhoneInvalid,
    SirenClosed,
    SirenForeign,
    SirenInvalid,
    TokenExpired,
    TokenInvalid,
    TooYoung,
)
from services.identity.storage import tables
from shared.kernel import identifiers
from shared.kernel.errors import Invalid, TooManyRequests
from shared.runtime.tokens import verify
from tests.unit.identity.platform_of_identity import PASSWORD, SIGNING_KEY, Platform


def accounts(platform: Platform) -> int:
    with platform.store.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(tables.people)).scalar_one()


def test_a_mail_with_a_link_confirms_the_account_and_signs_in(platform):
    platform.sign_up()
    (mail,) = platform.post.to("zoe@example.org")
    assert "?token=" in mail.text and mail.text.split("?token=")[1].split()[0] == platform.token_for("zoe@example.org")
    with pytest.raises(EmailNotConfirmed):
        platform.send("sign-in", {"email": "zoe@example.org", "password": PASSWORD})
    pair = platform.send("confirm-email", {"token": platform.token_for("zoe@example.org")})
    assert set(pair) == {"accessToken", "refreshToken", "expiresIn"} and pair["expiresIn"] == 900
    claims = verify(pair["accessToken"], SIGNING_KEY)
    assert (claims["accountId"], claims["roles"]) == (1, ["beneficiary"])
    assert platform.ask("me", who=1)["status"] == "active"


def test_a_link_works_once(platform):
    platform.sign_up()
    token = platform.token_for("zoe@example.org")
    platform.send("confirm-email", {"token": token})
    with pytest.raises(TokenInvalid):
        platform.send("confirm-email", {"token": token})


def test_a_link_expires_after_a_day_of_the_platforms_clock(platform):
    platform.sign_up()
    platform.pass_time(hours=24)
    with pytest.raises(TokenExpired):
        platform.send("confirm-email", {"token": platform.token_for("zoe@example.org")})


def test_a_second_sign_up_after_an_expired_link_confirms_the_first_account(platform):
    platform.sign_up()
    platform.pass_time(hours=25)
    platform.sign_up(firstName="Somebody", password="Another-horse-9-battery")
    assert platform.confirm("zoe@example.org") == 1
    assert platform.ask("me", who=1)["firstName"] == "Zoé", "a second sign-up changes nothing"
    platform.send("sign-in", {"email": "zoe@example.org", "password": PASSWORD})


def test_a_known_address_gets_the_same_answer_and_its_owner_a_mail(platform):
    platform.young()
    before = accounts(platform)
    assert platform.sign_up("ZOE@example.org", firstName="Thief") is None
    assert accounts(platform) == before
    mail = platform.post.to("zoe@example.org")[-1]
    assert "déjà un compte" in mail.subject and "Thief" not in mail.text
    platform.send("reset-password", {"token": platform.token_for("zoe@example.org"), "password": "Another-horse-9!x"})


def test_known_and_new_addresses_lead_to_the_same_statements(platform):
    platform.young()
    statements: list[list[str]] = []

    def listen(_connection, _cursor, statement, _parameters, _context, _many):
        statements[-1].append(statement)

    sa.event.listen(platform.store.engine, "before_cursor_execute", listen)
    for name, bodies in (
        ("open-account", [platform.young_body("zoe@example.org"), platform.young_body("new@example.org")]),
        ("request-password-reset", [{"email": "zoe@example.org"}, {"email": "nobody@example.org"}]),
    ):
        statements.clear()
        for body in bodies:
            statements.append([])
            assert platform.decide(name, body) == {}
        assert statements[0] == statements[1] and statements[0]


def test_sign_ups_are_limited_per_address(platform):
    for _ in range(10):
        platform.sign_up()
    with pytest.raises(TooManyRequests):
        platform.sign_up()
    assert len(platform.post.to("zoe@example.org")) == 10
    platform.sign_up("max@example.org")
    platform.pass_machine_time(minutes=1)
    platform.sign_up()


def test_a_deferred_request_survives_the_process_and_is_carried_out_once(platform):
    platform.decide("open-account", platform.young_body("zoe@example.org"))
    with platform.store.reading() as connection:
        assert platform.service.open_work(connection) == 1
    assert platform.post.sent == [] and accounts(platform) == 0
    for _ in range(2):
        platform.run_tasks()
    assert len(platform.post.sent) == 1 and accounts(platform) == 1
    with platform.store.reading() as connection:
        assert platform.service.open_work(connection) == 0


def test_a_poison_request_does_not_block_the_others(platform):
    platform.decide("open-account", platform.young_body("zoe@example.org"))
    with platform.store.transaction() as tx:
        tx.connection.execute(tables.deferred_requests.update().values(sealed="AAAA" * 10))
    platform.sign_up("max@example.org")
    for _ in range(10):
        platform.run_tasks()
    assert platform.post.to("max@example.org") and accounts(platform) == 1
    with platform.store.reading() as connection:
        (left,) = connection.execute(sa.select(tables.deferred_requests)).all()
        assert (left.attempts, platform.service.open_work(connection)) == (5, 0)


def test_deferred_requests_are_stored_sealed(platform):
    platform.decide("open-account", platform.young_body("zoe@example.org"))
    with platform.store.reading() as connection:
        kept = str(connection.execute(sa.select(tables.deferred_requests)).all())
    assert "example.org" not in kept and "Martin1" not in kept


def test_a_person_is_too_young_until_the_15th_birthday_in_paris(platform):
    with pytest.raises(TooYoung):
        platform.sign_up(birthDate="2006-11-03")
    platform.clock.move_to(datetime.fromisoformat("2021-11-02T22:59:59+00:00"))
    with pytest.raises(TooYoung):
        platform.sign_up(birthDate="2006-11-03")
    platform.pass_time(seconds=1)
    platform.sign_up(birthDate="2006-11-03")
    assert accounts(platform) == 1


def test_older_people_may_have_an_account_without_a_credit(platform):
    who = platform.young(birthDate="1980-01-01")
    me = platform.ask("me", who=who)
    assert (me["eligibility"], me["nextStep"]) == (None, None)


def test_a_17_year_old_sees_when_the_next_credit_opens(platform):
    who = platform.young(birthDate="2005-03-01")
    me = platform.ask("me", who=who)
    assert (me["eligibility"], me["nextStep"]) == (None, None)
    assert me["nextEligibility"] == {
        "kind": "underage",
        "from": "2021-12-31T23:00:00Z",
        "until": "2023-02-28T23:00:00Z",
    }
    platform.clock.move_to(datetime.fromisoformat("2021-12-31T23:00:00+00:00"))
    me = platform.ask("me", who=who)
    assert (me["eligibility"]["kind"], me["nextStep"]) == ("underage", "check-identity")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "a\r\nb@x.fr"}, "email"),
        ({"email": "zoé@example.org"}, "email"),
        ({"email": "a@b"}, "email"),
        ({"email": 5}, "email"),
        ({"firstName": ""}, "firstName"),
        ({"firstName": "a\nb"}, "firstName"),
        ({"lastName": "x" * 101}, "lastName"),
        ({"birthDate": "2050-01-01"}, "birthDate"),
        ({"birthDate": "2003-02-30"}, "birthDate"),
        ({"birthDate": "20030615"}, "birthDate"),
        ({"birthDate": None}, "birthDate"),
        ({"postalCode": "1"}, "postalCode"),
        ({"postalCode": "8000٠"}, "postalCode"),
        ({"marketingConsent": "yes"}, "marketingConsent"),
        ({"evil": 1}, "evil"),
        ({"password": ""}, "password"),
    ],
)
def test_an_invalid_body_is_refused_by_field_and_nothing_is_stored(platform, changes, field):
    with pytest.raises(Invalid) as refusal:
        platform.sign_up(**changes)
    assert list(refusal.value.errors) == [field]
    assert accounts(platform) == 0 and platform.post.sent == []


def test_a_weak_password_and_a_foreign_phone_are_refused(platform):
    with pytest.raises(PasswordWeak):
        platform.sign_up(password="password")
    with pytest.raises(PhoneInvalid):
        platform.sign_up(phoneNumber="+4915112345678")
    assert accounts(platform) == 0


def test_names_of_any_script_are_stored_unchanged(platform):
    who = platform.young(firstName="Ωραία 3", lastName="O’Connor-Ñuñez")
    me = platform.ask("me", who=who)
    assert (me["firstName"], me["lastName"]) == ("Ωραία 3", "O’Connor-Ñuñez")


# Cultural actors


def test_the_first_account_of_a_new_siren_registers_the_structure_when_its_email_is_confirmed(platform):
    platform.sign_up_pro()
    assert [name for name, _ in platform.messages()] == ["AccountOpened"]
    who = platform.confirm("sarah@example.org")
    assert [name for name, _ in platform.messages()] == ["AccountOpened", "OffererRegistered", "ProAttached"]
    (mine,) = platform.ask("offerers", who=who)["items"]
    assert (mine["name"], mine["status"], mine["attachment"]) == ("COMMUNE DE MONTPELLIER", "pending", "approved")
    assert (mine["address"], mine["postalCode"], mine["city"]) == ("1 PLACE GEORGES FRECHE", "34000", "MONTPELLIER")


def test_the_next_account_of_a_siren_awaits_approval(platform):
    platform.pro()
    second = platform.pro("luc@example.org", "213 401 722")
    (mine,) = platform.ask("offerers", who=second)["items"]
    assert mine["attachment"] == "pending"
    assert [name for name, _ in platform.messages()].count("ProAttached") == 1


def test_an_unconfirmed_account_does_not_claim_a_siren(platform):
    platform.sign_up_pro("squatter@example.org")
    owner = platform.pro("sarah@example.org")
    late = platform.confirm("squatter@example.org")
    assert platform.ask("offerers", who=owner)["items"][0]["attachment"] == "approved"
    assert platform.ask("offerers", who=late)["items"][0]["attachment"] == "pending"


@pytest.mark.parametrize("siren", ["213401723", "123", "abcdefghi", "٢١٣٤٠١٧٢٢", "21340172200000"])
def test_a_siren_with_a_wrong_check_digit_is_refused(platform, siren):
    with pytest.raises(SirenInvalid) as refusal:
        platform.sign_up_pro(siren=siren)
    assert refusal.value.code == "siren-invalid" and "siren" in refusal.value.errors
    assert accounts(platform) == 0


def test_the_embedded_directory_refuses_ceased_and_foreign_structures():
    for siren in CLOSED:
        with pytest.raises(SirenClosed):
            EmbeddedDirectory().find(identifiers.siren(siren))
    for siren in FOREIGN:
        with pytest.raises(SirenForeign):
            EmbeddedDirectory().find(identifiers.siren(siren))


def test_the_embedded_directory_is_deterministic():
    first, second = EmbeddedDirectory().find("552032534"), EmbeddedDirectory().find("552032534")
    assert first == second and first.siren == "552032534"
    assert first.name and first.address and len(first.postal_code) == 5 and first.city


# Staff


def test_staff_accounts_are_created_confirmed(platform):
    made = platform.send(
        "create-staff", {"email": "ops@example.org", "password": PASSWORD, "roles": ["staff", "finance"]}
    )
    pair = platform.send("sign-in", {"email": "ops@example.org", "password": PASSWORD})
    assert verify(pair["accessToken"], SIGNING_KEY)["roles"] == ["finance", "staff"]
    assert made == {"accountId": 1} and platform.post.sent == []
    with pytest.raises(EmailTaken):
        platform.send("create-staff", {"email": "ops@example.org", "password": PASSWORD, "roles": ["staff"]})
    with pytest.raises(Invalid):
        platform.send("create-staff", {"email": "x@example.org", "password": PASSWORD, "roles": ["pro"]})


# Another address


def test_a_changed_address_is_adopted_when_its_link_is_followed(platform):
    who = platform.young()
    platform.send("change-email", {"password": PASSWORD, "email": "New@example.org"}, who)
    assert platform.ask("me", who=who)["email"] == "zoe@example.org"
    platform.confirm("new@example.org")
    assert platform.ask("me", who=who)["email"] == "new@example.org"
    platform.send("sign-in", {"email": "new@example.org", "password": PASSWORD})
    assert platform.young("zoe@example.org") == 2, "the old address is free"


def test_a_taken_address_is_neither_adopted_nor_revealed(platform):
    who, other = platform.young(), platform.young("max@example.org")
    mails = len(platform.post.sent)
    assert platform.send("change-email", {"password": PASSWORD, "email": "max@example.org"}, who) == {}
    assert len(platform.post.sent) == mails
    platform.send("change-email", {"password": PASSWORD, "email": "late@example.org"}, who)
    token = platform.token_for("late@example.org")
    platform.send("change-email", {"password": PASSWORD, "email": "late@example.org"}, other)
    platform.send("confirm-email", {"token": platform.token_for("late@example.org")})
    with pytest.raises(TokenInvalid):
        platform.send("confirm-email", {"token": token})
    assert platform.ask("me", who=who)["email"] == "zoe@example.org"


def test_old_tokens_and_counts_are_deleted(platform):
    platform.young()
    platform.pass_time(days=40)
    platform.machine.move_to(platform.machine.now() + timedelta(days=40))
    for task in platform.service.tasks:
        task.run()
    with platform.store.reading() as connection:
        for table in (tables.mail_tokens, tables.refresh_tokens, tables.failures):
            assert connection.execute(sa.select(table)).all() == []
