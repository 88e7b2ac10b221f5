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
│   ├── StepNotReached           409  ``extra["nextStep"]`` says which comes first
│   ├── NotEligible              409
│   ├── PhoneTaken               409
│   ├── AlreadyDecided           409  what staff decide was decided otherwise before
│   ├── TooManyKeys              409
│   └── EmailTaken               409  staff accounts only: the public is never told
├── Gone
│   └── TokenExpired             410  a mail's token, too old
├── TooManyRequests
│   ├── TooManyCodes             429
│   ├── TooManyAttempts          429
│   └── TooManyFailures          429
└── Invalid
    ├── TooYoung                 422
    ├── PasswordWeak             422
    ├── PhoneInvalid             422
    ├── CodeWrong                422
    ├── CodeExpired              422
    ├── TokenUnknown             422  a mail's token that was never given, or was used
    ├── SirenInvalid             422
    ├── SirenClosed              422
    └── SirenForeign             422
"""

from __future__ import annotations

from shared.kernel.errors import Conflict, Forbidden, Gone, Invalid, TooManyRequests, Unauthorized


class CredentialsInvalid(Unauthorized):
    code = "credentials-invalid"


class RefreshInvalid(Unauthorized):
    code = "refresh-token-invalid"


class EmailNotConfirmed(Forbidden):
    code = "email-not-confirmed"


class AccountSuspended(Forbidden):
    code = "account-suspended"


class StepNotReached(Conflict):
    code = "step-not-reached"


class NotEligible(Conflict):
    code = "not-eligible"


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


class TooManyCodes(TooManyRequests):
    code = "too-many-codes"


class TooManyAttempts(TooManyRequests):
    code = "too-many-attempts"


class TooManyFailures(TooManyRequests):
    code = "too-many-failures"


class TooYoung(Invalid):
    code = "too-young"


class PasswordWeak(Invalid):
    code = "password-weak"


class PhoneInvalid(Invalid):
    code = "phone-number-invalid"


class CodeWrong(Invalid):
    code = "code-wrong"


class CodeExpired(Invalid):
    code = "code-expired"


class TokenUnknown(Invalid):
    code = "token-unknown"


class SirenInvalid(Invalid):
    code = "siren-invalid"


class SirenClosed(Invalid):
    code = "siren-closed"


class SirenForeign(Invalid):
    code = "siren-foreign"
