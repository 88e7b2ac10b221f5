"""Confirming a phone number with a code by text message."""

from __future__ import annotations

from typing import Any

from services.identity.answers import standing
from services.identity.application.failures import limited
from services.identity.application.unit_of_work import Ports, UnitOfWork, caller_account
from services.identity.domain.people import Profile, normal_phone
from services.identity.domain.phones import draw_code
from services.identity.refusals import PhoneInvalid, PhoneTaken
from services.identity.storage import people
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call
from shared.kernel.errors import DomainError


def send_phone_code(work: UnitOfWork, call: Call[calls.SendPhoneCode]) -> dict[str, Any]:
    """Sends it to the account's number, or to a given one, which becomes the account's.

    Raises PhoneInvalid, PhoneTaken, NotEligible, PhoneNotNeeded, StepNotDue, TooManyRequests.
    """
    account = work.usable_account(caller_account(call))
    profile = work.profile(account)
    account.check_may_send_code(profile, work.now)
    number = _number(profile, call.body.phone_number)
    if people.claimant(work.connection, "phone", work.keys.digest("phone", number)) not in (None, account.number):
        raise PhoneTaken
    code = draw_code(work.ports.randomness.draw("phone-code", account.number, account.version))
    _, sealed = work.changed_profile(account, phone_number=number)
    sealed_code = work.keys.seal(account.number, {"code": code})
    account.send_code(work.now, profile, sealed=sealed, sealed_code=sealed_code)
    work.notify(work.ports.mails.code(number, code), f"phone-code/{account.number}/{account.version}")
    work.tx.save(account)
    return standing(account, work.profile(account), work.now)


def confirm_phone_code(ports: Ports, call: Call[calls.ConfirmPhoneCode]) -> dict[str, Any]:
    """Raises CodeInvalid, PhoneTaken, NotEligible, PhoneNotNeeded, StepNotDue, TooManyRequests."""
    number = caller_account(call)
    with limited(ports, "phone-code", str(number), call.body.client_address):
        outcome = ports.run(lambda work: _try_code(work, number, call.body.code))
        if isinstance(outcome, DomainError):  # returned by the transaction, which commits the count
            raise outcome
        return outcome


def _number(profile: Profile, given: str | None) -> str:
    if given:
        return normal_phone(given)
    if not profile.phone_number:
        raise PhoneInvalid("Indiquez le numéro de téléphone auquel envoyer le code.")
    return profile.phone_number


def _try_code(work: UnitOfWork, number: int, given: str) -> dict[str, Any] | DomainError:
    account = work.usable_account(number)
    profile = work.profile(account)
    expected = work.keys.open(number, account.sealed_code)["code"] if account.sealed_code else ""
    refusal = account.try_code(work.now, profile, given=given, expected=expected)
    if refusal is None:
        digest = work.keys.digest("phone", profile.phone_number)
        if not people.claim(work.connection, "phone", digest, number):
            raise PhoneTaken
        account.confirm_phone(work.now, phone_digest=digest)
    work.tx.save(account)
    return refusal or standing(account, profile, work.now)
