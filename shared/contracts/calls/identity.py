"""Identity's calls: accounts and sign-in, a young person's steps to a credit, structures, and staff's decisions.

``client_address``: the network address of the client, by which failures are limited beside the account.
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
from shared.contracts.calls.types import CivilDay, Id, NextPage, Pending, Reason, Version
from shared.contracts.fields import Email, OneOf, Password, PhoneNumber, PostalCode, Text

MAX_TOKEN = 2_000
MAX_PEOPLE = 10_000
STAFF_ROLES = ("staff", "finance", "operator")
_SLOWED = ("too-many-requests",)
_USABLE = ("not-found", "account-suspended", "email-not-confirmed")
"""Refusals of every call that needs a confirmed account in use."""
_DECIDED = ("already-decided",)

Name = Annotated[str, Text(1, 100)]
MailToken = Annotated[str, Text(1, MAX_TOKEN, metadata={"description": "What stands after `?token=` in the mail."})]
RefreshToken = Annotated[str, Text(1, MAX_TOKEN)]
Secret = Annotated[str, Password()]


class FromAddress(Data):
    client_address: Annotated[str, Text(0, 200)] = ""


# Accounts of everyone


class OpenAccount(Command, by=ANYONE, refuses=("too-young", "password-weak", "phone-invalid", "too-many-requests")):
    """Opens a young person's account.

    The same answer for an e-mail that is known already; a mail with a link to confirm it is sent.
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

    An unknown SIREN creates the structure, awaiting validation; a known one asks for an attachment to it.
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
    """Gives a new token pair for a refresh token; one that was used before revokes its whole family."""

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
    """Changes the password, which ends every session; the answer is a new one."""

    current_password: Secret
    password: Secret


class ChangeEmail(Command, by=SIGNED_IN, refuses=("credentials-invalid", *_USABLE, *_SLOWED)):
    """Sends a link to the new address; it is adopted when the link is followed."""

    password: Secret
    email: Annotated[str, Email()]


class Me(Query, by=SIGNED_IN):
    """The caller's account: profile, eligibility, next step. 404 for the tokens of the command line."""


class SuspendMe(Command, by=SIGNED_IN, refuses=_USABLE):
    """Suspends the own account: bookings that can still be cancelled are; staff can lift it."""


class Erase(Command, by=SIGNED_IN | PLATFORM, refuses=_USABLE):
    """Erases a person: no name is left anywhere; the sums stay.

    The caller's own account, or ``accountId`` for staff, operators and the command line.
    """

    account_id: Id | None = None


# The steps to a credit

_PHONE = ("step-not-due", "not-eligible", "phone-not-needed", "phone-taken", *_USABLE, *_SLOWED)


class SendPhoneCode(Command, by=SIGNED_IN, refuses=("phone-invalid", *_PHONE)):
    """Sends a code of six digits to the account's phone; to the number that is given, which becomes the account's."""

    phone_number: (
        Annotated[
            str, PhoneNumber(metadata={"description": "Where the account has none yet, or another one is right."})
        ]
        | None
    ) = None


class ConfirmPhoneCode(FromAddress, Command, by=SIGNED_IN, refuses=("code-invalid", *_PHONE)):
    """Confirms the phone with the code that was sent to it."""

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
    """The structures that the caller acts for, or has asked to act for: ``{items}``."""


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
    """Whose structure's an API key is: ``{offererId}``."""

    key: Annotated[str, Text(0, 10_000)]


class CreateApiKey(Command, by=PRO, refuses=("too-many-api-keys", "account-suspended", "email-not-confirmed")):
    """Makes an API key, at most 5 a structure; it is shown this once."""

    offerer_id: Id


class DeleteApiKey(Command, by=PRO):
    """Ends an API key."""

    offerer_id: Id
    prefix: Name


# Decisions of staff


class PendingList(Pending, Query, by=STAFF, name="pending"):
    """What awaits a decision of staff, oldest first."""

    what: Annotated[str, OneOf(("offerers", "attachments", "identity-checks"))]
    cursor: NextPage | None = None


class ValidateOfferer(Command, by=STAFF, refuses=_DECIDED):
    """Validates a structure: its offers can be seen and booked."""

    offerer_id: Id


class RejectOfferer(Command, by=STAFF, refuses=_DECIDED):
    """Rejects a structure."""

    offerer_id: Id
    reason: Reason = ""


class CloseOfferer(Command, by=STAFF, refuses=_DECIDED):
    """Closes a structure: nothing of it can be booked any more."""

    offerer_id: Id
    reason: Reason = ""


class ApproveAttachment(Command, by=STAFF, refuses=_DECIDED):
    """Approves an attachment: its person sees and does what everyone of the structure does."""

    attachment_id: Id


class RejectAttachment(Command, by=STAFF, refuses=_DECIDED):
    """Rejects an attachment."""

    attachment_id: Id
    reason: Reason = ""


class ReviewIdentityCheck(Command, by=STAFF, refuses=_DECIDED):
    """Accepts or rejects an identity check that was left suspicious."""

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
