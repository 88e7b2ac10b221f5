"""The image as far as it can be had without an engine: its build stage carried out, its commands run from it."""

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
"""What is started and what migrates are not imported; the tests that start and migrate need them."""
WHAT_IS_INSTALLED = """
import importlib.metadata, json
print(json.dumps({found.name: found.version for found in importlib.metadata.distributions()}))
"""


def pinned(lock: str) -> dict[str, str]:
    """Each package of a lock file, by its normal name, and its version."""
    text = (ROOT / lock).read_text("utf-8")
    return {normal(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+) \\$", text, re.MULTILINE)}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def hashes(lock: str) -> set[str]:
    return set(re.findall(r"--hash=(\S+)", (ROOT / lock).read_text("utf-8")))


@pytest.mark.parametrize("part", ["requirements.lock", "requirements-build.lock"])
def test_what_runs_and_what_builds_is_what_was_developed_with(part: str) -> None:
    assert pinned(part).items() <= pinned("requirements-dev.lock").items()
    assert hashes(part) <= hashes("requirements-dev.lock")


def test_what_runs_has_no_tools_of_tests() -> None:
    assert (
        pinned("requirements.lock")
        .keys()
        .isdisjoint({"pytest", "hypothesis", "schemathesis", "ruff", "mypy", "import-linter", "setuptools", "pip"})
    )


def test_the_locks_name_no_registry() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text("utf-8"), lock.name


def test_the_builder_gets_what_is_copied_and_nothing_else() -> None:
    copied = image.sources(image.stages()[0])
    assert all((ROOT / source).exists() and not image.is_ignored(Path(source)) for source in copied)
    for other in ROOT.iterdir():
        assert image.is_ignored(Path(other.name)) == (other.name not in copied), other.name
    assert image.is_ignored(Path("shared/kernel/__pycache__/money.cpython-311.pyc"))


def test_the_last_stage_takes_nothing_but_what_was_installed() -> None:
    last = image.stages()[-1]
    copies = [one.rest for one in last if one.word == "COPY"]
    assert copies == [f"--from=build {image.INSTALLED} {image.INSTALLED}"]
    said = [one.word for one in last]
    assert said.index("USER") < said.index("ENTRYPOINT"), "it does not run as root"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image.build(tmp_path_factory.mktemp("image"))


@pytest.mark.slow
class TestInstalled:
    def test_it_holds_the_lock_and_the_project_alone(self, installed: Path, tmp_path: Path) -> None:
        found = json.loads(output_of(installed, tmp_path, "-c", WHAT_IS_INSTALLED))
        names = {normal(name): version for name, version in found.items()}
        assert names.pop("passculture")
        assert names == pinned("requirements.lock")

    def test_every_module_is_there_and_needs_nothing_more(self, installed: Path, tmp_path: Path) -> None:
        sources = {str(path.relative_to(ROOT)) for top in PACKAGES for path in (ROOT / top).rglob("*.py")}
        assert set(output_of(installed, tmp_path, "-c", EVERY_MODULE).split()) == sources

    def test_it_runs_and_its_health_is_told(self, installed: Path, tmp_path: Path) -> None:
        """With what the image says and two free ports."""
        settings = {"PORT": str(free_port()), "OPS_PORT": str(free_port()), "STATE_DIR": str(tmp_path)}
        environment = environment_with(image.environment() | settings)

        def healthy() -> bool:
            check = here(image.words("HEALTHCHECK"), installed)
            return subprocess.run(check, env=environment, capture_output=True, check=False).returncode == 0

        assert not healthy()
        log = tmp_path / "log"
        with running(
            [*image.words("ENTRYPOINT"), *image.words("CMD")], installed, tmp_path, environment, log
        ) as started:
            wait_until(lambda: started.poll() is not None or healthy(), log.read_text)
            assert "ready at http://0.0.0.0:" in log.read_text()
        assert not healthy()

    def test_it_tells_its_settings(self, installed: Path, tmp_path: Path) -> None:
        command = here([*image.words("ENTRYPOINT"), "settings"], installed)
        environment = environment_with(image.environment() | {"STATE_DIR": str(tmp_path)})
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, "POOL_SIZE" in done.stdout) == (0, True), done.stderr

    @pytest.mark.distributed
    def test_it_migrates(self, installed: Path, tmp_path: Path) -> None:
        with own_database() as url:
            environment = environment_with({"DATABASE_URL": url, "AMQP_URI": AMQP, "STATE_DIR": str(tmp_path)})
            command = here([*image.words("ENTRYPOINT"), "migrate"], installed)
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            remove_topology(namespace_of(url))
        assert (done.returncode, done.stdout) == (0, "schemas and topology are up to date\n"), done.stderr


def here(command: list[str], installed: Path) -> list[str]:
    return [word.replace(image.INSTALLED, str(installed)) for word in command]


def output_of(installed: Path, folder: Path, *arguments: str) -> str:
    """Of the image's Python, in a folder where the project is not."""
    done = subprocess.run(
        [installed / "bin" / "python", *arguments],
        cwd=folder,
        env=environment_with({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(
    command: list[str], installed: Path, folder: Path, environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(here(command, installed), cwd=folder, env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(TIMEOUT_SECONDS) == 0, log.read_text()
