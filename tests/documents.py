"""Finds names in documents that do not exist in the project: in backticks, links, and blocks of Python or shell.

Text in backticks must be a file, a symbol of the code, a make target, a command, a route, a setting, a call, a key of
JSON, or an expression made of these. The few other texts (a formula, a value) are listed in ``NOT_NAMES``.
"""

from __future__ import annotations

import ast
import fnmatch
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import typer.main

from shared.cli.application import app
from shared.contracts.calls import OWNERS, contracts_of
from shared.contracts.subcategories import SUBCATEGORIES
from shared.runtime.settings import SETTINGS
from tests.symbols import Symbols, found_elsewhere

ROOT = Path(__file__).parents[1]
CODE = ("services/", "shared/", "demo/", "deploy/", "docs/")
NOT_NAMES = frozenset(
    {
        "reimbursed = paid + to pay + unpayable + carried forward",
        "Σ lines = Σ transfers + carried = control sum of the file + carried",
        "max(min(start − 48 h, booked + 48 h), booked)",
        *("12.05", "2E4567", "VIR1-000001"),  # examples of values
        *("R21", "Until"),  # names of domain.md itself: a rule, a column of its table
        *(".xlsx", "keys.sqlite"),  # files that the platform writes
    }
)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"<[\w-]+>")
_SUFFIX = re.compile(r"[^*]*\.(py|md|json|toml|lock|yaml|sqlite|html|css|js|importlinter)")
_ROUTE = re.compile(r"(?:(?:GET|POST|PUT|PATCH|DELETE) )?(/[\w/.<>{}:-]*)")
_TOKEN = re.compile(r"[A-Za-z_]\w*(?:[.-][A-Za-z_]\w*)*")
_TEXT = re.compile(r"\"([^\"]*)\"|'([^']*)'")


class Tree:
    """The project's files. ``overlay``: files that replace or supplement them."""

    def __init__(self, root: Path = ROOT, overlay: Mapping[str, str] | None = None) -> None:
        self._root = root
        self._overlay = dict(overlay or {})

    def text(self, path: str) -> str:
        return self._overlay[path] if path in self._overlay else (self._root / path).read_text("utf-8")

    @cached_property
    def files(self) -> set[str]:
        """All files, and all folders with a trailing slash, except those that git ignores."""
        ignored = [line.rstrip("/") for line in (self._root / ".gitignore").read_text("utf-8").split()]
        found: set[str] = set()
        pending = [self._root]
        while pending:
            for path in pending.pop().iterdir():
                if path.name == ".git" or any(fnmatch.fnmatch(path.name, pattern) for pattern in ignored):
                    continue
                name = str(path.relative_to(self._root))
                found.add(f"{name}/" if path.is_dir() else name)
                if path.is_dir():
                    pending.append(path)
        for name in self._overlay:
            found |= {name, *(f"{parent}/" for parent in Path(name).parents)}
        return found

    @cached_property
    def listing(self) -> str:
        return "\n".join(sorted(self.files))

    @cached_property
    def ignored(self) -> set[str]:
        return set((self._root / ".gitignore").read_text("utf-8").split())

    @cached_property
    def symbols(self) -> Symbols:
        paths = sorted(path for path in self.files if path.endswith(".py") and path.startswith(CODE))
        return Symbols({path: self.text(path) for path in paths})

    @cached_property
    def texts(self) -> set[str]:
        """Strings that are names: constants of the code, calls and their fields, subcategories."""
        contracts = [contract for owner in OWNERS for contract in contracts_of(owner).values()]
        return (
            self.symbols.texts | {bound.key for contract in contracts for bound in contract.FIELDS} | set(SUBCATEGORIES)
        )

    @cached_property
    def targets(self) -> set[str]:
        return set(re.findall(r"^([a-z-]+):", self.text("Makefile"), re.MULTILINE))

    @cached_property
    def routes(self) -> set[str]:
        paths = set(json.loads(self.text("docs/openapi.json"))["paths"])
        return paths | {text for text in self.symbols.texts if text.startswith("/")}


class Document:
    """One document, and the names in it that do not exist."""

    def __init__(self, path: str, tree: Tree, text: str | None = None) -> None:
        self._path, self._tree = path, tree
        self._text = tree.text(path) if text is None else text
        self._blocks = _BLOCK.findall(self._text)
        python = {f"block{index}.py": code for index, (kind, code) in enumerate(self._blocks) if kind == "python"}
        self._own = Symbols({name: code for name, code in python.items() if _is_python(code)})

    @property
    def spans(self) -> list[str]:
        """The texts in backticks outside blocks."""
        return _SPAN.findall(_BLOCK.sub("", self._text))

    def unknown(self) -> list[str]:
        """The names that do not exist, in the order of the document."""
        found = [f"`{span}`" for span in dict.fromkeys(self.spans) if span not in NOT_NAMES and not self._exists(span)]
        found += [
            link for link in dict.fromkeys(_LINK.findall(_BLOCK.sub("", self._text))) if not self._link_exists(link)
        ]
        for kind, code in self._blocks:
            if kind == "python":
                found += self._unknown_in_python(code)
            elif kind == "sh":
                found += [line for line in code.splitlines() if not self._is_command(line)]
        return found

    def _exists(self, span: str) -> bool:
        first = span.partition(" ")[0]
        if first in ("make", "passculture") or first.startswith(".venv/bin/"):
            return self._is_command(span)
        if not re.search(r"\w", span):
            return True
        if span.startswith("--"):
            return span in set(_options(typer.main.get_command(app)))
        if (route := _ROUTE.fullmatch(span)) is not None:
            return self._is_route(route[1])
        if "/" in span or _SUFFIX.fullmatch(span) or f"{span}/" in self._tree.ignored:
            return self._is_file(span) or self._is_text(span) or f"{span.partition('/')[0]}/" in self._tree.ignored
        name, equals, _ = span.partition("=")
        if name.isupper() and (equals or name in SETTINGS):
            return name in SETTINGS or name in self._tree.text("Makefile")
        return self._is_text(span) or self._is_expression(span)

    def _is_file(self, span: str) -> bool:
        """Relative to the root, ``services``, ``shared``, the document's folder or its service (elsewhere: any)."""
        pattern = _PLACEHOLDER.sub("*", span)
        folder = self._path.rpartition("/")[0]
        service = "/".join(folder.split("/")[:2]) if folder.startswith("services/") else "services/*"
        places = ["", "services/", "shared/", f"{service}/", *([f"{folder}/"] if folder else [])]
        wanted = "|".join(re.escape(f"{place}{pattern}").replace(r"\*", "[^/]*") for place in places)
        return re.search(f"^({wanted})/?$", self._tree.listing, re.MULTILINE) is not None

    def _is_route(self, path: str) -> bool:
        """A route, or a prefix of one."""
        bare = re.sub(r"[<{][^>}]*[>}]", "{}", path).rstrip("/")
        known = {re.sub(r"[<{][^>}]*[>}]", "{}", route) for route in self._tree.routes}
        return any(route == bare or route.startswith(f"{bare}/") for route in known)

    def _is_text(self, span: str) -> bool:
        """A constant of the code, also as a pattern: ``Offer*``, ``venue-<venueId>``."""
        if "*" in span or _PLACEHOLDER.search(span):
            pattern = re.escape(_PLACEHOLDER.sub("*", span)).replace(r"\*", r"[\w{}-]*")
            return any(map(re.compile(pattern).fullmatch, self._tree.texts))
        return span in self._tree.texts

    def _is_expression(self, span: str) -> bool:
        """An expression with at least one name, all of which exist."""
        quoted = [one or other for one, other in _TEXT.findall(span)]
        tokens = _TOKEN.findall(_TEXT.sub("", span))
        return bool(tokens or quoted) and all(map(self._is_known, tokens)) and all(map(self._is_text, quoted))

    def _is_known(self, token: str) -> bool:
        if "-" in token:
            return token in self._tree.texts
        keyword = token in ("None", "True", "False")
        symbols = self._tree.symbols
        return keyword or symbols.resolves(token) or token in self._tree.texts or self._own.resolves(token)

    def _link_exists(self, link: str) -> bool:
        if link.startswith(("http://", "https://", "mailto:")):
            return True
        path, _, anchor = link.partition("#")
        parts = [part for part in [*self._path.split("/")[:-1], *path.split("/")] if part]
        steps: list[str] = []
        for part in parts:
            steps = steps[:-1] if part == ".." else [*steps, part]
        target = "/".join(steps) if path else self._path
        if target not in self._tree.files and f"{target}/" not in self._tree.files:
            return False
        headings = _HEADING.findall(self._tree.text(target) if path else self._text) if anchor else []
        return not anchor or anchor in map(_anchor, headings)

    def _is_command(self, line: str) -> bool:
        """Every make target, subcommand, option, module and test of a shell command exists."""
        words = shlex.split(line, comments=True)
        for index, word in enumerate(words):
            rest = words[index + 1 :]
            if word == "make" and not all(one in self._tree.targets for one in rest if "=" not in one):
                return False
            if word in ("passculture", ".venv/bin/passculture") and not _is_subcommand(rest):
                return False
            path = word.partition("::")[0]
            if path.startswith((*CODE, "tests/")) and not self._is_file(path):
                return False
            if word == "-m" and not (self._tree.symbols.resolves(rest[0]) or found_elsewhere(rest[0])):
                return False
        return True

    def _unknown_in_python(self, code: str) -> Iterator[str]:
        if not _is_python(code):
            yield f"not Python: {code.splitlines()[0]}"
            return
        nodes = list(ast.walk(ast.parse(code)))
        local = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        for node in nodes:
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    dotted = f"{node.module}.{alias.name}"
                    if not (self._tree.symbols.resolves(dotted) or found_elsewhere(dotted)):
                        yield dotted
            elif isinstance(node, ast.Attribute) and not self._is_attribute(node):
                yield ast.unparse(node)
            elif isinstance(node, ast.Name) and node.id not in local and not self._is_known(node.id):
                yield node.id
            elif isinstance(node, ast.keyword) and node.arg and not self._is_known(node.arg):
                yield f"{node.arg}="

    def _is_attribute(self, node: ast.Attribute) -> bool:
        dotted = ast.unparse(node)
        if re.fullmatch(r"[\w.]+", dotted) and self._tree.symbols.resolves(dotted):
            return True
        return node.attr in self._own.defined or node.attr in self._tree.symbols.used


def _is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _is_subcommand(words: list[str]) -> bool:
    """``restored booking``, ``price [--known-on DATE]``: the command exists and has the options."""
    command: Any = typer.main.get_command(app)
    words = [word.strip("[]") for word in words]
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        found = command.commands.get(words.pop(0))
        if found is None:
            return False
        command = found
    return {word for word in words if word.startswith("-")} <= {"--help", *_options(command)}


def _options(command: Any) -> Iterator[str]:
    """The options of a command and of its subcommands."""
    yield from (option for one in command.params for option in one.opts)
    for part in getattr(command, "commands", {}).values():
        yield from _options(part)
