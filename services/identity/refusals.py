"""Identity's refusals. Their ``detail`` is French, as are the messages per field: people read them.

DomainError (shared.kernel.errors)
├── Unauthorized
│   ├── CredentialsInvalid    the password is wrong, or, at sign-in, the address has no account: the same answer
│   └── RefreshInvalid        the refresh token is unknown, expired, revoked or used
├── Forbidden
│   ├── EmailNotConfirmed     the account awaits the confirmation of its address
│   └── AccountSuspended      the account is suspended
├── NotFound                  unknown, or not the caller's: the same answer
├── Conflict
│   ├── StepNotDue            another step comes first: ``extra["nextStep"]``
│   ├── NotEligible           no credit is open to the person now
│   ├── PhoneNotNeeded        an under-age person confirms no phone
│   ├── PhoneTaken            another account has confirmed the number
│   ├── AlreadyDecided        staff have decided differently
│   ├── TooManyKeys           the structure has as many API keys as it may
│   └── EmailTaken            the address has an account; only accounts of staff are refused so, never the public
├── Gone
│   └── TokenExpired          the link of a mail is too old
├── TooManyRequests           too many codes, wrong codes or failures: ``extra["retryAfter"]``
└── Invalid
    ├── PasswordWeak          ``errors`` lists what is missing
    ├── CodeInvalid           not the code that was sent, or too old
    ├── TokenInvalid          the link of a mail was never sent, or is used
    └── FieldInvalid
        ├── TooYoung          under 15
        ├── PhoneInvalid      not a number of France and its overseas territories
        └── SirenInvalid      not a SIREN
            ├── SirenClosed   of a legal person that has ceased
            └── SirenForeign  of a legal person with its seat abroad
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from shared.kernel.errors import Conflict, Forbidden, Gone, Invalid, NotFound, TooManyRequests, Unauthorized


class CredentialsInvalid(Unauthorized):
    code = "credentials-invalid"


class RefreshInvalid(Unauthorized):
    code = "token-invalid"


class EmailNotConfirmed(Forbidden):
    code = "email-not-confirmed"


class AccountSuspended(Forbidden):
    code = "account-suspended"


class StepNotDue(Conflict):
    code = "step-not-due"


class NotEligible(Conflict):
    code = "not-eligible"

    def __init__(self) -> None:
        super().__init__("Aucun crédit ne vous est ouvert pour le moment.")


class PhoneNotNeeded(Conflict):
    code = "phone-not-needed"


class PhoneTaken(Conflict):
    code = "phone-taken"

    def __init__(self) -> None:
        super().__init__("Un autre compte a déjà confirmé ce numéro : indiquez-en un autre.")


class AlreadyDecided(Conflict):
    code = "already-decided"


class TooManyKeys(Conflict):
    code = "too-many-api-keys"


class EmailTaken(Conflict):
    code = "email-taken"


class TokenExpired(Gone):
    code = "token-expired"

    def __init__(self) -> None:
        super().__init__("Ce lien a plus de 24 heures : demandez-en un autre.")


class FieldInvalid(Invalid):
    """The value of one field is wrong: ``errors`` has the message too."""

    field: ClassVar[str]

    def __init__(self, message: str) -> None:
        super().__init__(message, errors={self.field: [message]})


class TooYoung(FieldInvalid):
    code = "too-young"
    field = "birthDate"


class PasswordWeak(Invalid):
    code = "password-weak"


class PhoneInvalid(FieldInvalid):
    code = "phone-invalid"
    field = "phoneNumber"


class CodeInvalid(Invalid):
    code = "code-invalid"


class TokenInvalid(Invalid):
    code = "link-invalid"


class SirenInvalid(FieldInvalid):
    code = "siren-invalid"
    field = "siren"


class SirenClosed(SirenInvalid):
    code = "siren-closed"


class SirenForeign(SirenInvalid):
    code = "siren-foreign"


def wrong_password() -> CredentialsInvalid:
    return CredentialsInvalid("Ce n’est pas votre mot de passe.", errors={"password": ["Ce n’est pas le bon."]})


def unknown_link() -> TokenInvalid:
    return TokenInvalid("Ce lien est incomplet ou a déjà servi : demandez-en un autre.")


def no_account() -> NotFound:
    return NotFound("Ce compte n’existe pas, ou n’existe plus.")


def no_offerer() -> NotFound:
    return NotFound("Cette structure n’existe pas, ou vous n’y avez pas accès.")


def no_attachment() -> NotFound:
    return NotFound("Cette demande de rattachement n’existe pas.")


def no_identity_check() -> NotFound:
    return NotFound("Cette vérification d’identité n’existe pas.")


def no_api_key() -> NotFound:
    return NotFound("Cette clé d’API n’existe pas, ou n’existe plus.")


def too_many(what: str, wait: timedelta) -> TooManyRequests:
    """``extra["retryAfter"]``: the whole seconds to wait, rounded up."""
    seconds = max(1, -(-wait // timedelta(seconds=1)))
    return TooManyRequests(f"{what} : réessayez {_french_duration(seconds)}.", extra={"retryAfter": seconds})


def _french_duration(seconds: int) -> str:
    for size, name in ((86_400, "jour"), (3_600, "heure"), (60, "minute")):
        if seconds > size:
            return f"dans {-(-seconds // size)} {name}s"
    return "dans une minute"
