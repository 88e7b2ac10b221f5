"""Refusals before the application sees a request, or instead of its response.

DomainError
├── BadRequest             400  the message breaks a rule of HTTP/1.1
├── RequestTimeout         408  a head or a body did not arrive in time
├── LengthRequired         411  a body in a transfer coding
├── TooLarge               413  a body longer than any that is read
├── TargetTooLong          414
├── ExpectationFailed      417
├── FieldsTooLarge         431
├── InternalError          500  the application failed
├── NotImplementedMethod   501
├── TooManyConnections     503
└── VersionNotSupported    505

Each of them closes the connection: the start of the next message is unknown.
"""

from __future__ import annotations

from shared.kernel.errors import DomainError, Unavailable


class BadRequest(DomainError):
    status = 400
    code = "bad-request"


class RequestTimeout(DomainError):
    status = 408
    code = "request-timeout"


class LengthRequired(DomainError):
    status = 411
    code = "length-required"


class TooLarge(DomainError):
    status = 413
    code = "too-large"


class TargetTooLong(DomainError):
    status = 414
    code = "target-too-long"


class ExpectationFailed(DomainError):
    status = 417
    code = "expectation-failed"


class FieldsTooLarge(DomainError):
    status = 431
    code = "fields-too-large"


class InternalError(DomainError):
    """An unexpected error; the log has the traceback."""

    status = 500
    code = "internal-error"

    def __init__(self, detail: str = "Une erreur est survenue de notre côté ; elle a été enregistrée.") -> None:
        super().__init__(detail)


class NotImplementedMethod(DomainError):
    status = 501
    code = "method-not-implemented"


class TooManyConnections(Unavailable):
    code = "too-busy"


class VersionNotSupported(DomainError):
    status = 505
    code = "version-not-supported"
