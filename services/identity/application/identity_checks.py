"""Checking an identity document, and the review of a suspicious one by staff."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from services.identity.application.unit_of_work import Ports, UnitOfWork, caller_account
from services.identity.domain.accounts import Account
from services.identity.domain.checks import Declared, Item, Outcome, document_item, duplicate_items, overall
from services.identity.domain.people import Profile, document_text, person_text
from services.identity.refusals import no_identity_check
from services.identity.storage import identity_checks, people
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call


def check_identity(ports: Ports, call: Call[calls.CheckIdentity]) -> dict[str, Any]:
    """Compares the document with the account and with those of other accounts. Raises StepNotDue, NotEligible."""
    body, number = call.body, caller_account(call)
    declared = Declared(body.document_number, body.first_name, body.last_name, body.birth_date)
    profile = ports.run(lambda work: _profile_to_check(work, number))
    found = [document_item(declared.document_number), *ports.provider.check(declared, profile)]
    return ports.run(lambda work: _record(work, number, declared, found))


def review_identity_check(work: UnitOfWork, call: Call[calls.ReviewIdentityCheck]) -> dict[str, Any]:
    """Raises NotFound, AlreadyDecided."""
    check, accepted = call.body.identity_check_id, call.body.accept
    number = identity_checks.account_of(work.connection, check)
    if number is None:
        raise no_identity_check()
    account = work.account(number)
    if account.review(work.now, check=check, accepted=accepted, reason=call.body.reason):
        mail = work.ports.mails.identity_reviewed(work.profile(account), accepted=accepted)
        work.notify(mail, f"identity-reviewed/{check}")
        work.tx.save(account)
    return {"identityCheckId": check, "status": "ok" if accepted else "ko"}


def _profile_to_check(work: UnitOfWork, number: int) -> Profile:
    account = work.usable_account(number)
    profile = work.profile(account)
    account.credit_to_check(profile, work.now)
    return profile


def _record(work: UnitOfWork, number: int, declared: Declared, found: list[Item]) -> dict[str, Any]:
    account = work.usable_account(number)
    person = work.keys.digest("person", person_text(declared.first_name, declared.last_name, declared.birth_date))
    document = work.keys.digest("document", document_text(declared.document_number))
    items = (*found, *_duplicates(work, account, person, document, overall(found)))
    outcome = account.record_check(
        work.now,
        work.profile(account),
        check=work.tx.next_number("identity-check"),
        items=items,
        person_digest=person,
        document_digest=document,
        sealed_declared=work.keys.seal(number, declared.to_json()),
    )
    work.tx.save(account)
    return {"outcome": outcome.value, "items": [asdict(item) for item in items]}


def _duplicates(work: UnitOfWork, account: Account, person: str, document: str, so_far: Outcome) -> list[Item]:
    """A ko check claims no document: otherwise anyone could block another person's by guessing its number."""
    if so_far is Outcome.KO:
        return []
    return duplicate_items(
        person_taken=not people.claim(work.connection, "person", person, account.number),
        document_taken=not people.claim(work.connection, "document", document, account.number),
    )
