"""A person who is refused reads French: every ``detail`` and every message of a field."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from marshmallow import ValidationError

import shared
from services.gateway.web.responses.problems import DETAILS
from shared.hosting.platform import service_class
from shared.kernel.errors import DomainError
from shared.kernel.french import no_break
from shared.runtime.settings import SERVICES
from tests.french import objection, typographic_objection

ROOT = Path(shared.__file__).parents[1]
IN_ENGLISH = ("shared/cli/", "shared/testing/", "shared/contracts/fields.py")
"""The command line is English, and so are the messages of the types that only messages between services have."""
HELPERS = {"too_many"}
"""Functions whose first argument begins a ``detail``."""
AT_LEAST = 120
"""Fewer texts mean that this test no longer finds them."""


def kinds(base: type[Exception] = DomainError) -> Iterator[type[Exception]]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


for _name in SERVICES:
    service_class(_name)  # imports the service, with its refusals

REFUSALS = sorted(
    {kind for kind in kinds() if kind.__module__.startswith(("shared.", "services."))}, key=lambda kind: str(kind)
)

WITHOUT_ARGUMENTS = [kind for kind in REFUSALS if "__init__" not in vars(kind)]
"""Those that may be raised without a ``detail``."""


def texts(node: ast.expr, assigned: dict[str, list[ast.expr]]) -> Iterator[str]:
    """The texts that an expression can give; what is filled in is ``…``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body, assigned)
        yield from texts(node.orelse, assigned)
    elif isinstance(node, ast.List | ast.Dict):
        for element in node.elts if isinstance(node, ast.List) else node.values:
            yield from texts(element, assigned)
    elif isinstance(node, ast.ListComp):
        yield from texts(node.elt, assigned)
    elif isinstance(node, ast.Name):
        for value in assigned.get(node.id, ()):
            yield from texts(value, {})


def arguments(call: ast.Call) -> Iterator[ast.expr]:
    """What a refusal says to a person: all but ``reason`` and ``extra``, and the field of ``of_field``."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    yield from call.args[1:] if name == "of_field" else call.args[:1]
    yield from (keyword.value for keyword in call.keywords if keyword.arg in ("detail", "errors"))


def refuses(call: ast.Call, scope: ast.AST, names: set[str]) -> bool:
    """``Kind(…)``, ``module.Kind(…)``, ``Kind.of_field(…)``, and ``super().__init__(…)`` of a kind."""
    called = ast.unparse(call.func).split(".")
    if called == ["super()", "__init__"]:
        return isinstance(scope, ast.ClassDef) and scope.name in names
    return called[-1] == "of_field" or called[-1] in names


def said_in(path: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of everything that a module refuses with."""
    names = {kind.__name__ for kind in (*REFUSALS, DomainError, ValidationError)} | HELPERS
    tree = ast.parse(path.read_text())
    for scope in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module)):
        assigned: dict[str, list[ast.expr]] = {}
        for node in ast.walk(scope):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                assigned.setdefault(node.targets[0].id, []).append(node.value)
        for node in ast.walk(scope):
            if isinstance(node, ast.Call) and refuses(node, scope, names):
                for argument in arguments(node):
                    for text in texts(argument, assigned):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def said() -> list[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for path in sorted((*ROOT.glob("shared/**/*.py"), *ROOT.glob("services/**/*.py"))):
        if not str(path.relative_to(ROOT)).startswith(IN_ENGLISH):
            found |= {(place, text) for place, text in said_in(path) if text}
    return sorted(found)


@pytest.mark.parametrize("kind", WITHOUT_ARGUMENTS, ids=lambda kind: kind.__qualname__)
def test_every_refusal_has_a_french_detail_of_its_own_or_of_its_kind(kind: type[DomainError]) -> None:
    detail = kind.DETAIL or DETAILS[kind.status]
    assert objection(detail) is None
    assert typographic_objection(no_break(detail)) is None


def test_every_detail_and_message_that_is_written_somewhere_is_french() -> None:
    found = said()
    assert len(found) > AT_LEAST
    assert [(place, text, why) for place, text in found if (why := objection(text))] == []


def test_a_detail_is_set_in_french_typography() -> None:
    refusal = DomainError("Ce prix est « élevé » : 5 € ?", errors={"a": ["Qui ?"]})
    assert refusal.detail == "Ce prix est «\u00a0élevé\u00a0»\u00a0: 5\u00a0€\u00a0?"
    assert refusal.errors == {"a": ["Qui\u00a0?"]}


def test_what_logs_say_is_not_sent() -> None:
    refusal = DomainError(reason="the database cannot be reached")
    assert str(refusal) == "the database cannot be reached"
    assert "database" not in str(refusal.to_outcome())


@pytest.mark.parametrize(
    "text",
    [
        "The outcome is not known yet: ask again.",
        "Too many calls wait.",
        "Not an integer.",
        "Must be greater than 5.",
        "Unknown field.",
        "payout",
        "Tu peux réserver une place.",
    ],
)
def test_the_control_english_and_familiar_sentences_are_found(text: str) -> None:
    assert objection(text)


@pytest.mark.parametrize("text", ["Réessayez : il est tard.", "C’est « trop » cher", "L'offre"])
def test_the_control_wrong_typography_is_found(text: str) -> None:
    assert typographic_objection(text)
