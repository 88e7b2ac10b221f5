"""The signed-in person: profile, steps towards a credit, the credit itself."""

from __future__ import annotations

from typing import Any

from flask import g

from services.gateway.web.endpoints.audience import Audience
from services.gateway.web.endpoints.calls import ask
from services.gateway.web.routes.accounts import forwards_limited
from services.gateway.web.schemas import people as schemas
from services.gateway.web.schemas.accounts import TokenPair
from shared.contracts.calls import identity, wallet
from shared.contracts.calls.contract import SIGNED_IN

audience = Audience("Me", "The signed-in person: profile, steps, credit.")

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
    profile = ask(identity.Me(), batched=True)
    credit = _credit(wallet.Credit(person_id=g.caller.account_id))
    return {**profile, "credit": credit if credit["credits"] else None}


OWN = {"person_id": lambda: g.caller.account_id}


@audience.endpoint("GET", "/v1/me/credit", query=wallet.Credit, supplied=OWN, answers=(200, schemas.Credits))
def my_credit(query: wallet.Credit) -> Any:
    """The current credit and all credits, now or at an instant."""
    return _credit(query)


def _credit(query: wallet.Credit) -> dict[str, Any]:
    found = ask(query, batched=True)
    return {**(found.get("current") or NO_CREDIT), "credits": found["credits"]}


audience.forwards(
    "GET",
    "/v1/me/credit/entries",
    wallet.Entries,
    operation="my_credit_entries",
    supplied=OWN,
    answers=(200, schemas.CreditEntries),
)


audience.forwards("POST", "/v1/me/phone-code", identity.SendPhoneCode, answers=(200, schemas.Standing))


forwards_limited(
    audience, "/v1/me/phone-code/confirm", identity.ConfirmPhoneCode, schemas.Standing, lambda _: g.caller.name()
)
audience.forwards("POST", "/v1/me/identity-check", identity.CheckIdentity, answers=(200, schemas.IdentityOutcome))
audience.forwards("PATCH", "/v1/me/profile", identity.CompleteProfile, answers=(200, schemas.Standing))
# keyed=False: the outcome holds tokens, so it must not be stored
audience.forwards("POST", "/v1/me/password", identity.ChangePassword, keyed=False, answers=(200, TokenPair))
audience.forwards("POST", "/v1/me/email", identity.ChangeEmail, answers=(202, schemas.Done))
audience.forwards("POST", "/v1/me/suspend", identity.SuspendMe, answers=(200, schemas.Suspended))
audience.forwards("DELETE", "/v1/me", identity.Erase, supplied={"account_id": None}, answers=(204, None))
