"""Accounts over HTTP: sessions, sign-up steps, staff decisions, suspension, erasure, birthdays."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from lxml import html

from demo import sign_up
from demo.founding_document import YoungPerson
from demo.sign_up import PASSWORD, Actor
from tests.platform import Answer, Platform
from tests.system.conftest import own_platform
from tests.system.scenario import EIGHTEEN_IN_2021, Scenario, a_young_person, iban_of

platform = own_platform

NEW_PASSWORD = "Another-horse-9-battery"


@pytest.fixture(scope="module")
def actor(scenario: Scenario) -> Actor:
    return scenario.actor()


def a_person(number: int, birth: date = EIGHTEEN_IN_2021) -> YoungPerson:
    return a_young_person(7_000_000 + number, birth)


def sign_up_body(person: YoungPerson) -> dict[str, Any]:
    return {
        "email": person.email,
        "password": PASSWORD,
        "firstName": person.first_name,
        "lastName": person.last_name,
        "birthDate": person.birth.isoformat(),
        "postalCode": person.postal_code,
        "phoneNumber": person.phone,
    }


def create_account(platform: Platform, person: YoungPerson) -> str:
    """Signs up and confirms the address; returns the access token."""
    assert platform.post("/v1/accounts", sign_up_body(person)).status == 202
    link = platform.mailbox.link_token(person.email)
    pair = platform.post("/v1/accounts/confirm-email", {"token": link})
    assert pair.status == 200, pair
    return str(pair.json["accessToken"])


def sign_in(platform: Platform, person: YoungPerson, password: str = PASSWORD) -> Answer:
    return platform.post("/v1/auth/sign-in", {"email": person.email, "password": password})


def refresh(platform: Platform, pair: Answer) -> Answer:
    return platform.post("/v1/auth/refresh", {"refreshToken": pair.json["refreshToken"]})


def test_refresh_tokens_rotate_until_sign_out(platform: Platform) -> None:
    person = a_person(1)
    create_account(platform, person)
    first = sign_in(platform, person)
    second = refresh(platform, first)
    assert second.status == 200
    assert refresh(platform, first).outcome == (401, "token-invalid")
    assert refresh(platform, second).outcome == (401, "token-invalid"), "a reused token revokes its family"
    third = sign_in(platform, person)
    assert platform.post("/v1/auth/sign-out", {"refreshToken": third.json["refreshToken"]}).status == 200
    assert refresh(platform, third).outcome == (401, "token-invalid")


def test_responses_do_not_reveal_whether_an_address_has_an_account(platform: Platform) -> None:
    person = a_person(2)
    create_account(platform, person)
    again = platform.post("/v1/accounts", sign_up_body(replace(person, first_name="Somebody")))
    new = platform.post("/v1/accounts", sign_up_body(a_person(3)))
    assert (again.status, again.body) == (new.status, new.body)
    known = platform.post("/v1/auth/password-reset", {"email": person.email})
    unknown = platform.post("/v1/auth/password-reset", {"email": "nobody.at.all@example.org"})
    assert (known.status, known.body) == (unknown.status, unknown.body)


def test_password_is_reset_with_a_mailed_link(platform: Platform) -> None:
    person = a_person(4)
    create_account(platform, person)
    platform.wait_idle()
    assert platform.post("/v1/auth/password-reset", {"email": person.email}).status == 202
    platform.wait_idle()
    link = platform.mailbox.link_token(person.email)
    assert platform.post("/v1/auth/password-reset/confirm", {"token": link, "password": NEW_PASSWORD}).status == 200
    used = platform.post("/v1/auth/password-reset/confirm", {"token": link, "password": PASSWORD})
    assert used.outcome == (422, "link-invalid")
    assert sign_in(platform, person).outcome == (401, "credentials-invalid")
    assert sign_in(platform, person, NEW_PASSWORD).status == 200


def test_staff_accept_a_suspicious_identity_check(platform: Platform) -> None:
    person = a_person(5)
    token = create_account(platform, person)
    platform.post("/v1/me/phone-code", {}, token)
    platform.post("/v1/me/phone-code/confirm", {"code": platform.mailbox.phone_code(person.phone)}, token)
    declared = {
        "documentNumber": "990000000005",
        "firstName": person.first_name,
        "lastName": "Married",
        "birthDate": person.birth.isoformat(),
    }
    assert platform.post("/v1/me/identity-check", declared, token).json["outcome"] == "suspicious"
    assert platform.get("/v1/me", token)["nextStep"] == "await-review"
    staff = platform.token("staff")
    pending = platform.get("/v1/staff/identity-checks?status=pending", staff)["items"]
    (check,) = [item for item in pending if item["applicant"]["email"] == person.email]
    assert check["declared"]["lastName"] == "Married"
    accepted = platform.post(f"/v1/staff/identity-checks/{check['identityCheckId']}/validate", {}, staff)
    assert accepted.status == 200
    assert platform.get("/v1/me", token)["nextStep"] == "complete-profile"
    credited = sign_up.finish_steps(platform.client, platform.mailbox, person, token)
    assert credited.credit["remainingCents"] == 30000


def test_step_out_of_order_is_refused(platform: Platform) -> None:
    token = create_account(platform, a_person(6))
    early = platform.call(
        "PATCH",
        "/v1/me/profile",
        {"address": "1 rue", "city": "Amiens", "postalCode": "80000", "activity": "student"},
        token,
    )
    assert early.outcome == (409, "step-not-due")
    assert early.json["nextStep"] == "confirm-phone"


def test_phone_code_request_sets_or_corrects_the_number(platform: Platform) -> None:
    person = a_person(8)
    body = {name: value for name, value in sign_up_body(person).items() if name != "phoneNumber"}
    assert platform.post("/v1/accounts", body).status == 202
    link = platform.mailbox.link_token(person.email)
    token = platform.post("/v1/accounts/confirm-email", {"token": link}).json["accessToken"]
    for body in (None, {}):
        without = platform.call("POST", "/v1/me/phone-code", body, token)
        assert without.outcome == (422, "phone-invalid")
        assert list(without.json["errors"]) == ["phoneNumber"]
    assert platform.post("/v1/me/phone-code", {"phoneNumber": "+15551234567"}, token).outcome == (422, "phone-invalid")
    mistyped, right = "+33699999901", person.phone
    assert platform.post("/v1/me/phone-code", {"phoneNumber": mistyped}, token).status == 200
    old_code = platform.mailbox.phone_code(mistyped)
    assert platform.post("/v1/me/phone-code", {"phoneNumber": right}, token).status == 200
    code = platform.mailbox.phone_code(right)
    if old_code != code:
        body = {"code": old_code}
        wrong = platform.call("POST", "/v1/me/phone-code/confirm", body, token, source="127.0.0.9")
        assert wrong.outcome == (422, "code-invalid"), "only the code that was sent to a number confirms it"
    assert platform.post("/v1/me/phone-code/confirm", {"code": code}, token).status == 200
    assert sign_up.finish_steps(platform.client, platform.mailbox, person, token).credit["remainingCents"] == 30000


def test_profile_change_with_a_stale_etag_is_refused(scenario: Scenario) -> None:
    platform, person = scenario.platform, scenario.young_person()

    def change(city: str, tag: str) -> Answer:
        profile = {"address": "1 rue", "city": city, "postalCode": "80000", "activity": "student"}
        return platform.call("PATCH", "/v1/me/profile", profile, person.token, headers={"If-Match": tag})

    read = platform.call("GET", "/v1/me", token=person.token).headers["ETag"]
    assert read == f'"{int(read[1:-1])}"', "a strong ETag"
    assert change("Lille", read).status == 200
    assert change("Lyon", read).outcome == (412, "precondition-failed")
    now = platform.call("GET", "/v1/me", token=person.token)
    assert (now.json["city"], now.headers["ETag"] != read) == ("Lille", True)
    assert change("Lyon", now.headers["ETag"]).status == 200


def test_staff_approve_the_attachment_of_a_colleague(platform: Platform, actor: Actor) -> None:
    email = "colleague@example.org"
    body = {
        "email": email,
        "password": PASSWORD,
        "firstName": "Luc",
        "lastName": "Lang",
        "phoneNumber": "+33631441046",
        "siren": actor.structure.siren,
        "contactConsent": False,
    }
    assert platform.post("/v1/pro/accounts", body).status == 202
    link = platform.mailbox.link_token(email)
    token = platform.post("/v1/accounts/confirm-email", {"token": link}).json["accessToken"]
    (mine,) = platform.get("/v1/pro/offerers", token)["items"]
    assert (mine["attachment"], mine["venues"]) == ("pending", [])
    staff = platform.token("staff")
    pending = platform.get("/v1/staff/attachments?status=pending", staff)["items"]
    (attachment,) = [item for item in pending if item["applicant"]["email"] == email]
    decided = platform.post(f"/v1/staff/attachments/{attachment['attachmentId']}/validate", {}, staff)
    assert decided.status == 200
    (mine,) = platform.get("/v1/pro/offerers", token)["items"]
    assert mine["attachment"] == "approved" and len(mine["venues"]) == 2, "its physical venue and the digital one"


def test_erased_account_leaves_no_personal_data_in_the_recap(scenario: Scenario, actor: Actor) -> None:
    platform = scenario.platform
    book = scenario.publish(actor, 1090, 5)
    person = scenario.young_person()
    booking = scenario.make_booking(person, book.stock_id)
    scenario.use_at_desk(actor, booking)
    number = platform.get("/v1/me", person.token)["accountId"]
    assert number in keys_in(platform, "keys")
    assert platform.call("DELETE", "/v1/me", None, person.token).status == 204
    platform.wait_idle()
    assert number not in keys_in(platform, "keys") and keys_in(platform, "identity") == set()
    assert platform.call("GET", "/v1/me", None, person.token).status == 404
    assert sign_in(platform, person.person).outcome == (401, "credentials-invalid")
    recap = platform.call("GET", "/v1/pro/bookings", None, actor.token)
    assert recap.status == 200
    assert person.person.email not in recap.body.decode() and person.person.last_name not in recap.body.decode()
    assert platform.get("/v1/finance/reconciliation", platform.token("finance"))["balanced"] is True


def keys_in(platform: Platform, store: str) -> set[int]:
    """The accounts that have an encryption key in the store."""
    with platform.database(store).connect() as connection:
        return set(connection.execute(sa.text("SELECT account_id FROM person_keys")).scalars())


def test_suspension_for_fraud_cancels_bookings(scenario: Scenario, actor: Actor) -> None:
    platform = scenario.platform
    book = scenario.publish(actor, 1090, 5)
    person = scenario.young_person()
    scenario.make_booking(person, book.stock_id)
    number = platform.get("/v1/me", person.token)["accountId"]
    staff = platform.token("staff")
    assert platform.post(f"/v1/staff/accounts/{number}/suspend", {"reason": "because"}, staff).outcome == (
        422,
        "invalid",
    )
    assert platform.post(f"/v1/staff/accounts/{number}/suspend", {"reason": "fraud"}, staff).status == 200
    platform.wait_idle()
    assert sign_in(platform, person.person).outcome == (403, "account-suspended")
    assert scenario.remaining_places(book) == 5


def test_suspended_account_loses_access_to_its_structure_despite_a_valid_token(scenario: Scenario) -> None:
    platform, actor = scenario.platform, scenario.actor()
    published = scenario.publish(actor, 1090, 5)
    number, staff = platform.get("/v1/me", actor.token)["accountId"], platform.token("staff")
    bank = {"iban": iban_of(77), "bic": "BNPAFRPP", "holder": "Un autre"}
    requests = (
        ("POST", f"/v1/pro/offerers/{actor.offerer_id}/bank-details", bank),
        ("PATCH", f"/v1/pro/stocks/{published.stock_id}", {"priceCents": 1}),
        ("GET", "/v1/pro/reimbursements", None),
    )
    suspended = platform.post(f"/v1/staff/accounts/{number}/suspend", {"reason": "fraud"}, staff)
    assert suspended.status == 200
    refused = [platform.call(method, path, body, actor.token) for method, path, body in requests[:2]]
    assert [answer.status for answer in refused] == [404, 404], refused
    platform.post(f"/v1/staff/accounts/{number}/unsuspend", {"reason": "checked"}, staff)
    allowed = [platform.call(method, path, body, actor.token) for method, path, body in requests]
    assert [answer.status for answer in allowed] == [201, 200, 200], allowed


def test_underage_credit_grows_on_each_birthday(scenario: Scenario) -> None:
    """20 € at 15, 30 € more at 16 and at 17 (domain.md R3); the credit ends at 18."""
    platform = scenario.platform
    person = a_person(9, date(2006, 6, 15))
    token = create_account(platform, person)
    assert platform.get("/v1/me", token)["eligibility"] is None
    platform.move_clock_to("2022-01-10T09:00:00Z")
    token = str(sign_in(platform, person).json["accessToken"])
    me = platform.get("/v1/me", token)
    assert (me["eligibility"]["kind"], me["nextStep"]) == ("underage", "check-identity")
    credited = sign_up.finish_steps(platform.client, platform.mailbox, person, token)
    assert (credited.credit["kind"], credited.credit["remainingCents"]) == ("underage", 2000)
    platform.move_clock_to("2022-06-14T21:59:59Z")
    assert platform.get("/v1/me/credit", token)["remainingCents"] == 2000
    platform.advance(timedelta(seconds=1))
    assert platform.get("/v1/me/credit", token)["remainingCents"] == 5000


def test_account_pages_work_in_a_browser(platform: Platform) -> None:
    """The link in the mail opens a page with a form, which needs no other client."""
    person = a_person(90)
    platform.advance(timedelta(minutes=2))  # earlier tests have used up the failures allowed for this address
    assert platform.post("/v1/accounts", sign_up_body(person)).status == 202
    assert submit_form(platform, person, "/confirmer").status == 200
    again = platform.call("POST", "/confirmer", b"token=used-before", headers={"Content-Type": FORM})
    assert (again.status, again.headers.get_content_type()) == (422, "text/html")
    assert sign_in(platform, person).status == 200
    assert platform.post("/v1/auth/password-reset", {"email": person.email}).status == 202
    platform.wait_idle()
    weak = submit_form(platform, person, "/mot-de-passe", password="weak")
    assert (weak.status, b'role="alert"' in weak.body) == (422, True)
    assert submit_form(platform, person, "/mot-de-passe", password=NEW_PASSWORD).status == 200
    assert sign_in(platform, person, NEW_PASSWORD).status == 200
    assert sign_in(platform, person).outcome == (401, "credentials-invalid")


FORM = "application/x-www-form-urlencoded"


def submit_form(platform: Platform, person: YoungPerson, path: str, **fields: str) -> Answer:
    """Opens the link in the newest mail, fills in the form of the page and submits it."""
    token = platform.mailbox.link_token(person.email)
    page = platform.call("GET", f"{path}?token={token}")
    assert page.status == 200, page
    (form,) = html.fromstring(page.body.decode()).forms
    assert (form.action, form.method) == (path, "POST")
    filled = {**dict(form.form_values()), **fields}
    return platform.call("POST", form.action, urlencode(filled).encode(), headers={"Content-Type": FORM})
