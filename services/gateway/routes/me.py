"""The signed-in person: profile, the steps towards a credit, the credit itself."""

from __future__ import annotations

from typing import Any

from flask import g

from services.gateway.routes.accounts import guarded
from services.gateway.schemas import people as schemas
from services.gateway.schemas.accounts import TokenPair
from services.gateway.web.audience import Audience, version_read
from services.gateway.web.calls import ask, send
from services.gateway.web.cursors import paged
from services.gateway.web.security import address
from shared.contracts.calls.contract import SIGNED_IN

audience = Audience("Me", "The signed-in person: profile, steps, credit.")

USABLE = ("not-found", "account-suspended", "email-not-confirmed")
"""What every step of a person may meet."""

SLOWED = ("too-many-requests",)

NO_CREDIT: dict[str, Any] = {
    "kind": None,
    "grantedCents": 0,
    "remainingCents": 0,
    "digital": None,
    "physical": None,
    "expiresAt": None,
}


@audience.endpoint("GET", "/v1/me", access=SIGNED_IN, answers=(200, schemas.Me))
def me() -> Any:
    """Who is signed in, the next step towards a credit, and the credit."""
    profile = ask("identity", "me", {}, batched=True)
    credit = _credit({})
    return {**profile, "credit": credit if credit["credits"] else None}


@audience.endpoint("GET", "/v1/me/credit", access=SIGNED_IN, query=schemas.AsOf, answers=(200, schemas.Credits))
def my_credit(query: dict[str, Any]) -> Any:
    """The current credit and all of them, now or as of an instant."""
    return _credit(query)


def _credit(query: dict[str, Any]) -> dict[str, Any]:
    found = ask("wallet", "credit", {"personId": g.caller.account_id, **query}, batched=True)
    return {**(found.get("current") or NO_CREDIT), "credits": found["credits"]}


@audience.endpoint(
    "GET",
    "/v1/me/credit/entries",
    access=SIGNED_IN,
    query=schemas.EntriesQuery,
    answers=(200, schemas.CreditEntries),
    refuses=["cursor-invalid"],
)
def my_credit_entries(query: dict[str, Any]) -> Any:
    """The lines of the ledger, oldest first, each with the balance after it."""
    person = {"personId": g.caller.account_id}
    return paged("entries", query, lambda asked: ask("wallet", "entries", asked | person))


@audience.endpoint(
    "POST",
    "/v1/me/phone-code",
    access=SIGNED_IN,
    body=schemas.Phone,
    answers=(200, schemas.Standing),
    refuses=["step-not-due", "not-eligible", "phone-not-needed", "phone-invalid", "phone-taken", *USABLE, *SLOWED],
)
def send_phone_code(body: dict[str, Any]) -> Any:
    """Sends a code of six digits to the account's phone; to the number that is given, which becomes the account's."""
    return send("identity", "send-phone-code", body)


@audience.endpoint(
    "POST",
    "/v1/me/phone-code/confirm",
    access=SIGNED_IN,
    body=schemas.PhoneCode,
    answers=(200, schemas.Standing),
    refuses=["code-invalid", "step-not-due", "not-eligible", "phone-not-needed", "phone-taken", *USABLE, *SLOWED],
)
def confirm_phone_code(body: dict[str, Any]) -> Any:
    """Confirms the phone with the code that was sent to it."""
    with guarded(address(), g.caller.name()):
        return send("identity", "confirm-phone-code", body)


@audience.endpoint(
    "POST",
    "/v1/me/identity-check",
    access=SIGNED_IN,
    body=schemas.IdentityDocument,
    answers=(200, schemas.IdentityOutcome),
    refuses=["step-not-due", "not-eligible", *USABLE],
)
def check_identity(body: dict[str, Any]) -> Any:
    """Checks the identity document; staff review what is left suspicious."""
    return send("identity", "check-identity", body)


@audience.endpoint(
    "PATCH",
    "/v1/me/profile",
    access=SIGNED_IN,
    body=schemas.Completion,
    answers=(200, schemas.Standing),
    refuses=["step-not-due", "not-eligible", *USABLE],
    if_match=True,
)
def complete_profile(body: dict[str, Any]) -> Any:
    """The last step, which activates the beneficiary and grants the credit.

    Afterwards it changes the profile, whose version is the `ETag` of `GET /v1/me`.
    """
    return send("identity", "complete-profile", {**body, **version_read()})


@audience.endpoint(
    "POST",
    "/v1/me/password",
    access=SIGNED_IN,
    body=schemas.PasswordChange,
    answers=(200, TokenPair),
    refuses=["credentials-invalid", "password-weak", *USABLE, *SLOWED],
)
def change_password(body: dict[str, Any]) -> Any:
    """Changes the password, which ends every session; the answer is a new one."""
    g.idempotency_key = None  # the outcome holds tokens: it is not to be stored
    return send("identity", "change-password", body)


@audience.endpoint(
    "POST",
    "/v1/me/email",
    access=SIGNED_IN,
    body=schemas.EmailChange,
    answers=(202, schemas.Done),
    refuses=["credentials-invalid", *USABLE, *SLOWED],
)
def change_email(body: dict[str, Any]) -> Any:
    """Sends a link to the new address; it is adopted when the link is followed."""
    return send("identity", "change-email", body) or {}


@audience.endpoint("POST", "/v1/me/suspend", access=SIGNED_IN, answers=(200, schemas.Suspended), refuses=USABLE)
def suspend_me() -> Any:
    """Suspends the own account: bookings that can still be cancelled are; staff can lift it."""
    return send("identity", "suspend-me", {})


@audience.endpoint("DELETE", "/v1/me", access=SIGNED_IN, answers=(204, None), refuses=USABLE)
def erase_me() -> Any:
    """Erases the person: no name is left anywhere; the sums stay."""
    send("identity", "erase", {})
