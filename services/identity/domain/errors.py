"""How identity says no.

DomainError
├── Unauthorized
│   ├── CredentialsInvalid       401  sign-in: which of the two was wrong is not told
│   └── RefreshInvalid           401  unknown, expired, revoked or used twice
├── Forbidden
│   ├── EmailNotConfirmed        403
│   └── AccountSuspended         403
├── NotFound                     404  what is not there, or not the caller's
├── Conflict
│   ├── StepNotDue               409  ``extra["nextStep"]`` says which comes first
│   ├── NotEligible              409
│   ├── PhoneNotNeeded           409
│   ├── PhoneTaken               409
│   ├── AlreadyDecided           409  what staff decide was decided otherwise before
│   ├── TooManyKeys              409
│   └── EmailTaken               409  staff accounts only: the public is never told
├── Gone
│   └── TokenExpired             410  a mail's token, too old
├── TooManyRequests              429  ``extra["retryAfter"]``: codes, wrong codes, failed sign-ins
└── Invalid
    ├── TooYoung                 422
    ├── PasswordWeak             422
    ├── PhoneInvalid             422
    ├── CodeInvalid              422  not the code that was sent, or too old
    ├── TokenInvalid             422  ``link-invalid``: a mail's token that was never given, or was used
    └── SirenInvalid             422
        ├── SirenClosed          422
        └── SirenForeign         422
"""

from __future__ import annotations

from shared.kernel.errors import Conflict, Forbidden, Gone, Invalid, Unauthorized


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


class PhoneNotNeeded(Conflict):
    code = "phone-not-needed"


class PhoneTaken(Conflict):
    code = "phone-taken"


class AlreadyDecided(Conflict):
    code = "already-decided"


class TooManyKeys(Conflict):
    code = "too-many-api-keys"


class EmailTaken(Conflict):
    code = "email-taken"


class TokenExpired(Gone):
    code = "token-expired"


class TooYoung(Invalid):
    code = "too-young"


class PasswordWeak(Invalid):
    code = "password-weak"


class PhoneInvalid(Invalid):
    code = "phone-invalid"


class CodeInvalid(Invalid):
    code = "code-invalid"


class TokenInvalid(Invalid):
    code = "link-invalid"


class SirenInvalid(Invalid):
    code = "siren-invalid"


class SirenClosed(SirenInvalid):
    code = "siren-closed"


class SirenForeign(SirenInvalid):
    code = "siren-foreign"
