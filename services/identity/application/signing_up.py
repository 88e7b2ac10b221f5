"""Accounts, from the sign-up to the confirmed e-mail.

An address that has an account already is answered like a new one, in the same time: which of the two it is, is
looked up after the answer (``requests``). Only its owner is told, by mail.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from typing import Any

from services.identity import storage
from services.identity.application.ports import CHANGE_EMAIL, CONFIRM_EMAIL, RESET_PASSWORD, Ports, Work, secret_digest
from services.identity.application.requests import SIGN_UP, put
from services.identity.application.sessions import Failures
from services.identity.domain.accounts import Account, Role, Structure
from services.identity.domain.eligibility import MINIMUM_AGE, age_at
from services.identity.domain.errors import EmailTaken, TokenExpired, TokenInvalid, TooYoung
from services.identity.domain.offerers import Offerer
from services.identity.domain.passwords import check_password
from services.identity.domain.people import Profile, normal_email, normal_phone
from services.identity.sirene import valid_siren
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.errors import Invalid
from shared.kernel.time import paris_day


class SigningUp:
    def __init__(self, ports: Ports, failures: Failures) -> None:
        self._ports, self._failures = ports, failures

    def open_account(self, call: Call[calls.OpenAccount]) -> Outcome:
        """A young person's, or anybody's who only looks around; raises TooYoung under 15."""
        body = call.body
        self._check_age(body.birth_date)
        check_password(body.password)
        phone = normal_phone(body.phone_number) if body.phone_number else ""
        profile = Profile(
            email=normal_email(body.email),
            first_name=body.first_name,
            last_name=body.last_name,
            birth_date=body.birth_date,
            postal_code=body.postal_code,
            phone_number=phone,
            marketing_consent=body.marketing_consent,
        )
        return self._ask(profile, body.password, Role.BENEFICIARY, None)

    def open_pro_account(self, call: Call[calls.OpenProAccount]) -> Outcome:
        """A cultural actor's. Raises SirenInvalid, SirenClosed, SirenForeign. The structure is registered, or joined,
        when the e-mail is confirmed."""
        body = call.body
        check_password(body.password)
        phone = normal_phone(body.phone_number)
        structure = self._ports.directory.find(valid_siren(body.siren))
        profile = Profile(
            email=normal_email(body.email),
            first_name=body.first_name,
            last_name=body.last_name,
            phone_number=phone,
            marketing_consent=body.contact_consent,
        )
        return self._ask(profile, body.password, Role.PRO, structure)

    def create_staff(self, call: Call[calls.CreateStaff]) -> Outcome:
        """From the command line: confirmed at once. Raises EmailTaken."""
        body = call.body
        check_password(body.password)
        hashed = self._ports.hasher.hash(body.password)
        profile = Profile(normal_email(body.email), body.first_name, body.last_name)

        def work(work: Work) -> dict[str, Any]:
            account = _new_account(work, profile, hashed, map(Role, body.roles), None)
            if account is None:
                raise EmailTaken("this address has an account already")
            account.confirm_email(work.now)
            work.tx.save(account)
            return {"accountId": account.number}

        return self._ports.run(work)

    def confirm_email(self, call: Call[calls.ConfirmEmail]) -> Outcome:
        """Opens the door: a token pair. A pro's structure is registered or joined now; a changed address adopted."""
        body = call.body
        with self._failures.watching("mail-token", body.client_address):
            return self._ports.run(lambda work: _confirm(work, body.token))

    def _ask(self, profile: Profile, password: str, role: Role, structure: Structure | None) -> Outcome:
        """Whether the address is known is looked up after the answer: nobody can tell by the time it took.

        Each request sends a letter, so they are limited per address, known or not."""
        self._failures.begin("sign-up", profile.email)
        content = {
            "profile": profile.to_json(),
            "passwordHash": self._ports.hasher.hash(password),
            "role": role.value,
            "structure": asdict(structure) if structure else None,
        }
        self._ports.run(lambda work: put(work, SIGN_UP, content))
        return {}

    def _check_age(self, birth: date) -> None:
        now = self._ports.store.clock.now()
        if birth > paris_day(now):
            raise Invalid("the birth date lies ahead", errors={"birthDate": ["lies ahead"]})
        if age_at(birth, now) < MINIMUM_AGE:
            raise TooYoung(f"the pass begins at {MINIMUM_AGE}", errors={"birthDate": [f"younger than {MINIMUM_AGE}"]})


def sign_up(work: Work, content: dict[str, Any]) -> None:
    """What was asked for: a new account and its letter, or a letter to whom the address belongs."""
    profile = Profile.from_json(content["profile"])
    structure = Structure(**content["structure"]) if content["structure"] else None
    account = _new_account(work, profile, content["passwordHash"], [Role(content["role"])], structure)
    if account is None:
        _tell_owner(work, profile.email)
        return
    work.tx.save(account)
    token = work.mail_token(account.number, CONFIRM_EMAIL)
    work.tell(work.ports.letters.confirm_email(profile, token), f"confirm/{secret_digest(token)}")


def _new_account(
    work: Work, profile: Profile, hashed: str, roles: Iterable[Role], structure: Structure | None
) -> Account | None:
    """The account, with its key, its address and its password; None when the address has one."""
    digest = work.keys.digest("email", profile.email)
    if storage.account_of_email(work.connection, digest) is not None:
        return None
    number = work.tx.next_number("account")
    if not storage.claim_email(work.connection, digest, number):
        return None  # somebody else signed up with it this very moment
    work.keys.make(number)
    storage.set_password(work.connection, number, hashed)
    sealed = work.keys.seal_profile(number, profile)
    return Account.open(work.now, number, roles, email_digest=digest, sealed=sealed, structure=structure)


def _tell_owner(work: Work, email: str) -> None:
    """Who has not confirmed yet gets another link; who has is told, and may choose a new password."""
    number = storage.account_of_email(work.connection, work.keys.digest("email", email))
    assert number is not None
    account = work.account(number)
    profile = work.profile(account)
    letters = work.ports.letters
    if account.confirmed:
        token = work.mail_token(number, RESET_PASSWORD)
        work.tell(letters.already_known(profile, token), f"known/{secret_digest(token)}")
    else:
        token = work.mail_token(number, CONFIRM_EMAIL)
        work.tell(letters.confirm_email(profile, token), f"confirm/{secret_digest(token)}")


def _confirm(work: Work, token: str) -> dict[str, Any]:
    row = storage.mail_token(work.connection, secret_digest(token), (CONFIRM_EMAIL, CHANGE_EMAIL))
    if row is None:
        raise TokenInvalid("this link was never sent, or was used before")
    if row.expires_at <= work.now:
        raise TokenExpired("this link is more than a day old: ask for another one")
    account = work.account(row.account_id)
    if row.purpose == CHANGE_EMAIL:
        _adopt_email(work, account, row.sealed)
    else:
        _confirm_first(work, account)
    storage.spend_mail_tokens(work.connection, account.number, row.purpose)
    account.require_usable()
    work.tx.save(account)
    return work.token_pair(account)


def _confirm_first(work: Work, account: Account) -> None:
    fresh = not account.confirmed
    account.confirm_email(work.now)
    if fresh and account.structure is not None:
        _join(work, account, account.structure)


def _join(work: Work, account: Account, structure: Structure) -> None:
    """An unknown SIREN: registered, awaiting validation. A known one: an attachment awaiting approval."""
    number = work.tx.next_number("offerer")
    known = storage.claim_siren(work.connection, structure.siren, number)
    attachment = work.tx.next_number("attachment")
    if known == number:
        offerer = Offerer.register(work.now, number, structure)
        offerer.attach_first(work.now, attachment=attachment, account=account.number)
    else:
        offerer = work.offerer(known)
        offerer.request_attachment(work.now, attachment=attachment, account=account.number)
    work.tx.save(offerer)


def _adopt_email(work: Work, account: Account, sealed_address: str) -> None:
    email = work.keys.open(account.number, sealed_address)["email"]
    digest = work.keys.digest("email", email)
    if digest == account.email_digest:
        return
    if storage.account_of_email(work.connection, digest) is not None:
        raise TokenInvalid("this address has an account by now")
    storage.release_email(work.connection, account.number)
    if not storage.claim_email(work.connection, digest, account.number):
        raise TokenInvalid("this address has an account by now")
    _, sealed = work.sealed(account, work.profile(account), email=email)
    account.change_email(work.now, email_digest=digest, sealed=sealed)
