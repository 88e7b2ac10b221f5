"""Creates people, offers and bookings for the fuzzing, so that generated requests can use existing identifiers.

``known`` and ``disposable`` are values for generated requests, which may change what they identify.
``valid_requests`` has one request that must succeed for each route that a generated request would seldom satisfy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from demo.founding_document import YoungPerson
from demo.sign_up import PASSWORD, Actor
from shared.kernel.identifiers import stream_id
from shared.kernel.time import instant_text
from tests.platform import Platform
from tests.system.money_files import Finance
from tests.system.scenario import (
    EIGHTEEN_IN_2021,
    Scenario,
    a_structure,
    a_young_person,
    add_document,
    iban_of,
    with_check_digit,
)

IBAN = "FR7630006000011234567890189"
ANOTHER_PASSWORD = "Another-horse-9-battery"
NEEDS_REVIEW = "carte cadeau"
"""Words in an offer's name that require a review by staff."""
DESK = ("/v2/bookings", "/public/bookings/v1")
REASON = {"reason": "as agreed"}


@dataclass(frozen=True)
class ValidRequest:
    """A request that succeeds once. ``token`` is a role or an access token."""

    path: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    token: str | None = None


class FuzzingData:
    """Creates everything over HTTP."""

    def __init__(self, platform: Platform) -> None:
        self.platform, self.scenario, self.finance = platform, Scenario(platform), Finance(platform)
        self._number = 500
        self.actor, self.quiet = self.scenario.actor(), self.scenario.actor()
        self.person, self.guest = self.scenario.young_person(), self.scenario.young_person()
        self.tokens = {role: platform.token(role) for role in ("staff", "finance", "operator")}
        self.tokens |= {"beneficiary": self.person.token, "pro": self.actor.token, "leaver": self._newcomer()[1]}
        """An access token for each role, and for an account that may be closed (``leaver``)."""
        self.used = self.scenario.make_used_booking(self.actor, self.person, 1000)
        self.batch = self.finance.close_fortnight()
        self.finance.confirm_sent(self.batch)
        self.in_a_batch = self.scenario.make_used_booking(self.quiet, self.guest, 1000)
        self.unanswered = self.finance.close_fortnight()
        """A batch without an answer of the bank."""
        self.later = platform.now() + timedelta(days=20)
        self.known = self._known()
        self.disposable = {
            "offerer_id": [self._offerer_to_validate()],
            "account_id": [self._account(self._newcomer()[1])],
            "booking_id": [self._booking()["bookingId"]],
            "attachment_id": [self._pending("attachments")],
            "identity_check_id": [self._pending("identity-checks")],
            "bank_details_id": [self._bank_details()],
            "offer_id": [self._offer_to_review()],
        }
        """Values for routes of staff and operators, which may close, reject or erase what they identify."""
        self.valid_requests: dict[str, ValidRequest] = {}
        for requests in (
            self._accounts(),
            self._steps(),
            self._pros(),
            self._desk(),
            self._staff(),
            self._money_and_time(),
        ):
            self.valid_requests |= requests
        platform.wait_idle()

    # --- values for generated requests ------------------------------------------------------------------------------

    def _known(self) -> dict[str, list[Any]]:
        actor, scenario = self.actor, self.scenario
        book = scenario.publish(actor, 700, 50)
        concert = scenario.publish(actor, 900, 50, subcategory="CONCERT", name="Concert", begins=self.later)
        books = [scenario.make_booking(self.person, scenario.publish(actor, 500).stock_id) for _ in range(2)]
        bookings = [*books, scenario.make_booking(self.person, concert.stock_id), self.used]
        bank_details = self._bank_details(actor)
        document = add_document(
            self.platform, f"/v1/pro/bank-details/{bank_details}/documents", b"%PDF-1.7 %%EOF", self.tokens["pro"]
        )
        return {
            "offer_id": [book.offer_id, concert.offer_id],
            "stock_id": [book.stock_id, concert.stock_id],
            "venue_id": [scenario.venue(actor)],
            "offerer_id": [actor.offerer_id],
            "booking_id": [one["bookingId"] for one in bookings],
            "token": [one["countermark"] for one in bookings],
            "batch_id": [self.batch["batchId"]],
            "bank_details_id": [bank_details],
            "document_id": [document.json["documentId"]],
            "establishment": [scenario.siret(actor)],
            "year": [2021],
            "name": ["wallet.balances"],
            "stream_id": [str(stream_id("booking", self.used["bookingId"]))],
            "prefix": [scenario.api_key(actor).rpartition("_")[0]],
            "stockId": [book.stock_id, concert.stock_id],
            "offerId": [concert.offer_id],
            "venueId": [scenario.venue(actor)],
            "quantity": [1],
            "firstIndex": [None],
            "status": [None],
            "beginningAt": [instant_text(self.later)],
            "bookingLimitAt": [instant_text(self.later)],
            "cutoff": ["2021-11-15", "2021-11-30"],
            "periodFrom": ["2021-11-01"],
            "periodTo": ["2021-12-01"],
            "asOf": ["2021-11-20T00:00:00Z"],
            "limit": [1, 100],
            "cursor": [None],
            "iban": [IBAN],
            "bic": ["AGRIFRPP"],
            "wait": [0],
            "to": [instant_text(self.later)],
            "advanceSeconds": [60],
        }

    # --- valid requests -------------------------------------------------------------------------------------------

    def _accounts(self) -> dict[str, ValidRequest]:
        new, (unconfirmed, _) = self._person(), self._newcomer(confirmed=False)
        forgetful, _ = self._newcomer()
        link = self.platform.mailbox.link_token(unconfirmed.email)
        self.platform.post("/v1/auth/password-reset", {"email": forgetful.email})
        self.platform.wait_idle()
        reset = self.platform.mailbox.link_token(forgetful.email)
        credentials = {"email": self.guest.person.email, "password": PASSWORD}
        pair = self.platform.post("/v1/auth/sign-in", credentials).json
        siren = with_check_digit("87654321")
        email, new_email = self._person().email, self._person().email
        return {
            "POST /v1/accounts": ValidRequest(body=_account(new)),
            "POST /v1/pro/accounts": ValidRequest(body=_pro_account(self._person(), siren)),
            "POST /v1/accounts/confirm-email": ValidRequest(body={"token": link}),
            "POST /v1/auth/password-reset/confirm": ValidRequest(body={"token": reset, "password": ANOTHER_PASSWORD}),
            "POST /v1/auth/sign-in": ValidRequest(body=credentials),
            "POST /v1/auth/refresh": ValidRequest(body={"refreshToken": pair["refreshToken"]}),
            "POST /v1/me/password": ValidRequest(
                body={"currentPassword": PASSWORD, "password": ANOTHER_PASSWORD}, token=self._newcomer()[1]
            ),
            "POST /v1/me/email": ValidRequest(
                body={"password": PASSWORD, "email": new_email}, token=self._newcomer()[1]
            ),
            "POST /v1/me/suspend": ValidRequest(body={}, token=self._newcomer()[1]),
            "POST /v1/ops/staff-accounts": ValidRequest(
                body={"email": email, "password": PASSWORD, "roles": ["staff"]}, token="operator"
            ),
        }

    def _steps(self) -> dict[str, ValidRequest]:
        """A person before each sign-up step."""
        without_code, (with_code, with_code_token), (confirmed, confirmed_token) = (
            self._newcomer()[1],
            self._newcomer(),
            self._newcomer(),
        )
        self._post("/v1/me/phone-code", {}, with_code_token)
        self._confirm_phone(confirmed, confirmed_token)
        return {
            "POST /v1/me/phone-code": ValidRequest(body={}, token=without_code),
            "POST /v1/me/phone-code/confirm": ValidRequest(
                body={"code": self.platform.mailbox.phone_code(with_code.phone)}, token=with_code_token
            ),
            "POST /v1/me/identity-check": ValidRequest(body=_identity(confirmed), token=confirmed_token),
        }

    def _pros(self) -> dict[str, ValidRequest]:
        quiet = {"offerer_id": self.quiet.offerer_id}
        offer = {"name": "Livre", "subcategory": "LIVRE_PAPIER", "description": ""}
        venue = {
            "name": "Annexe",
            "siret": with_check_digit(f"{self.quiet.structure.siren}0099"),
            "address": "1 rue",
            "postalCode": "67000",
            "city": "Strasbourg",
            "venueType": "MOVIE",
            "accessibility": {"audio": False, "mental": False, "motor": True, "visual": False},
        }
        prefix = self.scenario.api_key(self.quiet).rpartition("_")[0]
        token = self.quiet.token
        return {
            "POST /v1/pro/offerers/{offerer_id}/venues": ValidRequest(quiet, venue, token),
            "POST /v1/pro/venues/{venue_id}/offers": ValidRequest(
                {"venue_id": self.scenario.venue(self.quiet)}, offer, token
            ),
            "DELETE /v1/pro/offerers/{offerer_id}/api-keys/{prefix}": ValidRequest(
                {**quiet, "prefix": prefix}, None, token
            ),
        }

    def _desk(self) -> dict[str, ValidRequest]:
        """The actions of the desk on both surfaces, and the cancellation by the person."""
        valid_requests, api_key = {}, self.scenario.api_key(self.quiet)
        for surface in DESK:
            for action in ("use", "keep", "cancel"):
                booking = self._booking()
                if action == "keep":
                    self.scenario.use_at_desk(self.quiet, booking)
                valid_requests[f"PATCH {surface}/{action}/token/{{token}}"] = ValidRequest(
                    {"token": booking["countermark"]}, None, api_key
                )
        mine = {"booking_id": self._booking()["bookingId"]}
        valid_requests["POST /v1/me/bookings/{booking_id}/cancel"] = ValidRequest(mine, {}, self.guest.token)
        return valid_requests

    def _staff(self) -> dict[str, ValidRequest]:
        cancelled = self._booking()
        assert self.scenario.cancel(self.guest, cancelled["bookingId"]).status == 200
        account = {"account_id": self._account(self._newcomer()[1])}
        found = {
            "accounts/{account_id}/suspend": (account, {"reason": "FRAUD"}),
            "accounts/{account_id}/unsuspend": (account, REASON),
            "bookings/{booking_id}/cancel": ({"booking_id": self._booking()["bookingId"]}, REASON),
            "bookings/{booking_id}/restore": ({"booking_id": cancelled["bookingId"]}, REASON),
            "bookings/{booking_id}/correct": (
                {"booking_id": self.in_a_batch["bookingId"]},
                {**REASON, "reimbursedCents": 100},
            ),
            "offerers/{offerer_id}/close": ({"offerer_id": self.scenario.actor(bank=False).offerer_id}, REASON),
        }
        for verb in ("validate", "reject"):
            body = REASON if verb == "reject" else {}
            found |= {
                f"offerers/{{offerer_id}}/{verb}": ({"offerer_id": self._offerer_to_validate()}, body),
                f"offers/{{offer_id}}/{verb}": ({"offer_id": self._offer_to_review()}, body),
                f"attachments/{{attachment_id}}/{verb}": ({"attachment_id": self._pending("attachments")}, body),
                f"bank-details/{{bank_details_id}}/{verb}": ({"bank_details_id": self._bank_details()}, body),
                f"identity-checks/{{identity_check_id}}/{verb}": (
                    {"identity_check_id": self._pending("identity-checks")},
                    body,
                ),
            }
        return {f"POST /v1/staff/{path}": ValidRequest(ids, body, "staff") for path, (ids, body) in found.items()}

    def _money_and_time(self) -> dict[str, ValidRequest]:
        transfer = self.finance.transfers(self.unanswered).transfers[0].end_to_end_id
        rejected = {"transfers": [{"endToEndId": transfer, "reason": "AC04"}]}
        rule = {"offererId": self.quiet.offerer_id, "rate": "0.5", "start": "2022-03-01T00:00:00Z"}
        return {
            "POST /v1/finance/payouts/{batch_id}/rejections": ValidRequest(
                {"batch_id": self.unanswered["batchId"]}, rejected, "finance"
            ),
            "POST /v1/finance/custom-rules": ValidRequest(body=rule, token="finance"),
            "POST /v1/ops/clock": ValidRequest(body={"advanceSeconds": 60}, token="operator"),
        }

    # --- creation ------------------------------------------------------------------------------------------------

    def _post(self, path: str, body: dict[str, Any], token: str | None = None) -> Any:
        return self.platform.client.post(path, body, token)

    def _person(self) -> YoungPerson:
        """A person without an account."""
        self._number += 1
        return a_young_person(self._number, EIGHTEEN_IN_2021)

    def _newcomer(self, *, confirmed: bool = True) -> tuple[YoungPerson, str]:
        """A person with an account, and its access token if the address is confirmed."""
        person = self._person()
        self._post("/v1/accounts", _account(person))
        return person, self._confirm(person.email) if confirmed else ""

    def _confirm(self, email: str) -> str:
        link = self.platform.mailbox.link_token(email)
        token: str = self._post("/v1/accounts/confirm-email", {"token": link})["accessToken"]
        return token

    def _confirm_phone(self, person: YoungPerson, token: str) -> None:
        self._post("/v1/me/phone-code", {}, token)
        code = self.platform.mailbox.phone_code(person.phone)
        self._post("/v1/me/phone-code/confirm", {"code": code}, token)

    def _account(self, token: str) -> int:
        return int(self.platform.get("/v1/me", token)["accountId"])

    def _booking(self) -> dict[str, Any]:
        return self.scenario.make_booking(self.guest, self.scenario.publish(self.quiet, 300).stock_id)

    def _bank_details(self, actor: Actor | None = None) -> int:
        """Submits bank details; staff have not decided on them."""
        actor = actor or self.quiet
        self._number += 1
        body = {"iban": iban_of(self._number), "bic": "AGRIFRPP", "holder": "Ville"}
        path = f"/v1/pro/offerers/{actor.offerer_id}/bank-details"
        return int(self._post(path, body, actor.token)["bankDetailsId"])

    def _offer_to_review(self) -> int:
        return self.scenario.publish(self.quiet, 300, name=f"Livre, {NEEDS_REVIEW}").offer_id

    def _offerer_to_validate(self) -> int:
        self._number += 1
        structure = a_structure(self._number, 1)
        pro = YoungPerson("Luc", "Lang", structure.email, EIGHTEEN_IN_2021, structure.phone, "", "", "", "")
        self._post("/v1/pro/accounts", _pro_account(pro, structure.siren))
        token = self._confirm(structure.email)
        return int(self.platform.get("/v1/pro/offerers", token)["items"][0]["offererId"])

    def _pending(self, kind: str) -> int:
        """The number of a new attachment or suspicious identity check, which staff have to decide on."""
        if kind == "attachments":
            colleague, name = self._person(), "attachmentId"
            self._post("/v1/pro/accounts", _pro_account(colleague, self.quiet.structure.siren))
            self._confirm(colleague.email)
        else:
            (colleague, token), name = self._newcomer(), "identityCheckId"
            self._confirm_phone(colleague, token)
            declared = {**_identity(colleague), "lastName": "Married"}
            assert self._post("/v1/me/identity-check", declared, token)["outcome"] == "suspicious"
        items = self.platform.get(f"/v1/staff/{kind}?status=pending&limit=100", self.tokens["staff"])["items"]
        return next(int(one[name]) for one in items if one["applicant"]["email"] == colleague.email)


def _account(person: YoungPerson) -> dict[str, Any]:
    return {
        "email": person.email,
        "password": PASSWORD,
        "firstName": person.first_name,
        "lastName": person.last_name,
        "birthDate": person.birth.isoformat(),
        "postalCode": person.postal_code,
        "phoneNumber": person.phone,
    }


def _pro_account(person: YoungPerson, siren: str) -> dict[str, Any]:
    return {
        "email": person.email,
        "password": PASSWORD,
        "firstName": person.first_name,
        "lastName": person.last_name,
        "phoneNumber": person.phone,
        "siren": siren,
        "contactConsent": True,
    }


def _identity(person: YoungPerson) -> dict[str, Any]:
    return {
        "documentNumber": person.document_number,
        "firstName": person.first_name,
        "lastName": person.last_name,
        "birthDate": person.birth.isoformat(),
    }
