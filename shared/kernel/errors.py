"""The errors that a caller can receive, with their HTTP status.

DomainError
├── Unauthorized        401
├── Forbidden           403
├── NotFound            404
├── Conflict            409
├── Gone                410
├── PreconditionFailed  412
├── Invalid             422
├── TooManyRequests     429
├── Unavailable         503  "try again later": the only outcome that is never stored
└── Refused             any of the above, received from another service over the bus

A service's own refusals subclass these; each class defines its ``code``.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """A refusal that is reported to the caller.

    ``code`` is the API's stable identifier of the error, ``status`` its HTTP status, ``detail`` a sentence for a
    person, ``errors`` the messages per field, and ``extra`` has more members of the problem document (RFC 9457).
    """

    status: ClassVar[int] = 409
    code: ClassVar[str] = "conflict"

    def __init__(
        self, detail: str = "", *, errors: dict[str, list[str]] | None = None, extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(detail or self.__class__.code)
        self.detail = detail
        self.errors = errors or {}
        self.extra = extra or {}

    def to_outcome(self) -> dict[str, Any]:
        """The stored and transmitted form: ``{code, status, detail, errors, extra}``."""
        return {
            "code": self.code,
            "status": self.status,
            "detail": self.detail,
            "errors": self.errors,
            "extra": self.extra,
        }


class Unauthorized(DomainError):
    status = 401
    code = "unauthorized"


class Forbidden(DomainError):
    status = 403
    code = "forbidden"


class NotFound(DomainError):
    status = 404
    code = "not-found"


class Conflict(DomainError):
    status = 409
    code = "conflict"


class Gone(DomainError):
    status = 410
    code = "gone"


class PreconditionFailed(DomainError):
    status = 412
    code = "precondition-failed"


class Invalid(DomainError):
    status = 422
    code = "invalid"


class TooManyRequests(DomainError):
    """``extra["retryAfter"]`` is a number of seconds."""

    status = 429
    code = "too-many-requests"


class Unavailable(DomainError):
    """The outcome is unknown for now. Nothing is stored, and the same request may be sent again."""

    status = 503
    code = "unavailable"


class OutcomePending(Unavailable):
    """A command was sent, and no answer came in time. A retry with the same idempotency key returns its outcome."""

    code = "outcome-pending"


class Refused(DomainError):
    """A refusal by another service, with that service's code and status."""

    def __init__(self, outcome: dict[str, Any]) -> None:
        super().__init__(outcome.get("detail", ""), errors=outcome.get("errors"), extra=outcome.get("extra"))
        self.code: str = outcome["code"]  # type: ignore[misc]  # per instance: received from another service
        self.status: int = outcome["status"]  # type: ignore[misc]
        self.replayed = False
