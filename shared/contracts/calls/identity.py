"""Identity's calls: accounts and sign-in, a young person's steps to a credit, structures, and staff's decisions.

``client_address``: the client's network address; failures are limited per address as well as per account.
"""

from __future__ import annotations

from typing import Annotated

from shared.contracts.calls.contract import (
    ANYONE,
    OPERATOR,
    PLATFORM,
    PRO,
    SIGNED_IN,
    STAFF,
    AtMost,
    Command,
    Data,
    Query,
)
from shared.contracts.calls.types import CivilDay, Id, Pending, Reason, Version
from shared.contracts.fields import Email, OneOf, Password, PhoneNumber, PostalCode, Text

MAX_TOKEN = 2_000
MAX_PEOPLE = 10_000
STAFF_ROLES = ("staff", "finance", "operator")
_SLOWED = ("too-many-requests",)
_USABLE = ("not-found", "account-suspended", "email-not-confirmed")
"""Refusals of every call that needs a confirmed, active account."""
_DECIDED = ("already-decided",)

Name = Annotated[str, Text(1, 100)]
MailToken = Annotated[
    str, Text(1, MAX_TOKEN, metadata={"description": "The text after `?token=` in the link of the mail."})
]
RefreshToken = Annotated[str, Text(1, MAX_TOKEN)]
Secret = Annotated[str, Password()]


class FromAddress(Data):
    client_address: Annotated[str, Text(0, 200)] = ""


# Accounts


class OpenAccount(Command, by=ANYONE, refuses=("too-young", "password-weak", "phone-invalid", "too-many-requests")):
    """Opens a young person's account.

    A mail brings a link to confirm the address. An address that has an account gets the same answer.
    """

    email: Annotated[str, Email()]
    password: Secret
    first_name: Name
    last_name: Name
    birth_date: CivilDay
    postal_code: Annotated[str, PostalCode()]
    phone_number: Annotated[str, PhoneNumber()] | None = None
    marketing_consent: bool = False


class OpenProAccount(
    Command,
    by=ANYONE,
    refuses=("siren-invalid", "siren-closed", "siren-foreign", "password-weak", "phone-invalid", "too-many-requests"),
):
    """Opens a cultural actor's account.

    A new SIREN creates the structure, which awaits validation; a known one requests an attachment to it.
    """

    email: Annotated[str, Email()]
    password: Secret
    first_name: Name
    last_name: Name
    phone_number: Annotated[str, PhoneNumber()]
    siren: Annotated[str, Text(1, 20, metadata={"description": "Nine digits; spaces are removed."})]
    contact_consent: bool


class CreateStaff(Command, by=OPERATOR | PLATFORM, refuses=("email-taken", "password-weak")):
    """Makes an account of staff, finance or operators, which may sign in at once: `{accountId}`."""

    email: Annotated[str, Email()]
    password: Secret
    roles: Annotated[tuple[Annotated[str, OneOf(STAFF_ROLES)], ...], AtMost(len(STAFF_ROLES), minimum=1)]
    first_name: Name = "Équipe"
    last_name: Name = "pass Culture"


class ConfirmEmail(
    FromAddress, Command, by=ANYONE, refuses=("link-invalid", "token-expired", "account-suspended", *_SLOWED)
):
    """Confirms the e-mail with the token of the mail, and signs in."""

    token: MailToken


class SignIn(
    FromAddress,
    Command,
    by=ANYONE,
    refuses=("credentials-invalid", "email-not-confirmed", "account-suspended", *_SLOWED),
):
    """Signs in with e-mail and password."""

    email: Annotated[str, Email()]
    password: Secret


class Refresh(
    FromAddress, Command, by=ANYONE, refuses=("token-invalid", "email-not-confirmed", "account-suspended", *_SLOWED)
):
    """Gives a new token pair for a refresh token; a used one revokes its whole family."""

    refresh_token: RefreshToken


class SignOut(FromAddress, Command, by=ANYONE):
    """Revokes a refresh token and its family."""

    refresh_token: RefreshToken


class RequestPasswordReset(FromAddress, Command, by=ANYONE, refuses=_SLOWED):
    """Sends a mail to reset the password, if the e-mail has an account."""

    email: Annotated[str, Email()]


class ResetPassword(
    FromAddress,
    Command,
    by=ANYONE,
    refuses=("link-invalid", "token-expired", "password-weak", "account-suspended", *_SLOWED),
):
    """Sets a new password with the token of the mail; every session ends."""

    token: MailToken
    password: Secret


class ChangePassword(Command, by=SIGNED_IN, refuses=("credentials-invalid", "password-weak", *_USABLE, *_SLOWED)):
    """Changes the password; every session ends, and the answer is a new token pair."""

    current_password: Secret
    password: Secret


class ChangeEmail(Command, by=SIGNED_IN, refuses=("credentials-invalid", *_USABLE, *_SLOWED)):
    """Mails a link to the new address, which is adopted when the link is followed."""

    password: Secret
    email: Annotated[str, Email()]


class Me(Query, by=SIGNED_IN):
    """The caller's account: profile, eligibility, next step. 404 for the tokens of the command line."""


class SuspendMe(Command, by=SIGNED_IN, refuses=_USABLE):
    """Suspends the caller's account and cancels the bookings that can still be cancelled; staff can lift it."""


class Erase(Command, by=SIGNED_IN | PLATFORM, refuses=_USABLE):
    """Erases a person: no name is left anywhere; the sums stay.

    Without ``accountId`` the caller; only staff, operators and the command line may give one.
    """

    account_id: Id | None = None


# The steps to a credit

_PHONE = ("step-not-due", "not-eligible", "phone-not-needed", "phone-taken", *_USABLE, *_SLOWED)


class SendPhoneCode(Command, by=SIGNED_IN, refuses=("phone-invalid", *_PHONE)):
    """Sends a code of six digits to the account's phone number, or to a given one, which becomes the account's."""

    phone_number: (
        Annotated[str, PhoneNumber(metadata={"description": "For an account without a number, or to replace it."})]
        | None
    ) = None


class ConfirmPhoneCode(FromAddress, Command, by=SIGNED_IN, refuses=("code-invalid", *_PHONE)):
    """Confirms the phone number with the code that was sent to it."""

    code: Annotated[str, Text(1, 20)]


class CheckIdentity(Command, by=SIGNED_IN, refuses=("step-not-due", "not-eligible", *_USABLE)):
    """Checks the identity document; staff review a suspicious one."""

    document_number: Annotated[str, Text(1, 40)]
    last_name: Name
    first_name: Name
    birth_date: CivilDay


class CompleteProfile(Command, by=SIGNED_IN, refuses=("step-not-due", "not-eligible", *_USABLE)):
    """The last step, which activates the beneficiary and grants the credit.

    Afterwards it changes the profile, whose version is the `ETag` of `GET /v1/me`.
    """

    address: Annotated[str, Text(1, 200)]
    city: Name
    postal_code: Annotated[str, PostalCode()]
    activity: Annotated[str, Text(1, 80)]
    if_match: Version | None = None


# Structures and their people


class Offerers(Query, by=SIGNED_IN):
    """The structures that the caller acts for, or has requested to act for: ``{items}``."""


class Offerer(Query, by=PLATFORM):
    """One structure."""

    offerer_id: Id


class People(Query, by=PLATFORM):
    """Names and addresses of accounts, in bulk: ``{people: {"<id>": …}}``; ``effacé`` for the erased."""

    account_ids: Annotated[tuple[Id, ...], AtMost(MAX_PEOPLE)]


class ApiKeys(Query, by=PRO):
    """The structure's API keys, by their prefixes."""

    offerer_id: Id


class ApiKey(Query, by=PLATFORM):
    """The structure of an API key: ``{offererId}``."""

    key: Annotated[str, Text(0, 10_000)]


class CreateApiKey(Command, by=PRO, refuses=("too-many-api-keys", "account-suspended", "email-not-confirmed")):
    """Creates an API key, at most 5 per structure; only this answer shows it."""

    offerer_id: Id


class DeleteApiKey(Command, by=PRO):
    """Deletes an API key."""

    offerer_id: Id
    prefix: Name


# Decisions of staff


class PendingList(Pending, Query, by=STAFF, name="pending"):
    """What awaits a decision of staff, oldest first."""

    what: Annotated[str, OneOf(("offerers", "attachments", "identity-checks"))]


class ValidateOfferer(Command, by=STAFF, refuses=_DECIDED):
    """Validates a structure: its offers can be seen and booked."""

    offerer_id: Id


class RejectOfferer(Command, by=STAFF, refuses=_DECIDED):
    """Rejects a structure."""

    offerer_id: Id
    reason: Reason = ""


class CloseOfferer(Command, by=STAFF, refuses=_DECIDED):
    """Closes a structure: its offers can no longer be booked."""

    offerer_id: Id
    reason: Reason = ""


class ApproveAttachment(Command, by=STAFF, refuses=_DECIDED):
    """Approves an attachment: the person acts for the structure."""

    attachment_id: Id


class RejectAttachment(Command, by=STAFF, refuses=_DECIDED):
    """Rejects an attachment."""

    attachment_id: Id
    reason: Reason = ""


class ReviewIdentityCheck(Command, by=STAFF, refuses=_DECIDED):
    """Accepts or rejects a suspicious identity check."""

    identity_check_id: Id
    accept: bool
    reason: Reason = ""


class SuspendAccount(Command, by=STAFF, refuses=_DECIDED):
    """Suspends an account; for fraud, its unused bookings are cancelled.

    ``reason``: `END_OF_CONTRACT`, `END_OF_ELIGIBILITY`, `FRAUD` or `UPON_USER_REQUEST`.
    """

    account_id: Id
    reason: Reason


class UnsuspendAccount(Command, by=STAFF, refuses=_DECIDED):
    """Ends a suspension."""

    account_id: Id
    reason: Reason
