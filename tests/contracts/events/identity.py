"""An example of every event of identity."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from services.identity.bootstrap import AGGREGATES
from services.identity.domain.accounts import Account, Structure, Suspension
from services.identity.domain.checks import Item, Outcome
from services.identity.domain.eligibility import Kind
from services.identity.domain.offerers import Offerer

AT = datetime(2021, 11, 2, 9, tzinfo=UTC)
STREAM = UUID("3f0c5a0e-9d1f-4f6a-8c1b-7e110000aaaa")
MONTPELLIER = Structure("213401722", "COMMUNE DE MONTPELLIER", "1 PLACE GEORGES FRECHE", "34000", "MONTPELLIER")
ITEMS = (Item("document-number", Outcome.OK), Item("last-name", Outcome.SUSPICIOUS, "differs from the account"))
DIGEST = "5c1d" * 16
SEALED = "bm90aGluZyB0aGF0IGNhbiBiZSByZWFk"


def event(event_class: type, /, **fields: Any) -> Any:
    return event_class(originator_id=STREAM, originator_version=2, timestamp=AT, number=7, **fields)


__all__ = ["AGGREGATES", "EVENTS"]

EVENTS = [
    event(
        Account.Opened,
        roles=("pro",),
        email_digest=DIGEST,
        sealed=SEALED,
        structure=MONTPELLIER,
        originator_topic="services.identity.domain.accounts:Account",
    ),
    event(Account.EmailConfirmed),
    event(Account.EmailChanged, email_digest=DIGEST, sealed=SEALED),
    event(Account.PasswordChanged),
    event(Account.PhoneCodeSent, sealed=SEALED, sealed_code=SEALED),
    event(Account.PhoneCodeRefused),
    event(Account.PhoneConfirmed, phone_digest=DIGEST),
    event(
        Account.IdentityChecked,
        check=4,
        kind=Kind.AGE_18,
        outcome=Outcome.SUSPICIOUS,
        items=ITEMS,
        person_digest=DIGEST,
        document_digest=DIGEST,
        sealed_declared=SEALED,
    ),
    event(Account.IdentityReviewed, check=4, kind=Kind.AGE_18, accepted=True, reason="married name"),
    event(Account.ProfileChanged, sealed=SEALED),
    event(Account.Activated, kind=Kind.UNDERAGE, age=16, birth_date=date(2005, 3, 1), department_code="80"),
    event(Account.BirthdayReached, age=17),
    event(Account.Suspended, reason=Suspension.FRAUD),
    event(Account.Unsuspended, reason="mistake"),
    event(Account.Erased),
    event(Offerer.Registered, structure=MONTPELLIER, originator_topic="services.identity.domain.offerers:Offerer"),
    event(Offerer.AttachmentRequested, attachment=2, account=8),
    event(Offerer.Attached, attachment=2, account=8),
    event(Offerer.AttachmentRejected, attachment=2, reason="unknown"),
    event(Offerer.Detached, attachment=2, account=8),
    event(Offerer.Validated),
    event(Offerer.Rejected, reason="not cultural"),
    event(Offerer.Closed, reason="ceased"),
    event(Offerer.ApiKeyCreated, prefix="pc_0123456789ab", digest=DIGEST, account=8),
    event(Offerer.ApiKeyDeleted, prefix="pc_0123456789ab", account=8),
]
