"""Registers actors and young people over HTTP, with every step that a person would take."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from demo.client import Client, Mailbox
from demo.founding_document import PASSWORD, BankDetails, Offer, Structure, Venue, YoungPerson

STEPS = ("confirm-phone", "check-identity", "complete-profile")
"""The steps from the confirmed e-mail to the credit, in order; minors have no phone step."""


@dataclass
class Actor:
    """A structure on the platform, with the token and the identifiers that its requests need."""

    structure: Structure
    token: str
    offerer_id: int
    venue_ids: dict[str, int] = field(default_factory=dict)
    stock_ids: dict[str, int] = field(default_factory=dict)


@dataclass
class Beneficiary:
    person: YoungPerson
    token: str
    credit: dict[str, Any]


def register(client: Client, mailbox: Mailbox, structure: Structure) -> Actor:
    """Creates the account, confirms its e-mail, lets staff validate it, and signs in with the role ``pro``."""
    client.post(
        "/v1/pro/accounts",
        {
            "email": structure.email,
            "password": PASSWORD,
            "firstName": structure.first_name,
            "lastName": structure.last_name,
            "phoneNumber": structure.phone,
            "siren": structure.siren,
            "contactConsent": True,
        },
    )
    confirmed = client.post("/v1/accounts/confirm-email", {"token": mailbox.link_token(structure.email)})
    client.wait_idle()
    offerer = own_offerer(client, structure, confirmed["accessToken"])
    client.post(f"/v1/staff/offerers/{offerer['offererId']}/validate", {}, client.token_of("staff"))
    client.wait_idle()
    return Actor(structure, sign_in(client, structure.email), offerer["offererId"])


def sign_in(client: Client, email: str) -> str:
    token: str = client.post("/v1/auth/sign-in", {"email": email, "password": PASSWORD})["accessToken"]
    return token


def own_offerer(client: Client, structure: Structure, token: str) -> dict[str, Any]:
    """The structure with its venues and their counters, as its account sees it."""
    items: list[dict[str, Any]] = client.get("/v1/pro/offerers", token)["items"]
    return next(item for item in items if item["siren"] == structure.siren)


def open_venue(client: Client, actor: Actor, venue: Venue) -> None:
    """Opens a venue with a SIRET. The digital venue exists already."""
    if venue.siret is None:
        offerer = own_offerer(client, actor.structure, actor.token)
        actor.venue_ids[venue.name] = next(own["venueId"] for own in offerer["venues"] if own["siret"] is None)
        return
    body = {
        "name": venue.name,
        "siret": venue.siret,
        "address": venue.address,
        "postalCode": venue.postal_code,
        "city": venue.city,
        "lat": venue.latitude,
        "lon": venue.longitude,
        "bookingEmail": actor.structure.email,
        "venueType": venue.venue_type,
        "accessibility": {"audio": False, "mental": False, "motor": True, "visual": False},
    }
    path = f"/v1/pro/offerers/{actor.offerer_id}/venues"
    actor.venue_ids[venue.name] = client.post(path, body, actor.token, key=f"demo/venue/{venue.siret}")["venueId"]


def give_bank_details(client: Client, actor: Actor, bank: BankDetails) -> None:
    """Submits bank details for all venues of the structure, and lets staff accept them."""
    body = {"iban": bank.iban, "bic": bank.bic, "holder": bank.holder}
    path = f"/v1/pro/offerers/{actor.offerer_id}/bank-details"
    given = client.post(path, body, actor.token, key=f"demo/bank-details/{bank.iban}")
    client.wait_idle()
    staff = client.token_of("staff")
    client.post(f"/v1/staff/bank-details/{given['bankDetailsId']}/validate", {}, staff)


def publish(client: Client, actor: Actor, venue: Venue, offer: Offer, begins: datetime | None) -> None:
    """Creates an offer and its stock. ``begins`` is the event's start, or None."""
    body: dict[str, Any] = {
        "name": offer.name,
        "subcategory": offer.subcategory,
        "description": offer.description,
        "isDuo": offer.is_duo,
    }
    if offer.url:
        body["url"] = offer.url
    if offer.duration_minutes:
        body["durationMinutes"] = offer.duration_minutes
    path = f"/v1/pro/venues/{actor.venue_ids[venue.name]}/offers"
    made = client.post(path, body, actor.token, key=f"demo/offer/{actor.structure.siren}/{offer.name}")
    stock: dict[str, Any] = {"priceCents": offer.price, "quantity": offer.quantity}
    if begins is not None:
        start = begins.isoformat().replace("+00:00", "Z")
        stock |= {"beginningAt": start, "bookingLimitAt": start}
    added = client.post(
        f"/v1/pro/offers/{made['offerId']}/stocks", stock, actor.token, key=f"demo/stock/{made['offerId']}"
    )
    actor.stock_ids[offer.name] = added["stockId"]


def become_beneficiary(client: Client, mailbox: Mailbox, person: YoungPerson) -> Beneficiary:
    """Creates an account and completes every step up to its credit."""
    client.post(
        "/v1/accounts",
        {
            "email": person.email,
            "password": PASSWORD,
            "firstName": person.first_name,
            "lastName": person.last_name,
            "birthDate": person.birth.isoformat(),
            "postalCode": person.postal_code,
            "phoneNumber": person.phone,
        },
    )
    confirmed = client.post("/v1/accounts/confirm-email", {"token": mailbox.link_token(person.email)})
    return finish_steps(client, mailbox, person, confirmed["accessToken"])


def finish_steps(client: Client, mailbox: Mailbox, person: YoungPerson, token: str) -> Beneficiary:
    """Completes the remaining steps. Raises RuntimeError if no credit is granted."""
    step = client.get("/v1/me", token)["nextStep"]
    if step is not None and step not in STEPS:
        raise RuntimeError(f"{person.email}: the step {step!r} is unknown")
    for left in STEPS[STEPS.index(step) :] if step else ():
        _take_step(client, mailbox, person, token, left)
    return Beneficiary(person, token, _credit(client, token))


def _take_step(client: Client, mailbox: Mailbox, person: YoungPerson, token: str, step: str) -> None:
    if step == "confirm-phone":
        client.post("/v1/me/phone-code", {}, token)
        client.post("/v1/me/phone-code/confirm", {"code": mailbox.phone_code(person.phone)}, token)
    elif step == "check-identity":
        client.post("/v1/me/identity-check", _identity(person), token)
    else:
        profile = {
            "address": person.address,
            "city": person.city,
            "postalCode": person.postal_code,
            "activity": person.activity,
        }
        client.patch("/v1/me/profile", profile, token)


def _identity(person: YoungPerson) -> dict[str, str]:
    return {
        "documentNumber": person.document_number,
        "firstName": person.first_name,
        "lastName": person.last_name,
        "birthDate": person.birth.isoformat(),
    }


def _credit(client: Client, token: str) -> dict[str, Any]:
    """The credit, which another service grants shortly after the last step."""
    me = client.get("/v1/me", token)
    if me["credit"] is None:
        client.wait_idle()
        me = client.get("/v1/me", token)
    if me["nextStep"] is not None or me["credit"] is None:
        raise RuntimeError(f"no credit was granted: {me}")
    credit: dict[str, Any] = me["credit"]
    return credit
