"""Collects the names that the project's Python code defines from its syntax trees, without importing it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
STANDARD = frozenset(dir(__builtins__) if not isinstance(__builtins__, dict) else __builtins__)


@dataclass
class Scope:
    """The names of a module or class. ``bases`` as in the source; ``imports``: name → qualified name."""

    members: set[str] = field(default_factory=set)
    bases: list[str] = field(default_factory=list)
    imports: dict[str, str] = field(default_factory=dict)


class Symbols(ast.NodeVisitor):
    """``sources``: Python source by path, ``shared/kernel/time.py``."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.modules: dict[str, Scope] = {}
        self.classes: dict[str, list[Scope]] = defaultdict(list)
        self.defined: set[str] = set()
        """Names of modules, classes, functions, parameters, attributes, constants; not local variables."""
        self.used: set[str] = set()
        """Names of attributes that the code reads, including those of libraries."""
        self.texts: set[str] = set()
        """String constants, except docstrings."""
        self.variables: dict[str, set[str]] = defaultdict(set)
        """The types of variables: ``tx: Transaction``, ``publication = Publication("catalog")``."""
        self._stack: list[tuple[str, Scope]] = []
        self._in_function = 0
        for path, text in sources.items():
            self._read(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."), text)

    def _read(self, name: str, text: str) -> None:
        scope = Scope()
        self.modules[name] = scope
        self.defined.update(name.split("."))
        self._stack = [("", scope)]
        self.visit(ast.parse(text))

    def _define(self, name: str) -> None:
        self._stack[-1][1].members.add(name)
        self.defined.add(name)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._define(node.name)
        qualified = f"{self._stack[-1][0]}.{node.name}".lstrip(".")
        scope = Scope(bases=[ast.unparse(base) for base in node.bases], imports=self._stack[0][1].imports)
        for name in {qualified, node.name}:
            self.classes[name].append(scope)
        if any(keyword.arg == "by" for keyword in node.keywords):  # the contract of a call
            self.texts.add(_WORD_BEGINS.sub("-", node.name).lower())
        within, self._in_function = self._in_function, 0
        self._stack.append((qualified, scope))
        self._visit_body(node)
        self._stack.pop()
        self._in_function = within

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._define(node.name)
        self._in_function += 1
        self._visit_body(node)
        self._in_function -= 1

    def _visit_body(self, node: ast.ClassDef | ast.FunctionDef) -> None:
        for child in ast.iter_child_nodes(node):
            if not _is_docstring(child):
                self.visit(child)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not _is_docstring(node):
            self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        self.defined.add(node.arg)
        if node.annotation is not None:
            self.variables[node.arg].add(ast.unparse(node.annotation).removesuffix(" | None"))

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store) and not self._in_function:
            self._define(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        if isinstance(node.value, ast.Call):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    self.variables[target.id].add(ast.unparse(node.value.func))
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Store):
            self._define(node.attr)
        self.used.add(node.attr)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.texts.add(node.value)

    def visit_Import(self, node: ast.Import) -> None:
        self._imported({alias.asname or alias.name: alias.name for alias in node.names})

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._imported({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})

    def _imported(self, names: Mapping[str, str]) -> None:
        self._stack[0][1].imports.update(names)
        for name in names:
            self._define(name)

    def resolves(self, dotted: str) -> bool:
        """Whether each part of ``a.b.c`` is a member of the previous one."""
        head, *rest = dotted.split(".")
        if not rest:
            return head in self.defined or head in self.used or head in STANDARD or find_spec(head) is not None
        parts, candidates = [head, *rest], []
        for length in range(len(parts), 0, -1):
            path = ".".join(parts[:length])
            scopes = [scope for name, scope in self.modules.items() if name == path or name.endswith(f".{path}")]
            candidates.append((scopes + self.classes.get(path, []), parts[length:]))
        annotations = {part for kind in self.variables.get(head, ()) for part in [kind, kind.partition("[")[0]]}
        candidates.append(([scope for kind in annotations for scope in self.classes.get(kind, [])], rest))
        known = [(scopes, more) for scopes, more in candidates if scopes]
        if known:
            return any(self._reaches(scopes, more) for scopes, more in known)
        if head in self.defined:
            return all(part in self.defined for part in rest)
        return found_elsewhere(dotted) is not None

    def _reaches(self, scopes: Iterable[Scope], rest: list[str]) -> bool:
        """The first part is a member of one of the scopes; further parts are members of something."""
        if not rest:
            return True
        first, *more = rest
        return any(self._has(scope, first) for scope in scopes) and all(part in self.defined for part in more)

    def _has(self, scope: Scope, name: str) -> bool:
        if name in scope.members:
            return True
        for base in scope.bases:
            bare = base.partition("[")[0]
            known = [one for one in self.classes.get(bare, []) if one is not scope]
            if any(self._has(one, name) for one in known):
                return True
            head, _, rest = bare.partition(".")
            origin = scope.imports.get(head, "")
            if origin and _member_elsewhere(f"{origin}.{rest}".rstrip("."), name):
                return True
        return False


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def found_elsewhere(dotted: str) -> Any:
    """A module of a library or a name in it; None if it does not exist."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)
        return found
    return None


def _member_elsewhere(dotted: str, name: str) -> bool:
    kind = found_elsewhere(dotted)
    return hasattr(kind, name) or any(
        name in vars(one).get("__annotations__", {}) for one in getattr(kind, "__mro__", ())
    )
