"""The steps to a credit: phone, identity, profile (domain.md §1.3)."""

from __future__ import annotations

from typing import Any

from services.identity import storage
from services.identity.application.ports import Ports, Work, caller_account
from services.identity.application.sessions import Failures
from services.identity.domain.accounts import Account
from services.identity.domain.checks import Declared, Item, Outcome, document_item, duplicate_items, overall
from services.identity.domain.errors import PhoneInvalid, PhoneTaken
from services.identity.domain.people import Profile, document_text, normal_phone, person_text
from services.identity.domain.phones import draw_code
from shared.contracts.calls import identity as calls
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call
from shared.eventstore.outcomes import Outcome as CallOutcome
from shared.kernel.errors import DomainError, NotFound, PreconditionFailed


class Journey:
    def __init__(self, ports: Ports, failures: Failures) -> None:
        self._ports, self._failures = ports, failures

    # ---- the phone

    def send_phone_code(self, tx: Transaction, call: Call[calls.SendPhoneCode]) -> dict[str, Any]:
        """To the number of the account, or to another one, which becomes the account's."""
        body = call.body
        work = Work(self._ports, tx)
        account = work.usable_account(caller_account(call))
        profile = work.profile(account)
        account.may_send_code(profile, work.now)
        number = _number(profile, body.phone_number)
        digest = work.keys.digest("phone", number)
        if storage.claimed_by_another(work.connection, "phone", digest, account.number):
            raise PhoneTaken("this number is confirmed by another account")
        code = draw_code(self._ports.randomness.draw("phone-code", account.number, account.version))
        _, sealed = work.sealed(account, profile, phone_number=number)
        sealed_code = work.keys.seal(account.number, {"code": code})
        account.send_code(work.now, profile, sealed=sealed, sealed_code=sealed_code)
        work.tell(work.ports.letters.code(number, code), f"phone-code/{account.number}/{account.version}")
        tx.save(account)
        return _standing(work, account)

    def confirm_phone_code(self, call: Call[calls.ConfirmPhoneCode]) -> CallOutcome:
        """A wrong code is counted although it is refused."""
        body = call.body
        number = caller_account(call)
        with self._failures.watching("phone-code", str(number), body.client_address):
            outcome = self._ports.run(lambda work: _try_code(work, number, body.code))
            if isinstance(outcome, DomainError):
                raise outcome
            return outcome

    # ---- who the person is

    def check_identity(self, call: Call[calls.CheckIdentity]) -> CallOutcome:
        """What the provider finds, and whether somebody else was checked with the same document or name."""
        body = call.body
        number = caller_account(call)
        declared = Declared(body.document_number, body.first_name, body.last_name, body.birth_date)
        profile = self._ports.run(lambda work: _profile_for_check(work, number))
        found = [document_item(declared.document_number), *self._ports.provider.check(declared, profile)]
        return self._ports.run(lambda work: _record_check(work, number, declared, found))

    def review_identity_check(self, tx: Transaction, call: Call[calls.ReviewIdentityCheck]) -> dict[str, Any]:
        """Staff's word on what was left suspicious."""
        body = call.body
        work = Work(self._ports, tx)
        number = storage.account_of_check(work.connection, body.identity_check_id)
        if number is None:
            raise NotFound("no such identity check")
        account = work.account(number)
        accepted, reason = body.accept, body.reason
        if account.review(work.now, check=body.identity_check_id, accepted=accepted, reason=reason):
            letter = work.ports.letters.identity_reviewed(work.profile(account), accepted=accepted)
            work.tell(letter, f"identity-reviewed/{body.identity_check_id}")
            tx.save(account)
        return {"identityCheckId": body.identity_check_id, "status": "ok" if accepted else "ko"}

    # ---- the credit

    def complete_profile(self, tx: Transaction, call: Call[calls.CompleteProfile]) -> dict[str, Any]:
        """The last step activates; afterwards it only changes the data. ``ifMatch``: the version of which the caller
        knows, when it matters."""
        body = call.body
        work = Work(self._ports, tx)
        account = work.usable_account(caller_account(call))
        if body.if_match not in (None, account.version):
            raise PreconditionFailed("the account has changed since you read it")
        profile, sealed = work.sealed(
            account,
            work.profile(account),
            address=body.address,
            city=body.city,
            postal_code=body.postal_code,
            activity=body.activity,
        )
        kind = account.complete_profile(work.now, profile, sealed=sealed)
        if kind is not None:
            work.tell(work.ports.letters.activated(profile, kind), f"activated/{account.number}/{kind.value}")
        tx.save(account)
        return _standing(work, account)


def _standing(work: Work, account: Account) -> dict[str, Any]:
    """How far the person has come. Outcomes are kept for ever: nothing that is personal is in them."""
    step = account.next_step(work.profile(account), work.now)
    return {
        "accountId": account.number,
        "roles": sorted(role.value for role in account.roles),
        "status": account.status,
        "nextStep": step.value if step else None,
        "version": account.version,
    }


def _number(profile: Profile, given: str | None) -> str:
    if given:
        return normal_phone(given)
    if not profile.phone_number:
        raise PhoneInvalid("the account has no phone number", errors={"phoneNumber": ["needed"]})
    return profile.phone_number


def _try_code(work: Work, number: int, given: str) -> dict[str, Any] | DomainError:
    account = work.usable_account(number)
    profile = work.profile(account)
    expected = work.keys.open(number, account.sealed_code)["code"] if account.sealed_code else ""
    refusal = account.try_code(work.now, profile, given=given, expected=expected)
    if refusal is None:
        digest = work.keys.digest("phone", profile.phone_number)
        if not storage.claim(work.connection, "phone", digest, number):
            raise PhoneTaken("this number is confirmed by another account")
        account.confirm_phone(work.now, phone_digest=digest)
    work.tx.save(account)
    return refusal or _standing(work, account)


def _profile_for_check(work: Work, number: int) -> Profile:
    account = work.usable_account(number)
    profile = work.profile(account)
    account.may_check_identity(profile, work.now)
    return profile


def _record_check(work: Work, number: int, declared: Declared, found: list[Item]) -> dict[str, Any]:
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
    listed = [{"name": item.name, "outcome": item.outcome.value, "detail": item.detail} for item in items]
    return {"outcome": outcome.value, "items": listed}


def _duplicates(work: Work, account: Account, person: str, document: str, so_far: Outcome) -> list[Item]:
    """A refused check claims nothing: else anybody could take hold of another's document by guessing."""
    if so_far is Outcome.KO:
        return []
    return duplicate_items(
        person_taken=not storage.claim(work.connection, "person", person, account.number),
        document_taken=not storage.claim(work.connection, "document", document, account.number),
    )
