"""The steps to a credit, through the service."""

from __future__ import annotations

from datetime import datetime

import pytest

from services.identity.refusals import CodeInvalid, PhoneInvalid, PhoneTaken, StepNotDue
from shared.kernel.errors import Invalid, NotFound, PreconditionFailed, TooManyRequests, Unauthorized
from tests.unit.identity.platform_of_identity import STAFF

IN_2022 = datetime.fromisoformat("2022-01-10T09:00:00+00:00")


def test_at_18_the_steps_lead_to_a_credit(platform):
    who = platform.young()
    steps = []
    for step in (platform.confirm_phone, platform.check_identity, platform.complete):
        steps.append(platform.next_step(who))
        step(who)
    assert steps == ["confirm-phone", "check-identity", "complete-profile"]
    assert platform.next_step(who) is None
    assert platform.messages()[-1] == (
        "BeneficiaryActivated",
        {
            "personId": who,
            "kind": "age-18",
            "age": 18,
            "birthDate": None,
            "activatedAt": "2021-11-02T09:00:00Z",
            "departmentCode": "80",
        },
    )
    assert "crédit" in platform.post.to("zoe@example.org")[-1].subject


def test_an_under_age_activation_needs_no_phone_and_publishes_the_birth_date(platform):
    platform.clock.move_to(IN_2022)
    who = platform.young(birthDate="2006-06-15")
    platform.check_identity(who, birthDate="2006-06-15")
    platform.complete(who)
    name, data = platform.messages()[-1]
    assert (name, data["kind"], data["age"], data["birthDate"]) == (
        "BeneficiaryActivated",
        "underage",
        15,
        "2006-06-15",
    )


def test_changing_the_profile_afterwards_gives_no_second_credit(platform):
    who = platform.beneficiary()
    platform.complete(who)
    assert [name for name, _ in platform.messages()].count("BeneficiaryActivated") == 1
    assert platform.ask("me", who=who)["city"] == "Amiens"


def test_one_idempotency_key_activates_once(platform):
    who = platform.young()
    platform.confirm_phone(who)
    platform.check_identity(who)
    body = {"address": "1 rue", "city": "Amiens", "postalCode": "80000", "activity": "student"}
    first = platform.send("complete-profile", body, who, key="k")
    me = platform.ask("me", who=who)
    assert first == {name: me[name] for name in ("accountId", "roles", "status", "nextStep", "version")}
    assert first["nextStep"] is None
    assert platform.send("complete-profile", body, who, key="k") == first
    assert [name for name, _ in platform.messages()].count("BeneficiaryActivated") == 1


def test_a_profile_change_is_refused_after_a_concurrent_one(platform):
    who = platform.beneficiary()
    body = {"address": "2 rue", "city": "Lille", "postalCode": "59000", "activity": "student"}
    read = platform.ask("me", who=who)["version"]
    with pytest.raises(PreconditionFailed):
        platform.send("complete-profile", {**body, "ifMatch": read - 1}, who)
    assert platform.ask("me", who=who)["city"] == "Amiens"
    platform.send("complete-profile", {**body, "ifMatch": read}, who)
    changed = platform.ask("me", who=who)
    assert (changed["city"], changed["version"]) == ("Lille", read + 1)
    with pytest.raises(PreconditionFailed):
        platform.send("complete-profile", {**body, "city": "Lyon", "ifMatch": read}, who)
    platform.send("complete-profile", {**body, "city": "Lyon"}, who)


@pytest.mark.parametrize("activity", ["", "x" * 81, 3, None])
def test_an_invalid_profile_is_refused(platform, activity):
    who = platform.young()
    with pytest.raises(Invalid):
        platform.send(
            "complete-profile", {"address": "1", "city": "A", "postalCode": "80000", "activity": activity}, who
        )


def test_an_anonymous_caller_is_refused(platform):
    for name in ("send-phone-code", "complete-profile", "check-identity"):
        with pytest.raises((Unauthorized, Invalid)):
            platform.send(name, {})
    with pytest.raises(NotFound):
        platform.ask("me", who=STAFF)


# The phone


def test_a_code_has_six_digits_and_goes_to_the_number_in_international_form(platform):
    who = platform.young(phoneNumber="06 10 00 00 01")
    platform.send("send-phone-code", {}, who)
    assert len(platform.sms_code("+33610000001")) == 6


def test_the_count_of_a_refused_code_is_committed(platform):
    who = platform.young()
    platform.send("send-phone-code", {}, who)
    code = platform.sms_code("+33610000001")
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(3):
        with pytest.raises(CodeInvalid):
            platform.send("confirm-phone-code", {"code": wrong}, who)
    with pytest.raises(TooManyRequests):
        platform.send("confirm-phone-code", {"code": code}, who)
    assert platform.next_step(who) == "confirm-phone"


def test_a_new_code_replaces_the_old_one(platform):
    who = platform.young()
    platform.send("send-phone-code", {}, who)
    old = platform.sms_code("+33610000001")
    platform.send("send-phone-code", {}, who)
    new = platform.sms_code("+33610000001")
    assert old != new
    with pytest.raises(CodeInvalid):
        platform.send("confirm-phone-code", {"code": old}, who)
    platform.send("confirm-phone-code", {"code": new}, who)


def test_an_expired_code_is_refused(platform):
    who = platform.young()
    platform.send("send-phone-code", {}, who)
    platform.pass_time(minutes=10)
    with pytest.raises(CodeInvalid):
        platform.send("confirm-phone-code", {"code": platform.sms_code("+33610000001")}, who)


def test_three_text_messages_in_twelve_hours(platform):
    who = platform.young()
    for _ in range(3):
        platform.send("send-phone-code", {}, who)
    with pytest.raises(TooManyRequests):
        platform.send("send-phone-code", {}, who)
    assert len(platform.post.to("+33610000001")) == 3
    platform.pass_time(hours=12)
    platform.send("send-phone-code", {}, who)


def test_a_number_is_confirmed_by_one_person(platform):
    first = platform.young()
    platform.confirm_phone(first)
    second = platform.young("max@example.org", lastName="Martin2")
    with pytest.raises(PhoneTaken):
        platform.send("send-phone-code", {}, second)
    platform.send("send-phone-code", {"phoneNumber": "06 10 00 00 02"}, second)
    platform.send("confirm-phone-code", {"code": platform.sms_code("+33610000002")}, second)
    assert platform.ask("me", who=second)["phoneNumber"] == "+33610000002"


def test_of_two_people_with_a_code_for_one_number_the_first_to_confirm_gets_it(platform):
    first = platform.young()
    second = platform.young("max@example.org", lastName="Martin2")
    platform.send("send-phone-code", {}, first)
    mine = platform.sms_code("+33610000001")
    platform.send("send-phone-code", {}, second)
    platform.send("confirm-phone-code", {"code": platform.sms_code("+33610000001")}, second)
    with pytest.raises(PhoneTaken):
        platform.send("confirm-phone-code", {"code": mine}, first)
    assert platform.next_step(first) == "confirm-phone"


def test_an_account_without_a_number_gets_no_code(platform):
    who = platform.young(phoneNumber=None)
    with pytest.raises(PhoneInvalid):
        platform.send("send-phone-code", {}, who)


# The identity check


def outcomes(result: dict) -> dict[str, str]:
    return {item["name"]: item["outcome"] for item in result["items"]}


def ready(platform, email: str = "zoe@example.org", number: str = "+33610000001", **changes: str) -> int:
    who = platform.young(email, phoneNumber=number, **changes)
    platform.confirm_phone(who, number)
    return who


def test_a_different_name_is_suspicious(platform):
    who = ready(platform)
    result = platform.check_identity(who, lastName="Durand")
    assert result["outcome"] == "suspicious"
    assert outcomes(result) == {
        "document-number": "ok",
        "first-name": "ok",
        "last-name": "suspicious",
        "birth-date": "ok",
        "unique-person": "ok",
        "unique-document": "ok",
    }
    assert platform.next_step(who) == "await-review"
    (pending,) = platform.ask("pending", {"what": "identity-checks"}, STAFF)["items"]
    assert pending["declared"]["lastName"] == "Durand"
    assert pending["applicant"]["accountId"] == who and pending["applicant"]["lastName"] == "Martin1"
    review = {"identityCheckId": pending["identityCheckId"], "accept": True, "reason": "married"}
    for _ in range(2):
        assert platform.send("review-identity-check", review, STAFF)["status"] == "ok"
    assert platform.next_step(who) == "complete-profile"
    assert platform.ask("pending", {"what": "identity-checks"}, STAFF)["items"] == []
    assert "acceptée" in platform.post.to("zoe@example.org")[-1].text


def test_after_a_rejected_check_another_one_may_be_made(platform):
    who = ready(platform)
    platform.check_identity(who, lastName="Durand")
    number = platform.ask("pending", {"what": "identity-checks"}, STAFF)["items"][0]["identityCheckId"]
    platform.send("review-identity-check", {"identityCheckId": number, "accept": False}, STAFF)
    assert platform.next_step(who) == "check-identity"
    assert platform.check_identity(who)["outcome"] == "ok"


def test_a_different_birth_date_is_ko(platform):
    who = ready(platform)
    result = platform.check_identity(who, birthDate="2003-06-16")
    assert (result["outcome"], outcomes(result)["birth-date"]) == ("ko", "ko")
    assert platform.next_step(who) == "check-identity"


def test_case_accents_and_hyphens_do_not_matter(platform):
    who = ready(platform, firstName="Zoé-Anne", lastName="D’Été 3")
    assert platform.check_identity(who, firstName="ZOE ANNE", lastName="d'ete3")["outcome"] == "ok"


def test_the_document_of_another_account_is_suspicious(platform):
    first, second = ready(platform), ready(platform, "max@example.org", "+33610000002", lastName="Martin2")
    assert platform.check_identity(first, documentNumber="12345678")["outcome"] == "ok"
    result = platform.check_identity(second, lastName="Martin2", documentNumber="1234 5678")
    assert outcomes(result)["unique-document"] == "suspicious" == result["outcome"]


def test_one_person_with_two_accounts_is_suspicious(platform):
    platform.beneficiary()
    second = ready(platform, "zoe.bis@example.org", "+33610000002", firstName="ZOE", lastName="martin1")
    result = platform.check_identity(second, firstName="ZOE", lastName="martin1", documentNumber="99999999")
    assert outcomes(result)["unique-person"] == "suspicious" == result["outcome"]


def test_an_erased_person_who_comes_back_is_suspicious(platform):
    who = platform.beneficiary()
    platform.send("erase", {}, who)
    again = ready(platform)
    assert platform.check_identity(again)["outcome"] == "suspicious"


def test_a_ko_check_does_not_claim_the_document(platform):
    thief = ready(platform, "thief@example.org", "+33610000002", lastName="Thief")
    platform.check_identity(thief, lastName="Thief", birthDate="1999-01-01", documentNumber="12345678")
    victim = ready(platform)
    assert platform.check_identity(victim, documentNumber="12345678")["outcome"] == "ok"


def test_a_second_check_after_ok_is_refused_and_changes_nothing(platform):
    who = ready(platform)
    platform.check_identity(who)
    with pytest.raises(StepNotDue):
        platform.check_identity(who, birthDate="1999-01-01")
    assert platform.next_step(who) == "complete-profile"


def test_an_unknown_check_cannot_be_reviewed(platform):
    with pytest.raises(NotFound):
        platform.send("review-identity-check", {"identityCheckId": 99, "accept": True}, STAFF)
