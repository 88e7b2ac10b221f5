"""Checks for leaked file descriptors."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def no_file_left_open() -> Iterator[None]:
    """The garbage collector is off meanwhile: code must close its files itself."""
    gc.disable()
    try:
        before = len(list(Path("/proc/self/fd").iterdir()))
        yield
        assert len(list(Path("/proc/self/fd").iterdir())) <= before
    finally:
        gc.enable()
