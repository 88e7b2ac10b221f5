"""An account: opened, confirmed, taken through the steps to a credit, suspended, erased.

Its events hold personal data only sealed with the person's key (``sealed``: a whole ``Profile``), or as keyed digests
that tell whether two are the same and nothing else.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from eventsourcing.domain import Aggregate

from services.identity.domain import phones
from services.identity.domain.checks import Item, Outcome, overall
from services.identity.domain.eligibility import Kind, Window, age_at, current_window
from services.identity.domain.errors import (
    AccountSuspended,
    AlreadyDecided,
    CodeInvalid,
    EmailNotConfirmed,
    NotEligible,
    PhoneNotNeeded,
    StepNotDue,
)
from services.identity.domain.people import Profile, department, in_territory
from shared.kernel.errors import DomainError, NotFound, TooManyRequests
from shared.kernel.identifiers import stream_id


class Role(StrEnum):
    """``beneficiary``: a young person's account, credited or not yet."""

    BENEFICIARY = "beneficiary"
    PRO = "pro"
    STAFF = "staff"
    FINANCE = "finance"
    OPERATOR = "operator"


INTERNAL_ROLES = frozenset({Role.STAFF, Role.FINANCE, Role.OPERATOR})


class Suspension(StrEnum):
    """Why (domain.md §1.4); what becomes of the bookings is booking's rule."""

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


@dataclass(frozen=True, slots=True)
class Structure:
    """What the Sirene directory says of a SIREN."""

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
        """A pro's: registered or joined once the e-mail is confirmed, so that nobody takes a SIREN from afar."""

    class EmailConfirmed(Event):
        def apply(self, account: Account) -> None:
            account.confirmed = True

    class EmailChanged(Event):
        email_digest: str
        sealed: str

        def apply(self, account: Account) -> None:
            account.email_digest, account.sealed = self.email_digest, self.sealed

    class PasswordChanged(Event):
        """The password itself is not in the log, not even as a hash."""

    class PhoneCodeSent(Event):
        sealed: str
        """The profile, with the number that the code went to."""
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
        """Of the under-age only: their credit ends on a birthday, which accounting must keep."""
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

    # ---- what it is

    @property
    def status(self) -> str:
        if self.erased:
            return "erased"
        if self.suspended:
            return "suspended"
        return "active" if self.confirmed else "pending"

    def next_step(self, profile: Profile, at: datetime) -> Step | None:
        """What the person has to do before the next credit; None when nothing is left or open."""
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
        """Raises NotFound, AccountSuspended or EmailNotConfirmed: an account that may not act."""
        if self.erased:
            raise NotFound("no such account")
        if self.suspended:
            raise AccountSuspended("this account is suspended")
        if not self.confirmed:
            raise EmailNotConfirmed("the e-mail address is not confirmed yet")

    # ---- e-mail and password

    def confirm_email(self, at: datetime) -> None:
        if not self.confirmed:
            self.trigger_event(self.EmailConfirmed, timestamp=at, number=self.number)

    def change_email(self, at: datetime, *, email_digest: str, sealed: str) -> None:
        self.require_usable()
        if email_digest != self.email_digest:
            self.trigger_event(
                self.EmailChanged, timestamp=at, number=self.number, email_digest=email_digest, sealed=sealed
            )

    def change_password(self, at: datetime) -> None:
        self.trigger_event(self.PasswordChanged, timestamp=at, number=self.number)

    # ---- the phone, at 18

    def may_send_code(self, profile: Profile, at: datetime) -> None:
        """Raises NotEligible, PhoneNotNeeded, StepNotDue or TooManyRequests."""
        self._require_step(Step.CONFIRM_PHONE, profile, at)
        self._require_attempts_left(at)
        pause = phones.wait(self.codes_sent, at, phones.CODES_ALLOWED, phones.CODES_PERIOD)
        if pause is not None:
            raise TooManyRequests("too many codes were sent", extra={"retryAfter": _seconds(pause.total_seconds())})

    def send_code(self, at: datetime, profile: Profile, *, sealed: str, sealed_code: str) -> None:
        """``profile`` is the one before; ``sealed`` holds the number that the code goes to."""
        self.may_send_code(profile, at)
        self.trigger_event(self.PhoneCodeSent, timestamp=at, number=self.number, sealed=sealed, sealed_code=sealed_code)

    def try_code(self, at: datetime, profile: Profile, *, given: str, expected: str) -> DomainError | None:
        """Counts an attempt. Returns the refusal of a wrong or an old code, so that the count is kept; None when right.

        Raises what makes the attempt impossible. ``expected`` is the last code sent, empty when there is none.
        """
        self._require_step(Step.CONFIRM_PHONE, profile, at)
        self._require_attempts_left(at)
        if not expected or at >= self.codes_sent[-1] + phones.CODE_LIFE:
            return CodeInvalid("ask for a new code")
        if not hmac.compare_digest(given.encode(), expected.encode()):
            self.trigger_event(self.PhoneCodeRefused, timestamp=at, number=self.number)
            return CodeInvalid("this is not the code that was sent", errors={"code": ["not the code that was sent"]})
        return None

    def confirm_phone(self, at: datetime, *, phone_digest: str) -> None:
        """After ``try_code`` found the code right and the number was found to be nobody else's."""
        self.trigger_event(self.PhoneConfirmed, timestamp=at, number=self.number, phone_digest=phone_digest)

    # ---- who the person is

    def may_check_identity(self, profile: Profile, at: datetime) -> Kind:
        """The kind of credit that a check would be for. Raises NotEligible or StepNotDue."""
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
        kind = self.may_check_identity(profile, at)
        outcome = overall(items)
        self.trigger_event(
            self.IdentityChecked,
            timestamp=at,
            number=self.number,
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
        """Staff's word on a suspicious check; False when it was the same before. Raises NotFound, AlreadyDecided."""
        kind = next((kind for kind, known in self.checks.items() if known.number == check), None)
        if kind is None or self.erased:
            raise NotFound("no such identity check")
        outcome = self.checks[kind].outcome
        if outcome is (Outcome.OK if accepted else Outcome.KO):
            return False
        if outcome is not Outcome.SUSPICIOUS:
            raise AlreadyDecided("this identity check was decided before")
        self.trigger_event(
            self.IdentityReviewed,
            timestamp=at,
            number=self.number,
            check=check,
            kind=kind,
            accepted=accepted,
            reason=reason,
        )
        return True

    # ---- the credit

    def complete_profile(self, at: datetime, profile: Profile, *, sealed: str) -> Kind | None:
        """The last step: activates; the kind of the credit, or None when a credited person changes their data.

        ``profile`` is the new one, ``sealed`` the same.
        """
        self.require_usable()
        window = open_window(profile, at)
        if window is None or window.kind in self.activated:
            self._change_profile(at, sealed)
            return None
        self._require_step(Step.COMPLETE_PROFILE, profile, at)
        assert profile.birth_date is not None
        self.trigger_event(self.ProfileChanged, timestamp=at, number=self.number, sealed=sealed)
        self.trigger_event(
            self.Activated,
            timestamp=at,
            number=self.number,
            kind=window.kind,
            age=age_at(profile.birth_date, at),
            birth_date=profile.birth_date if window.kind is Kind.UNDERAGE else None,
            department_code=department(profile.postal_code),
        )
        return window.kind

    def _change_profile(self, at: datetime, sealed: str) -> None:
        if not self.activated:
            raise NotEligible("no credit is open to you now")
        self.trigger_event(self.ProfileChanged, timestamp=at, number=self.number, sealed=sealed)

    def reach_birthday(self, at: datetime, age: int) -> None:
        """Told of under-age beneficiaries only: at 16 and 17 their credit grows, at 18 it ends."""
        self.trigger_event(self.BirthdayReached, timestamp=at, number=self.number, age=age)

    # ---- the end

    def suspend(self, at: datetime, reason: Suspension) -> bool:
        """False when it is suspended already. Fraud is told again of who had left before it was found: it cancels what
        leaving does not."""
        if self.erased:
            raise NotFound("no such account")
        if self.suspended and (reason is not Suspension.FRAUD or self.suspended_for is Suspension.FRAUD):
            return False
        self.trigger_event(self.Suspended, timestamp=at, number=self.number, reason=reason)
        return True

    def unsuspend(self, at: datetime, reason: str) -> bool:
        """False when it is not suspended. What the suspension cancelled stays cancelled."""
        if self.erased:
            raise NotFound("no such account")
        if not self.suspended:
            return False
        self.trigger_event(self.Unsuspended, timestamp=at, number=self.number, reason=reason)
        return True

    def erase(self, at: datetime) -> bool:
        """The person goes, the account's number and sums stay; False when it was done before."""
        if self.erased:
            return False
        self.trigger_event(self.Erased, timestamp=at, number=self.number)
        return True

    # ---- guards

    def _require_step(self, step: Step, profile: Profile, at: datetime) -> None:
        self.require_usable()
        window = open_window(profile, at)
        if window is None:
            raise NotEligible("no credit is open to you now")
        if step is Step.CONFIRM_PHONE and window.kind is Kind.UNDERAGE:
            raise PhoneNotNeeded("a phone is confirmed at 18")
        reached = self.next_step(profile, at)
        if reached is not step:
            detail = f"the next step is {reached.value}" if reached else "there is no step left"
            raise StepNotDue(detail, extra={"nextStep": reached.value if reached else None})

    def _require_attempts_left(self, at: datetime) -> None:
        pause = phones.wait(self.codes_refused, at, phones.ATTEMPTS_ALLOWED, phones.ATTEMPTS_PERIOD)
        if pause is not None:
            raise TooManyRequests("too many wrong codes", extra={"retryAfter": _seconds(pause.total_seconds())})


@dataclass(frozen=True, slots=True)
class Check:
    """The last identity check for a kind of credit."""

    number: int
    outcome: Outcome


def open_window(profile: Profile, at: datetime) -> Window | None:
    """The window in which the person may be activated now, if they live where the scheme is."""
    return current_window(profile.birth_date, at) if in_territory(profile.postal_code) else None


def _seconds(duration: float) -> int:
    """Whole seconds, never too few."""
    return max(1, int(-(-duration // 1)))
