"""The account aggregate: its decisions and events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.identity.domain.accounts import Account, Role, Step, Suspension
from services.identity.domain.checks import Item, Outcome, document_item, overall
from services.identity.domain.eligibility import Kind
from services.identity.domain.people import Profile
from services.identity.domain.phones import CODE_LIFE
from services.identity.refusals import (
    AccountSuspended,
    AlreadyDecided,
    CodeInvalid,
    EmailNotConfirmed,
    NotEligible,
    PhoneNotNeeded,
    StepNotDue,
)
from shared.kernel.errors import NotFound, TooManyRequests

NOW = datetime(2021, 11, 2, 9, tzinfo=UTC)
ADULT = Profile("z@example.org", "Zoé", "Martin", date(2003, 6, 15), "80000", "+33610000001")
YOUNG = replace(ADULT, birth_date=date(2005, 3, 1))
IN_2022 = datetime(2022, 1, 10, 9, tzinfo=UTC)
OK = (Item("all", Outcome.OK),)
DOUBT = (Item("name", Outcome.SUSPICIOUS), Item("birth-date", Outcome.OK))
WRONG = (Item("name", Outcome.SUSPICIOUS), Item("birth-date", Outcome.KO))


def opened() -> Account:
    return Account.open(NOW, 7, [Role.BENEFICIARY], email_digest="e", sealed="s")


def confirmed() -> Account:
    account = opened()
    account.confirm_email(NOW)
    return account


def with_phone(account: Account | None = None) -> Account:
    account = account or confirmed()
    account.send_code(NOW, ADULT, sealed="s1", sealed_code="c")
    assert account.try_code(NOW, ADULT, given="123456", expected="123456") is None
    account.confirm_phone(NOW, phone_digest="p")
    return account


def check(
    account: Account, items: tuple[Item, ...], number: int = 1, profile: Profile = ADULT, at: datetime = NOW
) -> Outcome:
    return account.record_check(
        at, profile, check=number, items=items, person_digest="p", document_digest="d", sealed_declared="x"
    )


def checked(items: tuple[Item, ...] = OK) -> Account:
    account = with_phone()
    check(account, items)
    return account


def then(account: Account) -> list[Any]:
    """The events since the last call."""
    return account.collect_events()


def given(account: Account) -> Account:
    account.collect_events()
    return account


# The order of the steps


def test_the_steps_at_18():
    assert opened().next_step(ADULT, NOW) is Step.CONFIRM_EMAIL
    assert confirmed().next_step(ADULT, NOW) is Step.CONFIRM_PHONE
    assert with_phone().next_step(ADULT, NOW) is Step.CHECK_IDENTITY
    assert checked(DOUBT).next_step(ADULT, NOW) is Step.AWAIT_REVIEW
    assert checked(WRONG).next_step(ADULT, NOW) is Step.CHECK_IDENTITY
    assert checked(OK).next_step(ADULT, NOW) is Step.COMPLETE_PROFILE


def test_under_age_people_need_no_phone():
    assert confirmed().next_step(YOUNG, IN_2022) is Step.CHECK_IDENTITY
    with pytest.raises(PhoneNotNeeded):
        confirmed().check_may_send_code(YOUNG, IN_2022)


def test_without_eligibility_the_only_step_is_to_confirm_the_email():
    old = replace(ADULT, birth_date=date(1990, 1, 1))
    abroad = replace(ADULT, postal_code="98800")
    nobody = replace(ADULT, birth_date=None)
    for profile, at in ((old, NOW), (YOUNG, NOW), (abroad, NOW), (nobody, NOW)):
        assert opened().next_step(profile, at) is Step.CONFIRM_EMAIL
        assert confirmed().next_step(profile, at) is None
        with pytest.raises(NotEligible):
            check(confirmed(), OK, profile=profile, at=at)


def test_a_premature_step_is_refused_with_the_name_of_the_due_one():
    account = given(confirmed())
    with pytest.raises(StepNotDue) as refusal:
        check(account, OK)
    assert refusal.value.extra == {"nextStep": "confirm-phone"}
    with pytest.raises(StepNotDue):
        account.complete_profile(NOW, ADULT, sealed="s")
    with pytest.raises(EmailNotConfirmed):
        opened().check_may_send_code(ADULT, NOW)
    assert then(account) == []


# The phone


def test_three_codes_in_twelve_hours():
    account = confirmed()
    for hour in range(3):
        account.send_code(NOW + timedelta(hours=hour), ADULT, sealed="s", sealed_code="c")
    with pytest.raises(TooManyRequests) as refusal:
        account.check_may_send_code(ADULT, NOW + timedelta(hours=11))
    assert refusal.value.extra == {"retryAfter": 3600}
    account.check_may_send_code(ADULT, NOW + timedelta(hours=12))


def test_a_code_expires_after_ten_minutes():
    account = confirmed()
    account.send_code(NOW, ADULT, sealed="s", sealed_code="c")
    late = NOW + CODE_LIFE
    assert account.try_code(late - timedelta(seconds=1), ADULT, given="1", expected="1") is None
    assert isinstance(account.try_code(late, ADULT, given="1", expected="1"), CodeInvalid)


def test_after_three_wrong_codes_attempts_are_refused_for_thirty_days():
    account = confirmed()
    account.send_code(NOW, ADULT, sealed="s", sealed_code="c")
    given(account)
    for _ in range(3):
        assert isinstance(account.try_code(NOW, ADULT, given="000000", expected="123456"), CodeInvalid)
    assert [type(event) for event in then(account)] == [Account.PhoneCodeRefused] * 3
    with pytest.raises(TooManyRequests):
        account.try_code(NOW, ADULT, given="123456", expected="123456")
    with pytest.raises(TooManyRequests):
        account.check_may_send_code(ADULT, NOW + timedelta(days=29))
    account.check_may_send_code(ADULT, NOW + timedelta(days=30))


def test_without_a_sent_code_every_code_is_wrong():
    assert isinstance(confirmed().try_code(NOW, ADULT, given="", expected=""), CodeInvalid)


def test_a_confirmed_phone_gets_no_further_code():
    with pytest.raises(StepNotDue):
        with_phone().check_may_send_code(ADULT, NOW)


# The identity check


def test_any_ko_is_ko_all_ok_is_ok_and_the_rest_is_suspicious():
    assert overall(OK) is Outcome.OK
    assert overall(DOUBT) is Outcome.SUSPICIOUS
    assert overall(WRONG) is Outcome.KO


@pytest.mark.parametrize("number", ["12345678", "880000000001", "ABCD1234EF", "12 34 56 78 90", "12345678901234"])
def test_usual_document_numbers_are_ok(number):
    assert document_item(number).outcome is Outcome.OK


@pytest.mark.parametrize("number", ["1234567", "1234567890123", "123456789012345", "12-34-56-78"])
def test_unusual_document_numbers_are_suspicious(number):
    assert document_item(number).outcome is Outcome.SUSPICIOUS


def test_an_ok_is_never_downgraded():
    account = given(checked(OK))
    with pytest.raises(StepNotDue):
        check(account, WRONG, number=2)
    assert then(account) == []


def test_a_check_under_review_is_not_repeated():
    with pytest.raises(StepNotDue):
        check(checked(DOUBT), OK, number=2)


def test_after_a_ko_another_document_may_be_checked():
    account = checked(WRONG)
    assert check(account, OK, number=2) is Outcome.OK


@pytest.mark.parametrize(("accepted", "step"), [(True, Step.COMPLETE_PROFILE), (False, Step.CHECK_IDENTITY)])
def test_staff_decide_suspicious_checks(accepted, step):
    account = given(checked(DOUBT))
    assert account.review(NOW, check=1, accepted=accepted, reason="seen") is True
    (event,) = then(account)
    assert (event.accepted, event.reason) == (accepted, "seen")
    assert account.next_step(ADULT, NOW) is step
    assert account.review(NOW, check=1, accepted=accepted, reason="again") is False
    with pytest.raises(AlreadyDecided):
        account.review(NOW, check=1, accepted=not accepted, reason="otherwise")
    assert then(account) == []


def test_staff_cannot_overturn_the_provider():
    with pytest.raises(AlreadyDecided):
        checked(WRONG).review(NOW, check=1, accepted=True, reason="")
    with pytest.raises(NotFound):
        checked(DOUBT).review(NOW, check=2, accepted=True, reason="")


# The credit


def test_the_last_step_activates_once():
    account = given(checked())
    assert account.complete_profile(NOW, ADULT, sealed="s2") is Kind.AGE_18
    changed, activated = then(account)
    assert isinstance(changed, Account.ProfileChanged) and changed.sealed == "s2"
    assert (activated.kind, activated.age, activated.birth_date, activated.department_code) == (
        Kind.AGE_18,
        18,
        None,
        "80",
    )
    assert activated.timestamp == NOW
    assert account.next_step(ADULT, NOW) is None
    assert account.complete_profile(NOW, ADULT, sealed="s3") is None
    assert [type(event) for event in then(account)] == [Account.ProfileChanged]


def test_an_under_age_activation_holds_the_birth_date_because_the_credit_ends_on_it():
    account = confirmed()
    check(account, OK, profile=YOUNG, at=IN_2022)
    given(account)
    assert account.complete_profile(IN_2022, YOUNG, sealed="s") is Kind.UNDERAGE
    activated = then(account)[-1]
    assert (activated.age, activated.birth_date) == (16, YOUNG.birth_date)


def test_at_18_an_under_age_beneficiary_takes_every_step_again():
    account = confirmed()
    check(account, OK, profile=YOUNG, at=IN_2022)
    account.complete_profile(IN_2022, YOUNG, sealed="s")
    assert account.next_step(YOUNG, IN_2022) is None
    at_18 = datetime(2023, 3, 1, 9, tzinfo=UTC)
    assert account.next_step(YOUNG, at_18) is Step.CONFIRM_PHONE
    account.send_code(at_18, YOUNG, sealed="s", sealed_code="c")
    account.confirm_phone(at_18, phone_digest="p")
    assert account.next_step(YOUNG, at_18) is Step.CHECK_IDENTITY
    check(account, OK, number=2, profile=YOUNG, at=at_18)
    assert account.complete_profile(at_18, YOUNG, sealed="s") is Kind.AGE_18
    assert account.activated == (Kind.UNDERAGE, Kind.AGE_18)


def test_the_steps_of_one_window_do_not_count_in_the_next():
    account = confirmed()
    check(account, OK, profile=YOUNG, at=IN_2022)
    at_18 = datetime(2023, 3, 1, 9, tzinfo=UTC)
    assert account.next_step(YOUNG, at_18) is Step.CONFIRM_PHONE


def test_moving_out_of_the_territory_at_the_last_step_gives_no_credit():
    account = given(checked())
    with pytest.raises(NotEligible):
        account.complete_profile(NOW, replace(ADULT, postal_code="98700"), sealed="s")
    assert then(account) == []


# The end


def test_a_suspended_account_may_do_nothing_until_it_is_unsuspended():
    account = given(checked())
    assert account.suspend(NOW, Suspension.FRAUD) is True
    assert account.suspend(NOW, Suspension.FRAUD) is False
    with pytest.raises(AccountSuspended):
        account.complete_profile(NOW, ADULT, sealed="s")
    assert account.unsuspend(NOW, "mistake") is True
    assert account.unsuspend(NOW, "mistake") is False
    account.complete_profile(NOW, ADULT, sealed="s")
    assert [type(event).__name__ for event in then(account)] == [
        "Suspended",
        "Unsuspended",
        "ProfileChanged",
        "Activated",
    ]


def test_an_erased_account_keeps_only_its_number():
    account = given(checked())
    assert account.erase(NOW) is True
    assert account.erase(NOW) is False
    (event,) = then(account)
    assert event.number == 7
    assert (account.sealed, account.email_digest, account.status) == ("", "", "erased")
    with pytest.raises(NotFound):
        account.require_usable()
    with pytest.raises(NotFound):
        account.suspend(NOW, Suspension.FRAUD)
