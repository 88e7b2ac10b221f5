"""The edits and commands of the pages in ``docs/howto``, to be tried on the files of the tree.

A block of ``diff`` begins with the path of its file; hunks are separated by a line ``…``. A hunk's unchanged and
removed lines stand in the file exactly once. A hunk of added lines only is a new file, or the end of one that exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs" / "howto"
STORIES = (("event-and-message", "call", "read-model", "timer", "page"), ("field-on-an-offer",))
"""The pages of each story, each on top of those before it. The first page of a story stands on the tree."""
_BLOCK = re.compile(r"^```(diff|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SEPARATOR = "…"


class DoesNotFit(Exception):
    """A hunk whose context is not in its file, or is there several times."""


@dataclass(frozen=True)
class Hunk:
    before: str
    after: str


@dataclass(frozen=True)
class Edit:
    """The changes of one file."""

    path: str
    hunks: tuple[Hunk, ...]

    @property
    def is_test(self) -> bool:
        return self.path.startswith("tests/")

    def applied(self, text: str | None) -> str:
        """The file's new text; ``text`` None: there is no such file yet. Raises DoesNotFit."""
        for hunk in self.hunks:
            if not hunk.before:
                text = hunk.after if text is None else f"{text}\n\n{hunk.after}"
                continue
            lines, before = f"\n{text or ''}", f"\n{hunk.before}"
            if lines.count(before) != 1:
                raise DoesNotFit(f"{self.path} has these lines {lines.count(before)} times:\n{hunk.before}")
            text = lines.replace(before, f"\n{hunk.after}")[1:]
        assert text is not None, f"{self.path} has no hunk"
        return text


@dataclass(frozen=True)
class Page:
    name: str
    edits: tuple[Edit, ...]
    commands: tuple[str, ...]


def read_page(name: str, folder: Path = FOLDER) -> Page:
    return parse_page(name, (folder / f"{name}.md").read_text("utf-8"))


def parse_page(name: str, text: str) -> Page:
    blocks = _BLOCK.findall(text)
    return Page(
        name,
        edits=tuple(_edit(block) for kind, block in blocks if kind == "diff"),
        commands=tuple(line for kind, block in blocks if kind == "sh" for line in block.splitlines()),
    )


def _edit(block: str) -> Edit:
    path, *lines = block.splitlines()
    return Edit(path, tuple(_hunks(lines)))


def _hunks(lines: list[str]) -> Iterator[Hunk]:
    for part in "\n".join(lines).split(f"\n{_SEPARATOR}\n"):
        marked = [line or " " for line in part.split("\n")]
        before, after = ("".join(f"{line[1:]}\n" for line in marked if line[0] in kinds) for kinds in (" -", " +"))
        yield Hunk(before, after)


def apply_edits(
    page: Page,
    files: MutableMapping[str, str],
    read: Callable[[str], str | None],
    *,
    which: Callable[[Edit], bool] = lambda edit: True,
) -> None:
    """Puts the new texts of files into ``files``; ``read``: the text of one that is not there, or None.

    Raises DoesNotFit.
    """
    for edit in filter(which, page.edits):
        files[edit.path] = edit.applied(files[edit.path] if edit.path in files else read(edit.path))


def text_in(root: Path) -> Callable[[str], str | None]:
    """Reads files of a tree."""

    def read(path: str) -> str | None:
        return (root / path).read_text("utf-8") if (root / path).exists() else None

    return read
