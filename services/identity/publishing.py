"""Identity's events → its messages. The only writer of them."""

from __future__ import annotations

from typing import Any

from services.identity.domain.accounts import Account
from services.identity.domain.offerers import Offerer
from shared.eventstore import Publication
from shared.kernel.time import instant_text

publication = Publication("identity")


@publication.publishes(Account.Opened, "AccountOpened")
def account_opened(event: Account.Opened) -> dict[str, Any]:
    return {"accountId": event.number, "roles": sorted(event.roles)}


@publication.publishes(Account.Activated, "BeneficiaryActivated")
def beneficiary_activated(event: Account.Activated) -> dict[str, Any]:
    return {
        "personId": event.number,
        "kind": event.kind.value,
        "age": event.age,
        "birthDate": event.birth_date.isoformat() if event.birth_date else None,
        "activatedAt": instant_text(event.timestamp),
        "departmentCode": event.department_code,
    }


@publication.publishes(Account.BirthdayReached, "BirthdayReached")
def birthday_reached(event: Account.BirthdayReached) -> dict[str, Any]:
    return {"personId": event.number, "age": event.age, "at": instant_text(event.timestamp)}


@publication.publishes(Account.Suspended, "BeneficiarySuspended")
def suspended(event: Account.Suspended) -> dict[str, Any]:
    return {"personId": event.number, "reason": event.reason.value, "at": instant_text(event.timestamp)}


@publication.publishes(Account.Unsuspended, "BeneficiaryUnsuspended")
def unsuspended(event: Account.Unsuspended) -> dict[str, Any]:
    return {"personId": event.number, "reason": event.reason, "at": instant_text(event.timestamp)}


@publication.publishes(Account.Erased, "PersonErased")
def person_erased(event: Account.Erased) -> dict[str, Any]:
    return {"personId": event.number, "at": instant_text(event.timestamp)}


@publication.publishes(Offerer.Registered, "OffererRegistered")
def offerer_registered(event: Offerer.Registered) -> dict[str, Any]:
    structure = event.structure
    return {
        "offererId": event.number,
        "siren": structure.siren,
        "name": structure.name,
        "address": structure.address,
        "postalCode": structure.postal_code,
        "city": structure.city,
        "registeredAt": instant_text(event.timestamp),
    }


@publication.publishes(Offerer.Validated, "OffererValidated")
def offerer_validated(event: Offerer.Validated) -> dict[str, Any]:
    return {"offererId": event.number, "at": instant_text(event.timestamp)}


@publication.publishes(Offerer.Rejected, "OffererRejected")
def offerer_rejected(event: Offerer.Rejected) -> dict[str, Any]:
    return {"offererId": event.number, "at": instant_text(event.timestamp), "reason": event.reason}


@publication.publishes(Offerer.Closed, "OffererClosed")
def offerer_closed(event: Offerer.Closed) -> dict[str, Any]:
    return {"offererId": event.number, "at": instant_text(event.timestamp), "reason": event.reason}


@publication.publishes(Offerer.Attached, "ProAttached")
def pro_attached(event: Offerer.Attached) -> dict[str, Any]:
    return {"accountId": event.account, "offererId": event.number, "at": instant_text(event.timestamp)}


@publication.publishes(Offerer.Detached, "ProDetached")
def pro_detached(event: Offerer.Detached) -> dict[str, Any]:
    return {"accountId": event.account, "offererId": event.number, "at": instant_text(event.timestamp)}
