"""Signing up: young people and cultural actors.

A known address gets the same answer as a new one, after the same time: only a mail tells its owner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import date
from typing import Any

from services.identity.application import failures
from services.identity.application.deferred_requests import SIGN_UP, defer
from services.identity.application.tokens import CONFIRM_EMAIL, RESET_PASSWORD, new_mail_token, secret_digest
from services.identity.application.unit_of_work import Ports, UnitOfWork
from services.identity.domain.accounts import Account, Role, Structure
from services.identity.domain.eligibility import MINIMUM_AGE, age_at
from services.identity.domain.offerers import valid_siren
from services.identity.domain.passwords import check_password
from services.identity.domain.people import Profile, normal_email, normal_phone
from services.identity.refusals import TooYoung
from services.identity.storage import credentials, people
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call
from shared.kernel.errors import Invalid
from shared.kernel.time import paris_day
from shared.notifications import Mail


def open_account(ports: Ports, call: Call[calls.OpenAccount]) -> dict[str, Any]:
    """Raises TooYoung, PasswordWeak, PhoneInvalid, TooManyRequests."""
    body = call.body
    _check_age(ports, body.birth_date)
    check_password(body.password)
    profile = Profile(
        email=normal_email(body.email),
        first_name=body.first_name,
        last_name=body.last_name,
        birth_date=body.birth_date,
        postal_code=body.postal_code,
        phone_number=normal_phone(body.phone_number) if body.phone_number else "",
        marketing_consent=body.marketing_consent,
    )
    return _request(ports, profile, body.password, Role.BENEFICIARY, None)


def open_pro_account(ports: Ports, call: Call[calls.OpenProAccount]) -> dict[str, Any]:
    """The structure is registered or joined when the e-mail is confirmed.

    Raises PasswordWeak, PhoneInvalid, SirenInvalid, SirenClosed, SirenForeign, TooManyRequests.
    """
    body = call.body
    check_password(body.password)
    phone = normal_phone(body.phone_number)
    structure = ports.directory.find(valid_siren(body.siren))
    profile = Profile(
        email=normal_email(body.email),
        first_name=body.first_name,
        last_name=body.last_name,
        phone_number=phone,
        marketing_consent=body.contact_consent,
    )
    return _request(ports, profile, body.password, Role.PRO, structure)


def sign_up(work: UnitOfWork, content: dict[str, Any]) -> None:
    """The deferred part: opens the account and mails a link to confirm it, or mails the owner of a known address."""
    profile = Profile.from_json(content["profile"])
    structure = Structure(**content["structure"]) if content["structure"] else None
    account = new_account(work, profile, content["passwordHash"], [Role(content["role"])], structure)
    if account is None:
        mail_owner(work, profile.email, work.ports.mails.already_known, "known")
    else:
        work.tx.save(account)
        _mail_confirmation(work, account, profile)


def new_account(
    work: UnitOfWork, profile: Profile, password_hash: str, roles: Iterable[Role], structure: Structure | None
) -> Account | None:
    """The account with its key, address and password; None if the address has an account."""
    digest = work.keys.digest("email", profile.email)
    if people.account_of_email(work.connection, digest) is not None:
        return None
    number = work.tx.next_number("account")
    if not people.claim_email(work.connection, digest, number):
        return None  # a concurrent sign-up was faster
    work.keys.make(number)
    credentials.set_password(work.connection, number, password_hash)
    sealed = work.keys.seal_profile(number, profile)
    return Account.open(work.now, number, roles, email_digest=digest, sealed=sealed, structure=structure)


def _mail_confirmation(work: UnitOfWork, account: Account, profile: Profile) -> None:
    token = new_mail_token(work, account.number, CONFIRM_EMAIL)
    work.notify(work.ports.mails.confirm_email(profile, token), f"confirm/{secret_digest(token)}")


def mail_owner(work: UnitOfWork, email: str, mail: Callable[[Profile, str], Mail], key: str) -> None:
    """Mails the account of an address, if there is one: ``mail`` with a token to change the password, or, before the
    address is confirmed, another link to confirm it."""
    number = people.account_of_email(work.connection, work.keys.digest("email", email))
    if number is None:
        return
    account = work.account(number)
    profile = work.profile(account)
    if account.confirmed:
        token = new_mail_token(work, number, RESET_PASSWORD)
        work.notify(mail(profile, token), f"{key}/{secret_digest(token)}")
    else:
        _mail_confirmation(work, account, profile)


def _request(ports: Ports, profile: Profile, password: str, role: Role, structure: Structure | None) -> dict[str, Any]:
    """Defers the sign-up. Requests are limited per address, because each one sends a mail."""
    failures.count(ports, "sign-up", profile.email)
    content = {
        "profile": profile.to_json(),
        "passwordHash": ports.hasher.hash(password),
        "role": role.value,
        "structure": asdict(structure) if structure else None,
    }
    ports.run(lambda work: defer(work, SIGN_UP, content))
    return {}


def _check_age(ports: Ports, birth: date) -> None:
    now = ports.store.clock.now()
    if birth > paris_day(now):
        raise Invalid.of_field("birthDate", "Votre date de naissance est dans le futur : vérifiez-la.")
    if age_at(birth, now) < MINIMUM_AGE:
        raise TooYoung(f"Le pass Culture commence à {MINIMUM_AGE} ans : revenez le jour de votre anniversaire.")
