"""The image, tested without a container engine: executes its build stage in a folder and runs its commands there."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import image
from tests.platform import ROOT, environment_with, free_port, namespace_of, remove_topology
from tests.servers import AMQP, own_database
from tests.waiting import TIMEOUT_SECONDS, wait_until

PACKAGES = ("shared", "services", "demo")
EVERY_MODULE = """
import importlib, importlib.metadata
files = [file for file in importlib.metadata.files("passculture") if file.suffix == ".py"]
for file in files:
    if "versions" not in file.parts and file.name != "__main__.py":
        importlib.import_module(".".join(file.with_suffix("").parts))
print(*files, sep="\\n")
"""
"""Except entry points and migrations, which the tests that start and migrate use."""
INSTALLED_PACKAGES = """
import importlib.metadata, json
print(json.dumps({found.name: found.version for found in importlib.metadata.distributions()}))
"""


def pinned(lock: str) -> dict[str, str]:
    """The version of each package of a lock file, by normalized name."""
    text = (ROOT / lock).read_text("utf-8")
    return {normalized(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+) \\$", text, re.MULTILINE)}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def hashes(lock: str) -> set[str]:
    return set(re.findall(r"--hash=(\S+)", (ROOT / lock).read_text("utf-8")))


@pytest.mark.parametrize("part", ["requirements.lock", "requirements-build.lock"])
def test_run_and_build_locks_are_subsets_of_the_development_lock(part: str) -> None:
    assert pinned(part).items() <= pinned("requirements-dev.lock").items()
    assert hashes(part) <= hashes("requirements-dev.lock")


def test_run_lock_has_no_development_tools() -> None:
    assert (
        pinned("requirements.lock")
        .keys()
        .isdisjoint({"pytest", "hypothesis", "schemathesis", "ruff", "mypy", "import-linter", "setuptools", "pip"})
    )


def test_locks_name_no_registry() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text("utf-8"), lock.name


def test_build_context_is_what_is_copied() -> None:
    copied = image.sources(image.stages()[0])
    assert all((ROOT / source).exists() and not image.is_ignored(Path(source)) for source in copied)
    for other in ROOT.iterdir():
        assert image.is_ignored(Path(other.name)) == (other.name not in copied), other.name
    assert image.is_ignored(Path("shared/kernel/__pycache__/money.cpython-311.pyc"))


def test_last_stage_copies_only_the_installation() -> None:
    last = image.stages()[-1]
    copies = [one.rest for one in last if one.word == "COPY"]
    assert copies == [f"--from=build {image.INSTALLED} {image.INSTALLED}"]
    keywords = [one.word for one in last]
    assert keywords.index("USER") < keywords.index("ENTRYPOINT"), "the image runs as root"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image.build(tmp_path_factory.mktemp("image"))


@pytest.mark.slow
class TestInstalled:
    def test_it_has_only_the_locked_packages_and_the_project(self, installed: Path, tmp_path: Path) -> None:
        found = json.loads(output_of(installed, tmp_path, "-c", INSTALLED_PACKAGES))
        names = {normalized(name): version for name, version in found.items()}
        assert names.pop("passculture")
        assert names == pinned("requirements.lock")

    def test_all_modules_can_be_imported(self, installed: Path, tmp_path: Path) -> None:
        sources = {str(path.relative_to(ROOT)) for top in PACKAGES for path in (ROOT / top).rglob("*.py")}
        assert set(output_of(installed, tmp_path, "-c", EVERY_MODULE).split()) == sources

    def test_it_runs_and_its_health_check_passes(self, installed: Path, tmp_path: Path) -> None:
        """With the environment of the image and two free ports."""
        settings = {"PORT": str(free_port()), "OPS_PORT": str(free_port()), "STATE_DIR": str(tmp_path)}
        environment = environment_with(image.environment() | settings)

        def healthy() -> bool:
            check = in_folder(image.command_of("HEALTHCHECK"), installed)
            return subprocess.run(check, env=environment, capture_output=True, check=False).returncode == 0

        assert not healthy()
        log = tmp_path / "log"
        with running(
            [*image.command_of("ENTRYPOINT"), *image.command_of("CMD")], installed, tmp_path, environment, log
        ) as started:
            wait_until(lambda: started.poll() is not None or healthy(), log.read_text)
            assert "ready at http://0.0.0.0:" in log.read_text()
        assert not healthy()

    def test_it_lists_its_settings(self, installed: Path, tmp_path: Path) -> None:
        command = in_folder([*image.command_of("ENTRYPOINT"), "settings"], installed)
        environment = environment_with(image.environment() | {"STATE_DIR": str(tmp_path)})
        completed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (completed.returncode, "POOL_SIZE" in completed.stdout) == (0, True), completed.stderr

    @pytest.mark.distributed
    def test_it_migrates(self, installed: Path, tmp_path: Path) -> None:
        with own_database() as url:
            environment = environment_with({"DATABASE_URL": url, "AMQP_URI": AMQP, "STATE_DIR": str(tmp_path)})
            command = in_folder([*image.command_of("ENTRYPOINT"), "migrate"], installed)
            completed = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            remove_topology(namespace_of(url))
        assert (completed.returncode, completed.stdout) == (0, "schemas and topology are up to date\n"), (
            completed.stderr
        )


def in_folder(command: list[str], installed: Path) -> list[str]:
    return [word.replace(image.INSTALLED, str(installed)) for word in command]


def output_of(installed: Path, folder: Path, *arguments: str) -> str:
    """The output of the image's Python, run in a folder without the project."""
    completed = subprocess.run(
        [installed / "bin" / "python", *arguments],
        cwd=folder,
        env=environment_with({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


@contextmanager
def running(
    command: list[str], installed: Path, folder: Path, environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            in_folder(command, installed), cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(TIMEOUT_SECONDS) == 0, log.read_text()
