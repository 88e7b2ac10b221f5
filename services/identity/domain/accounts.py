"""An account: opened, confirmed, taken through the steps to a credit, suspended, erased.

Its events hold personal data only sealed with the person's key (``sealed``: a whole ``Profile``), or as keyed digests,
which compare two values and reveal neither.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from eventsourcing.domain import Aggregate

from services.identity.domain import phones
from services.identity.domain.checks import Item, Outcome, overall
from services.identity.domain.eligibility import Kind, Window, age_at, current_window
from services.identity.domain.people import Profile, department, in_territory
from services.identity.refusals import (
    AccountSuspended,
    AlreadyDecided,
    CodeInvalid,
    EmailNotConfirmed,
    NotEligible,
    PhoneNotNeeded,
    StepNotDue,
    no_account,
    no_identity_check,
    too_many,
)
from shared.kernel.errors import DomainError
from shared.kernel.identifiers import stream_id


class Role(StrEnum):
    """``beneficiary``: a young person's account, even before its first credit."""

    BENEFICIARY = "beneficiary"
    PRO = "pro"
    STAFF = "staff"
    FINANCE = "finance"
    OPERATOR = "operator"


class Suspension(StrEnum):
    """The reasons (domain.md §1.4). Booking decides what each one does to bookings."""

    END_OF_CONTRACT = "END_OF_CONTRACT"
    END_OF_ELIGIBILITY = "END_OF_ELIGIBILITY"
    FRAUD = "FRAUD"
    UPON_USER_REQUEST = "UPON_USER_REQUEST"


class Step(StrEnum):
    CONFIRM_EMAIL = "confirm-email"
    CONFIRM_PHONE = "confirm-phone"
    CHECK_IDENTITY = "check-identity"
    AWAIT_REVIEW = "await-review"
    COMPLETE_PROFILE = "complete-profile"


_IN_FRENCH = {
    Step.CONFIRM_EMAIL: "confirmer votre adresse e-mail",
    Step.CONFIRM_PHONE: "confirmer votre numéro de téléphone",
    Step.CHECK_IDENTITY: "faire vérifier votre identité",
    Step.AWAIT_REVIEW: "attendre que notre équipe ait vérifié votre identité",
    Step.COMPLETE_PROFILE: "compléter votre profil",
}


@dataclass(frozen=True, slots=True)
class Structure:
    """A legal person, as the Sirene directory describes it."""

    siren: str
    name: str
    address: str
    postal_code: str
    city: str


class Account(Aggregate):
    class Event(Aggregate.Event):
        number: int

    class Opened(Event, Aggregate.Created):
        roles: tuple[str, ...]
        email_digest: str
        sealed: str
        structure: Structure | None
        """Of a cultural actor. It is registered or joined when the e-mail is confirmed: an address that its owner never
        confirms takes no SIREN."""

    class EmailConfirmed(Event):
        def apply(self, account: Account) -> None:
            account.confirmed = True

    class EmailChanged(Event):
        email_digest: str
        sealed: str

        def apply(self, account: Account) -> None:
            account.email_digest, account.sealed = self.email_digest, self.sealed

    class PasswordChanged(Event):
        """The log holds no password, not even a hash."""

    class PhoneCodeSent(Event):
        sealed: str
        """The profile, with the number that got the code."""
        sealed_code: str

        def apply(self, account: Account) -> None:
            account.sealed, account.sealed_code = self.sealed, self.sealed_code
            account.codes_sent = (
                *phones.within(account.codes_sent, self.timestamp, phones.CODES_PERIOD),
                self.timestamp,
            )

    class PhoneCodeRefused(Event):
        def apply(self, account: Account) -> None:
            recent = phones.within(account.codes_refused, self.timestamp, phones.ATTEMPTS_PERIOD)
            account.codes_refused = (*recent, self.timestamp)

    class PhoneConfirmed(Event):
        phone_digest: str

        def apply(self, account: Account) -> None:
            account.phone_confirmed, account.sealed_code = True, ""

    class IdentityChecked(Event):
        check: int
        kind: Kind
        outcome: Outcome
        items: tuple[Item, ...]
        person_digest: str
        document_digest: str
        sealed_declared: str

        def apply(self, account: Account) -> None:
            account.checks[self.kind] = Check(self.check, self.outcome)

    class IdentityReviewed(Event):
        check: int
        kind: Kind
        accepted: bool
        reason: str

        def apply(self, account: Account) -> None:
            account.checks[self.kind] = Check(self.check, Outcome.OK if self.accepted else Outcome.KO)

    class ProfileChanged(Event):
        sealed: str

        def apply(self, account: Account) -> None:
            account.sealed = self.sealed

    class Activated(Event):
        kind: Kind
        age: int
        birth_date: date | None
        """Of under-age people only: their credit ends on a birthday, so accounting keeps it after an erasure."""
        department_code: str

        def apply(self, account: Account) -> None:
            account.activated += (self.kind,)
            account.birth_date = self.birth_date or account.birth_date

    class BirthdayReached(Event):
        age: int

    class Suspended(Event):
        reason: Suspension

        def apply(self, account: Account) -> None:
            account.suspended, account.suspended_for = True, self.reason

    class Unsuspended(Event):
        reason: str

        def apply(self, account: Account) -> None:
            account.suspended, account.suspended_for = False, None

    class Erased(Event):
        def apply(self, account: Account) -> None:
            account.erased = True
            account.email_digest = account.sealed = account.sealed_code = ""

    def __init__(
        self, *, number: int, roles: tuple[str, ...], email_digest: str, sealed: str, structure: Structure | None
    ) -> None:
        self.number = number
        self.roles = frozenset(Role(role) for role in roles)
        self.email_digest = email_digest
        self.sealed = sealed
        self.structure = structure
        self.confirmed = False
        self.sealed_code = ""
        self.codes_sent: tuple[datetime, ...] = ()
        self.codes_refused: tuple[datetime, ...] = ()
        self.phone_confirmed = False
        self.checks: dict[Kind, Check] = {}
        self.activated: tuple[Kind, ...] = ()
        self.birth_date: date | None = None
        self.suspended = False
        self.suspended_for: Suspension | None = None
        self.erased = False

    @staticmethod
    def stream(number: int) -> UUID:
        return stream_id("account", number)

    @classmethod
    def open(
        cls,
        at: datetime,
        number: int,
        roles: Iterable[Role],
        *,
        email_digest: str,
        sealed: str,
        structure: Structure | None = None,
    ) -> Account:
        return cls._create(
            cls.Opened,
            id=stream_id("account", number),
            timestamp=at,
            number=number,
            roles=tuple(sorted(roles)),
            email_digest=email_digest,
            sealed=sealed,
            structure=structure,
        )

    @property
    def status(self) -> str:
        if self.erased:
            return "erased"
        if self.suspended:
            return "suspended"
        return "active" if self.confirmed else "pending"

    def next_step(self, profile: Profile, at: datetime) -> Step | None:
        """What the person must do to get the next credit; None if no credit is open, or if they have it."""
        if not self.confirmed:
            return Step.CONFIRM_EMAIL
        window = open_window(profile, at)
        if window is None or window.kind in self.activated:
            return None
        if window.kind is Kind.AGE_18 and not self.phone_confirmed:
            return Step.CONFIRM_PHONE
        check = self.checks.get(window.kind)
        if check is None or check.outcome is Outcome.KO:
            return Step.CHECK_IDENTITY
        return Step.AWAIT_REVIEW if check.outcome is Outcome.SUSPICIOUS else Step.COMPLETE_PROFILE

    def require_usable(self) -> None:
        """Raises NotFound, AccountSuspended or EmailNotConfirmed if the account may do nothing."""
        self._require_existing()
        if self.suspended:
            raise AccountSuspended("Votre compte est suspendu : contactez l’équipe du pass Culture.")
        if not self.confirmed:
            raise EmailNotConfirmed(
                "Confirmez d’abord votre adresse e-mail, avec le lien du mail que vous avez reçu. Pour recevoir un "
                "nouveau lien, demandez à changer de mot de passe."
            )

    # E-mail and password

    def confirm_email(self, at: datetime) -> None:
        if not self.confirmed:
            self._record(at, self.EmailConfirmed)

    def change_email(self, at: datetime, *, email_digest: str, sealed: str) -> None:
        self.require_usable()
        if email_digest != self.email_digest:
            self._record(at, self.EmailChanged, email_digest=email_digest, sealed=sealed)

    def change_password(self, at: datetime) -> None:
        self._record(at, self.PasswordChanged)

    # The phone, at 18

    def check_may_send_code(self, profile: Profile, at: datetime) -> None:
        """Raises NotEligible, PhoneNotNeeded, StepNotDue or TooManyRequests."""
        self._require_step(Step.CONFIRM_PHONE, profile, at)
        self._require_attempts_left(at)
        wait = phones.wait(self.codes_sent, at, phones.MAX_CODES, phones.CODES_PERIOD)
        if wait > timedelta(0):
            raise too_many("Vous avez demandé trop de codes", wait)

    def send_code(self, at: datetime, profile: Profile, *, sealed: str, sealed_code: str) -> None:
        """``profile`` is the present one; ``sealed`` is the new one, with the number that gets the code."""
        self.check_may_send_code(profile, at)
        self._record(at, self.PhoneCodeSent, sealed=sealed, sealed_code=sealed_code)

    def try_code(self, at: datetime, profile: Profile, *, given: str, expected: str) -> DomainError | None:
        """None for the right code; a wrong or old one is counted, and its refusal returned so that the count is stored.

        Raises what forbids the attempt. ``expected`` is the last code sent, empty if there is none.
        """
        self._require_step(Step.CONFIRM_PHONE, profile, at)
        self._require_attempts_left(at)
        if not expected or at >= self.codes_sent[-1] + phones.CODE_LIFE:
            return CodeInvalid("Ce code n’est plus valable : demandez-en un autre.")
        if not hmac.compare_digest(given.encode(), expected.encode()):
            self._record(at, self.PhoneCodeRefused)
            return CodeInvalid.of_field("code", "Ce n’est pas le code que vous avez reçu : vérifiez-le.")
        return None

    def confirm_phone(self, at: datetime, *, phone_digest: str) -> None:
        """Called after ``try_code`` has accepted the code, for a number that no other account has confirmed."""
        self._record(at, self.PhoneConfirmed, phone_digest=phone_digest)

    # The identity check

    def credit_to_check(self, profile: Profile, at: datetime) -> Kind:
        """The kind of credit that an identity check is for. Raises NotEligible or StepNotDue."""
        self._require_step(Step.CHECK_IDENTITY, profile, at)
        window = open_window(profile, at)
        assert window is not None
        return window.kind

    def record_check(
        self,
        at: datetime,
        profile: Profile,
        *,
        check: int,
        items: tuple[Item, ...],
        person_digest: str,
        document_digest: str,
        sealed_declared: str,
    ) -> Outcome:
        kind = self.credit_to_check(profile, at)
        outcome = overall(items)
        self._record(
            at,
            self.IdentityChecked,
            check=check,
            kind=kind,
            outcome=outcome,
            items=items,
            person_digest=person_digest,
            document_digest=document_digest,
            sealed_declared=sealed_declared,
        )
        return outcome

    def review(self, at: datetime, *, check: int, accepted: bool, reason: str) -> bool:
        """Decides a suspicious check. False if the decision is a repetition. Raises NotFound, AlreadyDecided."""
        kind = next((kind for kind, known in self.checks.items() if known.number == check), None)
        if kind is None or self.erased:
            raise no_identity_check()
        outcome = self.checks[kind].outcome
        if outcome is (Outcome.OK if accepted else Outcome.KO):
            return False
        if outcome is not Outcome.SUSPICIOUS:
            raise AlreadyDecided("Cette vérification d’identité a déjà reçu une autre décision.")
        self._record(at, self.IdentityReviewed, check=check, kind=kind, accepted=accepted, reason=reason)
        return True

    # The credit

    def complete_profile(self, at: datetime, profile: Profile, *, sealed: str) -> Kind | None:
        """Activates the person, as the last step; returns the kind of the credit, or None for a mere change of data.

        ``profile`` is the new one, ``sealed`` the same one sealed.
        """
        self.require_usable()
        window = open_window(profile, at)
        if window is None or window.kind in self.activated:
            self._change_profile(at, sealed)
            return None
        self._require_step(Step.COMPLETE_PROFILE, profile, at)
        assert profile.birth_date is not None
        self._record(at, self.ProfileChanged, sealed=sealed)
        self._record(
            at,
            self.Activated,
            kind=window.kind,
            age=age_at(profile.birth_date, at),
            birth_date=profile.birth_date if window.kind is Kind.UNDERAGE else None,
            department_code=department(profile.postal_code),
        )
        return window.kind

    def _change_profile(self, at: datetime, sealed: str) -> None:
        if not self.activated:
            raise NotEligible
        self._record(at, self.ProfileChanged, sealed=sealed)

    def reach_birthday(self, at: datetime, age: int) -> None:
        """Called for under-age beneficiaries only: at 16 and 17 their credit grows, at 18 it ends."""
        self._record(at, self.BirthdayReached, age=age)

    # The end

    def suspend(self, at: datetime, reason: Suspension) -> bool:
        """False if it is suspended already. Fraud found later is recorded too: it cancels more bookings than other
        reasons."""
        self._require_existing()
        if self.suspended and (reason is not Suspension.FRAUD or self.suspended_for is Suspension.FRAUD):
            return False
        self._record(at, self.Suspended, reason=reason)
        return True

    def unsuspend(self, at: datetime, reason: str) -> bool:
        """False if it is not suspended. What the suspension cancelled stays cancelled."""
        self._require_existing()
        if not self.suspended:
            return False
        self._record(at, self.Unsuspended, reason=reason)
        return True

    def erase(self, at: datetime) -> bool:
        """Removes the person; the account's number and sums stay. False if it is a repetition."""
        if self.erased:
            return False
        self._record(at, self.Erased)
        return True

    def _record(self, at: datetime, event: type[Event], /, **fields: Any) -> None:
        self.trigger_event(event, timestamp=at, number=self.number, **fields)

    # Guards

    def _require_existing(self) -> None:
        if self.erased:
            raise no_account()

    def _require_step(self, step: Step, profile: Profile, at: datetime) -> None:
        self.require_usable()
        window = open_window(profile, at)
        if window is None:
            raise NotEligible
        if step is Step.CONFIRM_PHONE and window.kind is Kind.UNDERAGE:
            raise PhoneNotNeeded("Avant 18 ans, vous n’avez pas de numéro de téléphone à confirmer.")
        reached = self.next_step(profile, at)
        if reached is not step:
            detail = (
                f"Il vous faut d’abord {_IN_FRENCH[reached]}." if reached else "Il ne vous reste aucune étape à faire."
            )
            raise StepNotDue(detail, extra={"nextStep": reached.value if reached else None})

    def _require_attempts_left(self, at: datetime) -> None:
        wait = phones.wait(self.codes_refused, at, phones.MAX_ATTEMPTS, phones.ATTEMPTS_PERIOD)
        if wait > timedelta(0):
            raise too_many("Vous avez donné trop de codes faux", wait)


@dataclass(frozen=True, slots=True)
class Check:
    """The last identity check for a kind of credit."""

    number: int
    outcome: Outcome


def open_window(profile: Profile, at: datetime) -> Window | None:
    """The window that is open now; None without one, and for a postcode that the scheme does not serve."""
    return current_window(profile.birth_date, at) if in_territory(profile.postal_code) else None
