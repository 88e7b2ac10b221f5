"""The mutants of a module: copies of its source with one change each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

ROOT = Path(__file__).parents[2]
EQUIVALENT = Path(__file__).parent / "equivalent.toml"
_COMPARISONS = ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt")
_IDENTITIES = ("Is_IsNot", "IsNot_Is")
_ARITHMETIC = ("Add_Sub", "Sub_Add", "Mul_Add", "Mul_FloorDiv", "FloorDiv_Mul", "Div_Mul", "Mod_FloorDiv")
OPERATORS = (
    *(f"ReplaceComparisonOperator_{change}" for change in (*_COMPARISONS, *_IDENTITIES)),
    *(f"ReplaceBinaryOperator_{change}" for change in _ARITHMETIC),
    "ReplaceUnaryOperator_USub_UAdd",
    "ReplaceUnaryOperator_Delete_Not",
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "NumberReplacer",
    "ZeroIterationForLoop",
)
"""Of each kind of operator the opposite and the neighbour; all replacements would only repeat them."""
NOT_RULES = ("@dataclass(", "raise InconsistentMoney(", "raise ValueError(", "assert ", "class_version")
"""Beginnings of lines that are not mutated: options of the language; texts and checks of defects in the program;
versions of stored events, which ``tests/contracts`` checks with the events of every release."""


@dataclass(frozen=True)
class Mutant:
    path: str
    """Of its module, from the root of the project."""
    line: int
    before: str
    after: str
    """The line that differs, without its indentation, before and after the change."""
    code: str = field(repr=False)

    @property
    def change(self) -> tuple[str, str, str]:
        """What names it in ``equivalent.toml``: line numbers would go out of date."""
        return self.path, self.before, self.after


def mutants_of(path: str) -> Iterator[Mutant]:
    """In the order of their lines. A change that does not compile is none."""
    source = (ROOT / path).read_text("utf-8")
    found = {}
    for name in OPERATORS:
        operator = get_operator(f"core/{name}")()
        for occurrence in count():
            code = mutate_code(source, operator, occurrence)
            if code is None:
                break
            if code != source and code not in found and _compiles(code):
                found[code] = _mutant(path, source, code)
    rules = (mutant for mutant in found.values() if not mutant.before.startswith(NOT_RULES))
    yield from sorted(rules, key=lambda mutant: mutant.line)


def _mutant(path: str, source: str, code: str) -> Mutant:
    pairs = enumerate(zip(source.splitlines(), code.splitlines(), strict=False), start=1)
    line, (before, after) = next((line, pair) for line, pair in pairs if pair[0] != pair[1])
    return Mutant(path, line, before.strip(), after.strip(), code)


def _compiles(code: str) -> bool:
    try:
        compile(code, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def equivalent(path: Path = EQUIVALENT) -> dict[tuple[str, str, str], str]:
    """Changes that no test can notice, and why: (module, line before, line after) → the reason."""
    listed = tomllib.loads(path.read_text("utf-8"))["mutant"]
    return {(one["module"], one["before"], one["after"]): one["reason"] for one in listed}


def unused(listed: dict[tuple[str, str, str], str], mutants: Sequence[Mutant]) -> list[tuple[str, str, str]]:
    """Entries of ``equivalent.toml`` for the modules of the mutants that are no mutant of today's code."""
    changes, paths = {mutant.change for mutant in mutants}, {mutant.path for mutant in mutants}
    return [change for change in listed if change[0] in paths and change not in changes]
