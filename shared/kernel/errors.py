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

from typing import Any, ClassVar, Self

from shared.kernel.french import no_break


class DomainError(Exception):
    """A refusal that is reported to the caller.

    ``code`` is the API's stable identifier of the error, ``status`` its HTTP status, ``errors`` the messages per field,
    and ``extra`` has more members of the problem document (RFC 9457). ``detail`` and ``errors`` are French, for the
    person who is refused: one or two sentences with "vous", and what to do where there is something to do. Without a
    ``detail`` the class's ``DETAIL`` holds. ``reason`` is English, for logs; it is not sent.
    """

    status: ClassVar[int] = 409
    code: ClassVar[str] = "conflict"
    DETAIL: ClassVar[str] = ""

    def __init__(
        self,
        detail: str = "",
        *,
        reason: str = "",
        errors: dict[str, list[str]] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(reason or detail or self.__class__.code)
        self.detail = no_break(detail or self.DETAIL)
        self.errors = {field: [no_break(text) for text in texts] for field, texts in (errors or {}).items()}
        self.extra = extra or {}

    @classmethod
    def of_field(cls, field: str, message: str) -> Self:
        """The refusal of one field's value: the message is the ``detail`` too."""
        return cls(message, errors={field: [message]})

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
    DETAIL = "Connectez-vous pour continuer."


class Forbidden(DomainError):
    status = 403
    code = "forbidden"
    DETAIL = "Vous n’avez pas les droits nécessaires."


class NotFound(DomainError):
    status = 404
    code = "not-found"
    DETAIL = "Cet élément n’existe pas, ou vous n’y avez pas accès."


class Conflict(DomainError):
    status = 409
    code = "conflict"
    DETAIL = "La situation a changé entre-temps : vérifiez-la, puis réessayez."


class Gone(DomainError):
    status = 410
    code = "gone"
    DETAIL = "Cet élément n’est plus disponible."


class PreconditionFailed(DomainError):
    status = 412
    code = "precondition-failed"
    DETAIL = "Cet élément a été modifié entre-temps : relisez-le, puis recommencez."


class Invalid(DomainError):
    status = 422
    code = "invalid"
    DETAIL = "Certaines valeurs ne sont pas acceptées : corrigez les champs indiqués."


class TooManyRequests(DomainError):
    """``extra["retryAfter"]`` is a number of seconds."""

    status = 429
    code = "too-many-requests"
    DETAIL = "Vous avez fait trop de tentatives : patientez avant de réessayer."


class Unavailable(DomainError):
    """The outcome is unknown for now. Nothing is stored, and the same request may be sent again."""

    status = 503
    code = "unavailable"
    DETAIL = "Le service est momentanément indisponible : réessayez dans quelques instants."


class OutcomePending(Unavailable):
    """A command was sent, and no answer came in time. A retry with the same idempotency key returns its outcome."""

    code = "outcome-pending"
    DETAIL = "Le résultat n’est pas encore connu : renvoyez la même demande avec la même clé dans quelques instants."


class Refused(DomainError):
    """A refusal by another service, with that service's code and status."""

    def __init__(self, outcome: dict[str, Any]) -> None:
        super().__init__(outcome.get("detail", ""), errors=outcome.get("errors"), extra=outcome.get("extra"))
        self.code: str = outcome["code"]  # type: ignore[misc]  # per instance: received from another service
        self.status: int = outcome["status"]  # type: ignore[misc]
        self.replayed = False
