"""The building blocks of call contracts: typed data with bounds, the authority of callers, refusals.

A contract is a class; its annotations are its fields. Code builds an instance and mypy checks it; ``read`` builds one
from JSON and checks every bound. Both sides of a call use the same class::

    class CreateOffer(Command, by=PRO, refuses=("offerer-closed",)):
        venue_id: Id
        name: Annotated[str, Text(1, 90)]
        url: Annotated[str, WebAddress()] | None = None

Attributes are ``snake_case``, JSON keys ``camelCase``. A field without a default is required; one that may be None may
be ``null``.
"""

from __future__ import annotations

import copy
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Annotated, Any, ClassVar, Self, dataclass_transform

from marshmallow import Schema, ValidationError, fields

from shared.contracts.fields import NOT_A_CURSOR, Cursor, Flag, ListOf, flat_errors, json_value
from shared.kernel.callers import Caller
from shared.kernel.errors import Forbidden, Invalid, Unauthorized

ROLES = {
    "beneficiary": "bénéficiaire",
    "pro": "acteur culturel",
    "staff": "équipe",
    "finance": "finance",
    "operator": "exploitation",
}
"""The roles of accounts, each with its French name."""
_CAPITAL_AFTER = re.compile(r"_([a-z0-9])")
_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
MAX_CURSOR_DIGITS = 15
MAX_UNKNOWN = 20
"""Unknown fields that a refusal names."""
REQUIRED = "Ce champ est obligatoire."
UNKNOWN_FIELD = "Ce champ n’existe pas."
NOT_AN_OBJECT = "Indiquez un objet JSON."
_MESSAGES = {"null": "Ce champ ne peut pas être vide.", "invalid": "Indiquez une liste."}
"""In the place of marshmallow's own; the types of fields have French messages for everything else."""


@cache
def json_key(attribute: str) -> str:
    """``bank_details_id`` → ``bankDetailsId``; ``from_`` → ``from``."""
    return _CAPITAL_AFTER.sub(lambda match: match[1].upper(), attribute.rstrip("_"))


def number_after(cursor: str | None) -> int | None:
    """The positive number that a list's cursor is; None on the first page. Raises CursorInvalid."""
    if cursor is None:
        return None
    digits = cursor.isascii() and cursor.isdigit() and len(cursor) <= MAX_CURSOR_DIGITS
    if not digits or int(cursor) == 0:
        raise CursorInvalid.of_field("cursor", NOT_A_CURSOR)
    return int(cursor)


class CursorInvalid(Invalid):
    """The cursor was not given by this list."""

    code = "cursor-invalid"
    DETAIL = NOT_A_CURSOR


@dataclass(frozen=True, slots=True)
class Authority:
    """Who may make a call: ``PRO | STAFF`` admits both."""

    roles: frozenset[str] = frozenset()
    anyone: bool = False
    accounts: bool = False
    """Every signed-in account, whatever its roles."""
    api_keys: bool = False
    platform: bool = False
    """Another service, a timer or the command line: a call without a caller."""

    def __or__(self, other: Authority) -> Authority:
        return Authority(
            roles=self.roles | other.roles,
            anyone=self.anyone or other.anyone,
            accounts=self.accounts or other.accounts,
            api_keys=self.api_keys or other.api_keys,
            platform=self.platform or other.platform,
        )

    def check(self, caller: Caller | None) -> None:
        """Raises Unauthorized without an account where one is needed, Forbidden for the wrong role."""
        if self.anyone or (caller is None and self.platform):
            return
        if caller is None:
            raise Unauthorized
        if caller.offerer_id is not None and not self.api_keys:
            raise Unauthorized("Connectez-vous : une clé d’API ne suffit pas pour cette demande.")
        if not (self.accounts or caller.offerer_id is not None or self.roles & caller.roles):
            roles = " ou ".join(ROLES[role] for role in sorted(self.roles))
            raise Forbidden(f"Votre compte n’a pas le rôle nécessaire : {roles}." if roles else "")

    def __str__(self) -> str:
        names = sorted(self.roles)
        names += ["anyone"] if self.anyone else []
        names += ["signed-in accounts"] if self.accounts else []
        names += ["API keys"] if self.api_keys else []
        names += ["the platform itself"] if self.platform else []
        return ", ".join(names)


def only(role: str) -> Authority:
    """Signed in, and with this role."""
    assert role in ROLES
    return Authority(frozenset({role}))


ANYONE = Authority(anyone=True)
SIGNED_IN = Authority(accounts=True)
API_KEY = Authority(api_keys=True)
PLATFORM = Authority(platform=True)
PRO, STAFF, FINANCE, OPERATOR = only("pro"), only("staff"), only("finance"), only("operator")


@dataclass(frozen=True, slots=True)
class Bound:
    """One field of a contract."""

    name: str
    key: str
    field: fields.Field[Any]
    required: bool
    default: Any = None


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Data:
    """Typed, immutable data, read from JSON and written to it."""

    FIELDS: ClassVar[tuple[Bound, ...]] = ()
    _given: frozenset[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.FIELDS = _fields_of(cls)

    def __init__(self, **values: Any) -> None:
        known = {bound.name: bound.default for bound in self.FIELDS}
        missing = [bound.name for bound in self.FIELDS if bound.required and bound.name not in values]
        if missing or values.keys() - known.keys():
            raise TypeError(f"{type(self).__name__}: missing {missing}, unknown {sorted(values.keys() - known.keys())}")
        self.__dict__.update(known, **values, _given=frozenset(values))

    def __setattr__(self, name: str, _value: Any) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __repr__(self) -> str:
        """The fields' names only: their values may be personal data, and this text reaches logs."""
        return f"{type(self).__name__}({', '.join(sorted(self._given))})"

    @classmethod
    def read(cls, data: Any, *, from_text: bool = False) -> Self:
        """The instance that JSON describes; ``from_text`` for values of a query string.

        Raises Invalid with the messages of each field, or CursorInvalid if only the cursor is wrong.
        """
        if not isinstance(data, Mapping):
            raise Invalid(errors={"body": [NOT_AN_OBJECT]})
        errors: dict[str, list[str]] = {}
        values: dict[str, Any] = {}
        bad_cursor = False
        unread = len(data)
        for bound in cls.FIELDS:
            if bound.key not in data:
                if bound.required:
                    errors[bound.key] = [REQUIRED]
                continue
            unread -= 1
            value = data[bound.key]
            try:
                given = json_value(bound.field, value) if from_text and isinstance(value, str) else value
                values[bound.name] = bound.field.deserialize(given, bound.key, data)
            except ValidationError as error:
                errors.update(flat_errors(error.messages, bound.key))
                bad_cursor = bad_cursor or isinstance(bound.field, Cursor)
        if unread:
            known = {bound.key for bound in cls.FIELDS}
            unknown = (str(key)[:200] for key in data if key not in known)
            errors.update({key: [UNKNOWN_FIELD] for key in islice(unknown, MAX_UNKNOWN)})
        if errors:
            raise (CursorInvalid if bad_cursor and len(errors) == 1 else Invalid)(errors=errors)
        made = cls(**values)
        made.check()
        return made

    @classmethod
    def has_field(cls, name: str) -> bool:
        return any(bound.name == name for bound in cls.FIELDS)

    def check(self) -> None:
        """Checks the fields together, once each of them is valid; for classes whose fields depend on each other.

        Raises Invalid with the messages of each field. Only ``read`` calls it: code that builds an instance is trusted.
        """

    def check_one_given(self, *names: str) -> None:
        """Raises Invalid, under the first of the names, unless exactly one of these fields is given."""
        if len(self.given(*names)) != 1:
            first, *others = (bound.key for name in names for bound in self.FIELDS if bound.name == name)
            raise Invalid(errors={first: [f"Indiquez un seul de ces champs : {', '.join((first, *others))}."]})

    def to_wire(self) -> dict[str, Any]:
        """The fields that were given, as JSON. A field left to its default is left out."""
        return {
            bound.key: bound.field.serialize(bound.name, self) for bound in self.FIELDS if bound.name in self._given
        }

    def values(self, fragment: type[Data]) -> dict[str, Any]:
        """The values of a fragment's fields, those left to their defaults included, by attribute."""
        return {bound.name: self.__dict__[bound.name] for bound in fragment.FIELDS}

    def given(self, *names: str) -> dict[str, Any]:
        """The fields among ``names`` that were given, by attribute; those left to their defaults are absent."""
        return {name: self.__dict__[name] for name in names if name in self._given}

    def with_(self, **values: Any) -> Self:
        """A copy with these fields given too, or given otherwise."""
        return type(self)(**{**self.given(*self._given), **values})

    @classmethod
    def schema(cls, *without: str, in_query: bool = False) -> type[Schema]:
        """The same fields for documents: a marshmallow schema of the class's name, some fields left out.

        ``in_query``: as parameters of a query string, where nothing is ``null``.
        """
        return _schema(cls, without, in_query)  # type: ignore[arg-type]  # a class is hashable, whatever its instances are


class _Nested(fields.Nested):
    """Data within data."""

    def __init__(self, kind: type[Data], **options: Any) -> None:
        super().__init__(kind.schema(), **options)
        self._kind = kind

    def _deserialize(self, value: Any, attr: Any, data: Any, partial: Any = None, **kwargs: Any) -> Data:
        try:
            return self._kind.read(value)
        except Invalid as refusal:
            raise ValidationError(refusal.errors) from None

    def _serialize(self, nested_obj: Any, attr: Any, obj: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        return None if nested_obj is None else nested_obj.to_wire()


class _Values(ListOf):
    """A list → a tuple."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        return tuple(super()._deserialize(value, attr, data, **options))


@cache  # a document refers to a schema by its identity
def _schema(cls: type[Data], without: tuple[str, ...], in_query: bool) -> type[Schema]:
    found: dict[str, Any] = {}
    for bound in cls.FIELDS:
        if bound.name not in without:
            field = copy.copy(bound.field)
            field.allow_none = field.allow_none and not in_query
            if isinstance(bound.default, int | str) and bound.default != "":
                field.load_default = bound.default
            found[bound.key] = field
    made = Schema.from_dict(found, name=cls.__name__)
    made.__doc__ = cls.__doc__
    return made


class NotNull:
    """``Annotated[X | None, NotNull] = None``: the field may be left out, but JSON's ``null`` is refused."""


@dataclass(frozen=True, slots=True)
class AtMost:
    """``Annotated[tuple[X, ...], AtMost(20)]``: the bounds of a list's length."""

    maximum: int
    minimum: int = 0


def _fields_of(cls: type[Data]) -> tuple[Bound, ...]:
    hints = typing.get_type_hints(cls, include_extras=True)
    found = []
    for name, hint in hints.items():
        if name.startswith("_") or name.isupper() or typing.get_origin(hint) is ClassVar:
            continue
        required = not hasattr(cls, name)
        field = _field_of(hint, required)
        key = field.data_key or json_key(name)
        found.append(Bound(name, key, field, required, None if required else getattr(cls, name)))
    inherited = {bound.name: bound for base in cls.__mro__[1:] if issubclass(base, Data) for bound in base.FIELDS}
    return tuple({**inherited, **{bound.name: bound for bound in found}}.values())


def _field_of(hint: Any, required: bool) -> fields.Field[Any]:
    """The field of an annotation: ``Annotated[T, field]``, ``bool``, Data, a tuple of these, or one of them or None."""
    options: dict[str, Any] = {"required": required, "error_messages": _MESSAGES}
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = [part for part in typing.get_args(hint) if part is not type(None)]
        options["allow_none"] = True
    if typing.get_origin(hint) is Annotated:
        hint, *extras = typing.get_args(hint)
        if NotNull in extras:
            return _copied(_field_of(hint, required), {"required": required})
        for extra in extras:
            if isinstance(extra, fields.Field):
                return _copied(extra, options)
            if isinstance(extra, AtMost):
                return _list_of(hint, extra, options)
    if hint is bool:
        return Flag(**options)
    if isinstance(hint, type) and issubclass(hint, Data):
        return _Nested(hint, **options)
    raise TypeError(f"{hint!r} has no bounds: use Annotated[..., a field]")


def _list_of(hint: Any, length: AtMost, options: dict[str, Any]) -> fields.Field[Any]:
    inner, _ = typing.get_args(hint)
    return _Values(_field_of(inner, required=False), length.maximum, length.minimum, **options)


def _optional(bound: Bound) -> Bound:
    """The same field, optional and without its default."""
    options = {"required": False, "allow_none": bound.field.allow_none}
    return Bound(bound.name, bound.key, _copied(bound.field, options), required=False)


def _copied(field: fields.Field[Any], options: dict[str, Any]) -> fields.Field[Any]:
    """A copy per annotation, because type aliases share a field."""
    own = copy.copy(field)
    own.required, own.allow_none = options["required"], options.get("allow_none", False)
    own.error_messages = own.error_messages | _MESSAGES
    return own


class Contract(Data):
    """A call that a service answers."""

    SERVICE: ClassVar[str] = ""
    """The owner; empty for the calls that every service answers."""
    NAME: ClassVar[str] = ""
    BY: ClassVar[Authority]
    REFUSES: ClassVar[tuple[str, ...]] = ()
    """The codes of its specific refusals, in addition to the general ones (invalid, unauthorized, forbidden, ...)."""
    CHANGES: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(
        cls,
        *,
        by: Authority | None = None,
        refuses: Sequence[str] = (),
        name: str = "",
        changes: type[Data] | None = None,
    ) -> None:
        """``by`` makes the class a contract. ``name``: if it is not the class's name in kebab case. ``changes``: the
        contract also has all fields of these data, optional."""
        super().__init_subclass__()
        if changes is not None:
            partial = [_optional(bound) for bound in changes.FIELDS]
            cls.FIELDS = (*cls.FIELDS, *partial)
            cls.CHANGES = tuple(bound.name for bound in partial)
        if by is not None:
            service = cls.__module__.rpartition(".")[2]
            cls.SERVICE = "" if service == "platform" else service
            cls.NAME = name or _WORD_BEGINS.sub("-", cls.__name__).lower()
            cls.BY, cls.REFUSES = by, tuple(dict.fromkeys(refuses))

    def changes(self) -> dict[str, Any]:
        """The changes: those fields of ``changes=`` that were given, by attribute."""
        return self.given(*self.CHANGES)


class Command(Contract):
    """A call that decides and writes."""


class Query(Contract):
    """A call that only reads."""
