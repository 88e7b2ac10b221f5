"""Parses the Dockerfile and executes its build stage without a container engine.

``build`` uses a virtual environment in place of the base image. The result is that of the image, at other paths.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tests.platform import ROOT

DOCKERFILE = ROOT / "Dockerfile"
IGNORED = ROOT / ".dockerignore"
INSTALLED = "/opt/venv"
"""The path of the project and its packages in the image."""
WORK_DIRECTORY = "/srv"
KEYWORDS = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "EXPOSE", "USER", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str


def stages() -> list[list[Instruction]]:
    """The instructions of each stage, its FROM first."""
    lines = re.sub(r"\\\n", " ", DOCKERFILE.read_text("utf-8")).splitlines()
    found: list[list[Instruction]] = []
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        word, rest = line.split(maxsplit=1)
        assert word in KEYWORDS, f"unknown or unsupported instruction: {word}"
        if word == "FROM":
            found.append([])
        found[-1].append(Instruction(word, rest))
    return found


def command_of(word: str) -> list[str]:
    """The command of ENTRYPOINT, CMD or HEALTHCHECK, all of which use the list form."""
    (rest,) = (one.rest for one in stages()[-1] if one.word == word)
    command: list[str] = json.loads(rest[rest.index("[") :])
    return command


def environment() -> dict[str, str]:
    """The environment variables of the image."""
    return dict(one.rest.split("=", 1) for one in stages()[-1] if one.word == "ENV")


def sources(stage: Sequence[Instruction]) -> list[str]:
    """The paths that a stage copies from the project."""
    copies = (one.rest.split() for one in stage if one.word == "COPY" and not one.rest.startswith("--from"))
    return [source for copy in copies for source in copy[:-1]]


def is_ignored(path: Path) -> bool:
    """Whether .dockerignore excludes a path, relative to the project: the last matching line decides."""
    ignored = False
    for line in IGNORED.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").removeprefix("**/")
            anywhere = line.startswith("**/")
            names = path.parts if anywhere else path.parts[:1]
            if any(fnmatch(name, pattern) for name in names):
                ignored = not line.startswith("!")
    return ignored


def build(folder: Path) -> Path:
    """Executes the build stage in a folder; returns the folder that the image has as /opt/venv."""
    python, installed, work = folder / "python", folder / "venv", folder / "srv"
    work.mkdir()
    subprocess.run([sys.executable, "-m", "venv", python], check=True)
    environment = {**os.environ, "PATH": f"{python / 'bin'}:{os.environ['PATH']}", "PIP_NO_COMPILE": "1"}
    for one in stages()[0]:
        if one.word == "COPY":
            _copy(one.rest.split(), work)
        elif one.word == "RUN":
            command = one.rest.replace(INSTALLED, str(installed)).replace(WORK_DIRECTORY, str(work))
            done = subprocess.run(command, shell=True, cwd=work, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{one.rest}\n{done.stdout}{done.stderr}"
        else:
            assert one.word in ("FROM", "WORKDIR"), one
    return installed


def _copy(operands: Sequence[str], work: Path) -> None:
    for source in operands[:-1]:
        for path in [ROOT / source, *(ROOT / source).rglob("*")]:
            relative = path.relative_to(ROOT)
            if path.is_file() and not is_ignored(relative):
                to = work / (relative if operands[-1] in ("./", source) else operands[-1])
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to)
