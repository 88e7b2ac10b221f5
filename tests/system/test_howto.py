"""The pages of ``docs/howto`` can be followed: their edits fit the tree, and the tree with them passes its checks."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.documents import ROOT, Document, Tree
from tests.howto import FOLDER, STORIES, DoesNotFit, apply_edits, parse_page, read_page, text_in

CHECKS = (
    ".venv/bin/ruff check .",
    ".venv/bin/ruff format --check .",
    ".venv/bin/mypy",
    ".venv/bin/lint-imports",
    ".venv/bin/python -m docs.generate --check",
)
NOT_COPIED = (".git", ".venv", ".state", ".run", ".hypothesis", "build", "demo-output", "__pycache__", "*.egg-info")


PAGES = [name for story in STORIES for name in story]


def test_every_page_is_in_a_story_and_in_the_index() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {"README", *PAGES}
    index = (FOLDER / "README.md").read_text("utf-8")
    assert [name for name in PAGES if f"({name}.md)" not in index] == []


@pytest.mark.parametrize("story", STORIES, ids=[story[-1] for story in STORIES])
def test_every_edit_of_a_story_fits_the_tree(story: Sequence[str]) -> None:
    files: dict[str, str] = {}
    for name in story:
        page = read_page(name)
        assert page.edits, name
        assert page.commands, name
        apply_edits(page, files, text_in(ROOT))
        for path, text in files.items():
            if path.endswith(".py"):
                ast.parse(text, path)


def test_a_field_on_an_offer_takes_at_most_eight_files_of_the_product() -> None:
    edits = read_page("field-on-an-offer").edits
    assert len({edit.path for edit in edits if not edit.is_test}) <= 8


def test_pages_name_what_exists_once_they_are_applied() -> None:
    files: dict[str, str] = {}
    for name in PAGES:
        apply_edits(read_page(name), files, text_in(ROOT))
    tree = Tree(overlay=files)
    unknown = {path.name: Document(f"docs/howto/{path.name}", tree).unknown() for path in FOLDER.glob("*.md")}
    assert unknown == {name: [] for name in unknown}


@pytest.mark.parametrize(
    "block",
    [
        "services/catalog/bootstrap.py\n from services.catalog import no_such_module\n+import a\n",
        "services/catalog/bootstrap.py\n-from\n",
        "services/catalog/no_such_room.py\n import a\n+import b\n",
    ],
    ids=["not-there", "several-times", "no-file"],
)
def test_an_edit_that_does_not_fit_is_found(block: str) -> None:
    with pytest.raises(DoesNotFit):
        apply_edits(parse_page("wrong", f"```diff\n{block}```\n"), {}, text_in(ROOT))


@pytest.mark.slow
def test_the_tree_with_all_pages_passes_its_checks(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    shutil.copytree(ROOT, root, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    _borrow_environment(root / ".venv")
    for name in PAGES:
        page = read_page(name)
        own_test = next(command for command in page.commands if "pytest" in command)
        _apply(root, name, only_tests=True)
        assert _run(root, own_test).returncode != 0, f"{name}: its test passes without the change"
        _apply(root, name, only_tests=False)
        for command in page.commands:
            done = _run(root, command)
            assert done.returncode == 0, f"{name}: {command}\n{done.stdout}{done.stderr}"
    for check in CHECKS:
        done = _run(root, check)
        assert done.returncode == 0, f"{check}\n{done.stdout}{done.stderr}"


def _apply(root: Path, name: str, *, only_tests: bool) -> None:
    files: dict[str, str] = {}
    apply_edits(read_page(name), files, text_in(root), which=lambda edit: edit.is_test is only_tests)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")


def _borrow_environment(folder: Path) -> None:
    """The virtual environment of the tree itself, marked as installed: ``make`` changes nothing in it."""
    folder.mkdir()
    for path in (ROOT / ".venv").iterdir():
        if path.name != "installed":
            (folder / path.name).symlink_to(path)
    (folder / "installed").touch()


def _run(root: Path, command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(root)  # before the tree that is installed
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
